import { asOffset, failureCode, type Offset } from '@levee/kernel';
import type { LogBatch, TailOptions } from '@levee/log';
import { eventually } from '../../../test/support/deadline';
import type { Fetcher } from '../src/fetcher';
import type { KafkaLogLimits } from '../src/limits';
import { standInTopic } from './stand-in-broker';
import { StandInLog } from './stand-in-log';
import { append, outcome, p0, StandInCluster } from './stand-in-cluster';

const limits: Partial<KafkaLogLimits> = {
  leaderLookMs: 20,
  leaderDoubtMs: 150,
  distrustMs: 50,
  denialsApartMs: 40,
  staleEpochMs: 300,
  fetchWaitMs: 10,
  fetchJoinMs: 5,
  topicMissingMs: 50,
  appendDeadlineMs: 20_000,
};
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Reads on and on; remembers what it was told, and when. */
class Reader {
  readonly batches: Array<LogBatch & { readonly atMs: number }> = [];
  readonly values: string[] = [];
  failure: string | undefined;
  private readonly stop = new AbortController();

  constructor(fetcher: Fetcher, from: { nextOffset: Offset; leaderEpoch: number }, options: TailOptions = {}) {
    void this.run(fetcher.tail(standInTopic, p0, from, { idleMs: 10, signal: this.stop.signal, ...options }));
  }

  /** Batches since then that say that the reader stands at the end. */
  claimsSince(ms: number): number {
    return this.batches.filter(({ atMs, nextOffset, endOffset }) => atMs >= ms && nextOffset >= endOffset).length;
  }

  end(): void {
    this.stop.abort();
  }

  private async run(tail: AsyncIterable<LogBatch>): Promise<void> {
    try {
      for await (const batch of tail) {
        this.batches.push({ ...batch, atMs: performance.now() });
        for (const { value } of batch.records) this.values.push(`${value?.toString()}`);
      }
    } catch (error) {
      this.failure = `${failureCode(error)}: ${(error as Error).message}`;
    }
  }
}

describe('brokers that were deposed, or are behind, and do not know it', () => {
  const start = { nextOffset: asOffset(0), leaderEpoch: -1 };
  let cluster: StandInCluster;
  let fetcher: Fetcher;
  let reader: Reader;

  const begin = (brokers: number, overrides: Partial<KafkaLogLimits> = {}): void => {
    cluster = new StandInCluster(brokers, { limits: { ...limits, ...overrides } });
    fetcher = cluster.fetcher();
  };
  const store = async (...values: string[]): Promise<void> => {
    const appender = cluster.appender();
    for (const value of values) expect(await outcome(append(appender, value))).toMatch('stored');
    await appender.close(0);
  };
  /** Broker 1 is cut off from its peers and the controller, not from clients; broker 2 leads since epoch 6. */
  const cutBroker1 = (): void => {
    const [first, ...others] = cluster.brokers;
    if (first === undefined) throw new Error('no broker');
    first.logs = cluster.logs.map((log) => log.copy());
    first.onProduce = ({ store: keep }) => {
      first.logs.forEach((log) => (log.committedTo ??= log.endOffset));
      keep();
      return { errorCode: 7, baseOffset: -1 };
    };
    cluster.elect({ leader: 2, epoch: 6 }, others);
  };

  afterEach(() => {
    reader?.end();
    fetcher.close();
    cluster.metadata.close();
  });

  it('I4, I5: a tail leaves a deposed leader that goes on answering, and reads what the new one has', async () => {
    begin(3);
    await store('a', 'b');
    reader = new Reader(fetcher, start);
    await eventually('the end', () => reader.claimsSince(0) > 3);
    cutBroker1();
    await store('c');
    await eventually('what the new leader stored', () => reader.values.includes('c'));
    expect(reader.values).toEqual(['a', 'b', 'c']);
    const movedMs = performance.now();
    const asked = cluster.broker(1).count('Fetch');
    await eventually('the end, of the new leader', () => reader.claimsSince(movedMs) > 3);
    // The request that was under way may have been the last one.
    expect(cluster.broker(1).count('Fetch')).toBeLessThanOrEqual(asked + 1);
  });

  it('I4, I5: the end is not believed on the word of a leader that nobody confirms; what it holds is still read', async () => {
    begin(3);
    await store('a');
    reader = new Reader(fetcher, start);
    await eventually('the end', () => reader.claimsSince(0) > 3);
    for (const id of [2, 3]) {
      cluster.broker(id).up = false;
      cluster.broker(id).breakConnections();
    }
    await pause(500);
    const doubtMs = performance.now();
    cluster.log.append(cluster.foreignBatch('b'), 5);
    await eventually('a record from the leader in doubt', () => reader.values.includes('b'));
    await pause(200);
    expect(reader.claimsSince(doubtMs)).toBe(0);
    cluster.broker(3).up = true;
    await eventually('the end, once another broker confirms it', () => reader.claimsSince(doubtMs) > 3);
    expect(reader.values).toEqual(['a', 'b']);
  });

  it('a tail that begins at a leader which nobody confirms says nothing of the end either', async () => {
    begin(3);
    for (const id of [2, 3]) cluster.broker(id).up = false;
    reader = new Reader(fetcher, start);
    await pause(300);
    expect(reader.claimsSince(0)).toBe(0);
    cluster.broker(2).up = true;
    await eventually('the end', () => reader.claimsSince(0) > 3);
  });

  it('a broker that is the whole cluster needs nobody', async () => {
    begin(1);
    await store('a');
    reader = new Reader(fetcher, start);
    await pause(400);
    const laterMs = performance.now();
    await eventually('the end', () => reader.claimsSince(laterMs) > 3);
  });

  it.each([7, 19, 20])('an append whose leader was cut off and answers %i finds the new one', async (code) => {
    begin(3, { appendDeadlineMs: 60_000 });
    await store('before');
    cutBroker1();
    cluster.broker(1).onProduce = () => ({ errorCode: code, baseOffset: -1 });
    const sinceMs = performance.now();
    const appender = cluster.appender();
    expect(await outcome(append(appender, 'during'))).toBe('stored at 1');
    expect(performance.now() - sinceMs).toBeLessThan(10_000);
    await appender.close(0);
  });

  it('I2: a broker that is behind our own epoch proves no truncation, however long it is the only one', async () => {
    begin(3, { staleEpochMs: 20_000 });
    await store('a', 'b');
    cutBroker1();
    await store('c', 'd');
    for (const id of [2, 3]) cluster.broker(id).up = false;
    // As a process that starts: it knows nothing of the cluster but its own position.
    const late = cluster.newcomer();
    fetcher = late.fetcher;
    reader = new Reader(fetcher, { nextOffset: asOffset(4), leaderEpoch: 6 });
    await pause(600);
    await eventually('it asks again and again', () => cluster.broker(1).count('Metadata') > 5);
    expect(reader.failure).toBeUndefined();
    cluster.broker(3).up = cluster.broker(2).up = true;
    await eventually('the end, of the true leader', () => reader.claimsSince(0) > 0);
    late.metadata.close();
  });

  it('brokers that stay behind what was read are a failure that people can see, not a truncation', async () => {
    begin(1);
    await store('a');
    reader = new Reader(fetcher, { nextOffset: asOffset(1), leaderEpoch: 9 });
    await eventually('the failure', () => reader.failure);
    expect(reader.failure).toMatch(/^LOG_UNAVAILABLE: .*leader epoch 5.*epoch 9/);
  });

  it('a log that was cut is LOG_TRUNCATED after looks at different brokers, some time apart', async () => {
    begin(3);
    await store('a', 'b', 'c');
    cluster.log.cut(1);
    cluster.elect({ leader: 2, epoch: 6 });
    const asked = cluster.brokers.map((broker) => broker.count('Metadata'));
    const sinceMs = performance.now();
    reader = new Reader(fetcher, { nextOffset: asOffset(3), leaderEpoch: 5 });
    await eventually('the failure', () => reader.failure);
    expect(reader.failure).toMatch(/^LOG_TRUNCATED: .*ends at 1/);
    expect(performance.now() - sinceMs).toBeGreaterThan(2 * 40);
    const askedSince = cluster.brokers.filter((broker, n) => broker.count('Metadata') > (asked[n] ?? 0));
    expect(askedSince.length).toBeGreaterThan(1);
  });

  it('I2: after an unclean election the log may be longer and yet not hold what was read: LOG_TRUNCATED', async () => {
    begin(3);
    await store('a', 'b');
    // Epoch 6 stored two more, which were read; broker 3 never saw them, and has more of epoch 5.
    const lagging = cluster.log.copy();
    cluster.elect({ leader: 2, epoch: 6 });
    await store('c', 'd');
    for (const value of ['x', 'y', 'z']) lagging.append(cluster.foreignBatch(value), 5);
    for (const broker of cluster.brokers) broker.logs = [lagging];
    cluster.elect({ leader: 3, epoch: 7 });
    reader = new Reader(fetcher, { nextOffset: asOffset(4), leaderEpoch: 6 });
    await eventually('the failure', () => reader.failure);
    expect(reader.failure).toMatch(/^LOG_TRUNCATED: .*epoch 6.*not known/);
    expect(reader.values).toEqual([]);
  });

  it('a deposed leader that calls our place out of range is not believed', async () => {
    begin(3, { staleEpochMs: 20_000 });
    await store('a');
    cutBroker1();
    await store('b', 'c');
    for (const id of [2, 3]) cluster.broker(id).up = false;
    const late = cluster.newcomer();
    fetcher = late.fetcher;
    // A reader without an epoch, as after a rewind: only the range can be asked about.
    reader = new Reader(fetcher, { nextOffset: asOffset(3), leaderEpoch: -1 });
    await pause(500);
    expect(reader.failure).toBeUndefined();
    for (const id of [2, 3]) cluster.broker(id).up = true;
    await eventually('the end, of the true leader', () => reader.claimsSince(0) > 0);
    late.metadata.close();
  });

  it('a place that was never there is OFFSET_OUT_OF_RANGE', async () => {
    begin(3);
    await store('a');
    reader = new Reader(fetcher, { nextOffset: asOffset(7), leaderEpoch: -1 });
    await eventually('the failure', () => reader.failure);
    expect(reader.failure).toMatch(/^OFFSET_OUT_OF_RANGE: .*0 to 1/);
  });

  it('I16: a leader without an address is waited for, without keeping the process busy', async () => {
    begin(2);
    await store('a');
    for (const broker of cluster.brokers) broker.alive = [2];
    const late = cluster.newcomer([2]);
    fetcher = late.fetcher;
    const asked = cluster.broker(2).count('Metadata');
    reader = new Reader(fetcher, start);
    await pause(300);
    expect(cluster.broker(2).count('Metadata') - asked).toBeLessThan(60);
    for (const broker of cluster.brokers) broker.alive = [1, 2];
    await eventually('the record', () => reader.values.includes('a'));
    late.metadata.close();
  });

  it('a topic deleted, made again and refilled past a waiting reader, at the same epoch, is another one', async () => {
    begin(3);
    await store('a', 'b');
    reader = new Reader(fetcher, start);
    await eventually('the end', () => reader.claimsSince(0) > 3);
    const refilled = new StandInLog();
    for (const value of ['x', 'y', 'z']) refilled.append(cluster.foreignBatch(value), 5);
    for (const broker of cluster.brokers) {
      broker.topicId = Buffer.alloc(16, 8);
      broker.logs = [refilled];
    }
    await eventually('the failure', () => reader.failure);
    expect(reader.failure).toMatch(/^LOG_TRUNCATED: .*deleted and created again/);
    expect(reader.values).toEqual(['a', 'b']);
  });

  it('one broker that still speaks of a topic that was deleted does not end the readers of the new one', async () => {
    begin(3);
    cluster.broker(3).topicId = Buffer.alloc(16, 1);
    await store('a');
    reader = new Reader(fetcher, start);
    await eventually('the end', () => reader.claimsSince(0) > 3);
    await pause(300);
    await eventually('it is asked as well', () => cluster.broker(3).count('Metadata') > 2);
    expect(reader.failure).toBeUndefined();
    const laterMs = performance.now();
    await eventually('the end, still', () => reader.claimsSince(laterMs) > 3);
  });
});
