import { asPartition, failureCode, silentLogger } from '@levee/kernel';
import { systemClock, systemTimers } from '@levee/log';
import { Appender } from '../src/appender';
import { type ClusterParts, ClusterMetadata } from '../src/cluster-metadata';
import { Fetcher } from '../src/fetcher';
import { checkedLimits, type KafkaLogLimits } from '../src/limits';
import { freshProducerId } from '../src/producer-ids';
import { encodeBatch } from '../src/record-batch-encoder';
import { type Belief, StandInBroker, standInTopic } from './stand-in-broker';
import { StandInLog } from './stand-in-log';

export const p0 = asPartition(0);

/** Brokers in this process, all of one mind until a test parts them. Broker 1 leads every partition under epoch 5. */
export class StandInCluster {
  readonly brokers: readonly StandInBroker[];
  readonly logs: readonly StandInLog[];
  readonly parts: ClusterParts;
  readonly metadata: ClusterMetadata;
  private foreigners = 0;
  private skippedMs = 0;
  private sleptMs = 0;

  constructor(
    brokers: number,
    { partitions = 1, limits = {} }: { partitions?: number; limits?: Partial<KafkaLogLimits> } = {},
  ) {
    this.logs = Array.from({ length: partitions }, () => new StandInLog());
    this.brokers = Array.from({ length: brokers }, (_, n) => new StandInBroker(n + 1));
    for (const broker of this.brokers) {
      broker.logs = [...this.logs];
      broker.alive = this.brokers.map(({ id }) => id);
    }
    this.elect({ leader: 1, epoch: 5 });
    this.parts = {
      connection: (host) => Promise.resolve(this.broker(Number(host.slice(1))).connect()),
      bootstrap: this.brokers.map(({ host, port }) => ({ host, port })),
      limits: checkedLimits({ requestMs: 200, produceMs: 100, retryMs: 1, retryMsMax: 10, ...limits }),
      clock: {
        nowMs: () => systemClock.nowMs() + this.skippedMs + this.sleptMs,
        monotonicMs: () => systemClock.monotonicMs() + this.skippedMs,
      },
      timers: systemTimers,
      logger: silentLogger,
    };
    this.metadata = new ClusterMetadata(this.parts);
  }

  broker(id: number): StandInBroker {
    return this.brokers[id - 1] as StandInBroker;
  }

  get log(): StandInLog {
    return this.logs[0] as StandInLog;
  }

  /** Another leader for every partition; `known` by these brokers only, by default by all. */
  elect(belief: Belief, known: readonly StandInBroker[] = this.brokers): void {
    for (const broker of known) broker.beliefs = this.logs.map(() => belief);
    for (const log of this.broker(belief.leader).logs) log.lead(belief.epoch);
  }

  /** Deadlines that lie so far ahead have passed: after what a test waited for, and not after some time. */
  skip(ms: number): void {
    this.skippedMs += ms;
  }

  /** The machine of the clients was suspended for so long: a monotonic clock stands still meanwhile. */
  sleep(ms: number): void {
    this.sleptMs += ms;
  }

  appender({ fencing = false } = {}): Appender {
    const identity = { producerId: 77, epoch: 1 };
    return new Appender({
      ...this.parts,
      metadata: this.metadata,
      queue: { bytes: 0 },
      fencing,
      acquire: () =>
        fencing ? Promise.resolve(identity) : freshProducerId({ ...this.parts, metadata: this.metadata }),
    });
  }

  /** As a process that has just started, and reaches these brokers first. */
  newcomer(bootstrap: readonly number[] = [1]): { readonly metadata: ClusterMetadata; readonly fetcher: Fetcher } {
    const addresses = bootstrap.map((id) => ({ host: this.broker(id).host, port: this.broker(id).port }));
    const metadata = new ClusterMetadata({ ...this.parts, bootstrap: addresses });
    return { metadata, fetcher: new Fetcher({ ...this.parts, metadata }) };
  }

  /** One record of a producer that nobody knows yet. */
  foreignBatch(value: string): Buffer {
    const identity = { producerId: 9000 + this.foreigners++, epoch: 0, baseSequence: 0 };
    const record = { key: Buffer.from('k'), value: Buffer.from(value) };
    return encodeBatch([{ records: [record] }], systemClock.nowMs(), identity);
  }

  fetcher(): Fetcher {
    return new Fetcher({ ...this.parts, metadata: this.metadata });
  }
}

/** `stored at <offset>`, or the failure's code. */
export async function outcome(appended: Promise<{ readonly baseOffset: number }>): Promise<string> {
  try {
    return `stored at ${(await appended).baseOffset}`;
  } catch (error) {
    return failureCode(error) ?? String(error);
  }
}

export function append(appender: Appender, value: string, partition = p0): Promise<{ readonly baseOffset: number }> {
  return appender.append(standInTopic, partition, [{ key: Buffer.from('k'), value: Buffer.from(value) }]);
}

/** Offsets at which a batch holds `value`. */
export function placesOf(log: StandInLog, value: string): number[] {
  return log.batches.flatMap(({ baseOffset, bytes }) => (bytes.includes(value) ? [baseOffset] : []));
}
