import {
  asOffset,
  asPartition,
  type Clock,
  type Logger,
  messageOf,
  type Offset,
  type Partition,
  pause,
  silentLogger,
  type Timers,
} from '@levee/kernel';
import {
  type Appended,
  type FencedWriter,
  type Log,
  type LogBatch,
  type LogCondition,
  LogFailure,
  type LogPosition,
  type LogRecord,
  type PartitionOffsets,
  systemClock,
  systemTimers,
  type TailOptions,
  type TopicDescription,
  type TopicSpec,
} from '@levee/log';
import type { KafkaConfig } from 'kafkajs';
import { Appender } from './appender';
import { unpackReady } from './compression/unpack';
import { brokerAddress, ClusterMetadata, forbiddenTopic } from './cluster-metadata';
import { Fetcher } from './fetcher';
import { createKafkajsClient, type KafkajsClient } from './kafkajs-client';
import { examineLog } from './log-examination';
import { checkedLimits, type KafkaLogLimits } from './limits';
import { fencingProducerId, freshProducerId } from './producer-ids';
import { kafkaError, kafkaErrorName } from './protocol/error-codes';
import { apis, decodeListOffsets, encodeListOffsets } from './protocol/requests';
import { openHint } from './open-hint';
import { TopicAdmin } from './topic-admin';

export interface KafkaLogOptions {
  /** `host:port` each; one that answers is enough. */
  readonly brokers: readonly string[];
  readonly clientId: string;
  readonly logger?: Logger;
  readonly clock?: Clock;
  readonly timers?: Timers;
  /** Of topics whose spec names none; default: as many as brokers, at most 3. */
  readonly replicationFactor?: number;
  readonly ssl?: KafkaConfig['ssl'];
  readonly sasl?: KafkaConfig['sasl'];
  /** How long `open` tries to reach a broker, ms. */
  readonly openMs?: number;
  readonly limits?: Partial<KafkaLogLimits>;
  /** Gives a hint in the words of who opens it; it is in those of Levee's settings, `KAFKA_TLS_CA` and so on. */
  readonly inOwnWords?: (hint: string) => string;
  /** For tests that stand between us and the broker. */
  readonly socketFactory?: KafkaConfig['socketFactory'];
}

const openMsDefault = 15_000;
/** A broker that starts may not know its users yet: a refusal is believed after this long. */
const refusedMs = 3_000;

/** The log port on Apache Kafka 3.1 or newer. */
export class KafkaLog implements Log {
  readonly description: string;
  private readonly appender: Appender;
  private readonly writers = new Set<Appender>();
  private closing: Promise<void> | undefined;

  private constructor(
    private readonly options: KafkaLogOptions,
    private readonly parts: Parts,
  ) {
    this.description = `kafka ${options.brokers.join(',')}`;
    this.appender = new Appender({ ...parts, fencing: false, acquire: () => freshProducerId(parts) });
  }

  /** Resolves when a broker has answered; throws LOG_UNAVAILABLE when none does within `openMs`. */
  static async open(options: KafkaLogOptions): Promise<KafkaLog> {
    const { logger = silentLogger, clock = systemClock, timers = systemTimers } = options;
    const limits = checkedLimits(options.limits);
    const bootstrap = options.brokers.map(brokerAddress);
    if (bootstrap.length === 0)
      throw new LogFailure('LOG_UNAVAILABLE', 'no broker address: set KAFKA_BROKERS=host:port');
    const client = createKafkajsClient({ ...options, logger, limits });
    const { connection } = client;
    const metadata = new ClusterMetadata({ connection, bootstrap, limits, clock, timers, logger });
    await unpackReady;
    const startedMs = clock.monotonicMs();
    const openMs = options.openMs ?? openMsDefault;
    let brokerCount: number;
    for (;;) {
      try {
        brokerCount = (await metadata.ask([])).brokers.length;
        break;
      } catch (cause) {
        const tooOld = (cause as { code?: string }).code === 'BROKER_TOO_OLD';
        const attempt = { tls: options.ssl !== undefined, sasl: options.sasl !== undefined };
        const hint = openHint(messageOf(cause), attempt);
        const patienceMs = hint?.final === true ? Math.min(openMs, refusedMs) : openMs;
        if (!tooOld && clock.monotonicMs() < startedMs + patienceMs) {
          await pause(timers, limits.retryMsMax);
          continue;
        }
        metadata.close();
        const what = `no Kafka at ${options.brokers.join(',')}: ${messageOf(cause)}`;
        const mend = hint?.mend ?? 'KAFKA_BROKERS; a local one: npm run kafka:start';
        const { inOwnWords = (text) => text } = options;
        throw new LogFailure('LOG_UNAVAILABLE', `${what} (${inOwnWords(mend)})`, { cause });
      }
    }
    const replicationFactor = options.replicationFactor ?? Math.min(3, Math.max(1, brokerCount));
    const admin = new TopicAdmin({
      admin: client.admin(),
      metadata,
      limits,
      clock,
      timers,
      replicationFactor,
      brokers: options.brokers.join(','),
    });
    const fetcher = new Fetcher({ metadata, connection, limits, clock, timers, logger });
    const queue = { bytes: 0 };
    return new KafkaLog(options, { connection, metadata, limits, clock, timers, logger, admin, fetcher, queue });
  }

  ensureTopics(specs: readonly TopicSpec[]): Promise<void> {
    return this.parts.admin.ensure(specs);
  }

  describeTopics(topics?: readonly string[]): Promise<TopicDescription[]> {
    return this.parts.admin.describe(topics);
  }

  examine(topics: readonly string[]): Promise<LogCondition> {
    const { metadata, admin } = this.parts;
    return examineLog({ metadata, brokerSettings: (nodeIds) => admin.brokerSettings(nodeIds) }, topics);
  }

  /** Refused: an offset that no record has cannot be made on a broker. */
  passOver(topic: string, partition: Partition): Promise<void> {
    return Promise.reject(
      new LogFailure(
        'OFFSET_OUT_OF_RANGE',
        `topic ${topic}, partition ${partition}: Kafka's broker gives the offsets, nothing can be passed over there; ` +
          'delete records up to an offset with kafka-delete-records.sh, or append again what was lost',
      ),
    );
  }

  alterTopic(topic: string, settings: Readonly<Record<string, string>>): Promise<void> {
    return this.parts.admin.alter(topic, settings);
  }

  deleteTopics(topics: readonly string[]): Promise<void> {
    return this.parts.admin.delete(topics);
  }

  append(topic: string, partition: Partition, records: readonly LogRecord[]): Promise<Appended> {
    return this.appender.append(topic, partition, records);
  }

  tail(topic: string, partition: Partition, from: LogPosition, options?: TailOptions): AsyncIterable<LogBatch> {
    return this.parts.fetcher.tail(topic, partition, from, options);
  }

  async offsets(topic: string): Promise<PartitionOffsets[]> {
    const starts = await this.listOffsets(topic, startOfLog);
    const ends = new Map(await this.listOffsets(topic, endOfLog));
    return starts.map(([partition, start]) => ({
      partition: asPartition(partition),
      startOffset: asOffset(start),
      endOffset: asOffset(ends.get(partition) ?? start),
    }));
  }

  async offsetAt(topic: string, partition: Partition, timeMs: number): Promise<Offset> {
    const [found] = await this.listOffsets(topic, Math.max(0, Math.ceil(timeMs)), partition);
    if (found !== undefined && found[1] >= 0) return asOffset(found[1]);
    const [end] = await this.listOffsets(topic, endOfLog, partition);
    return asOffset(end?.[1] ?? 0);
  }

  async fencedWriter(id: string): Promise<FencedWriter> {
    const identity = await fencingProducerId(this.parts, id);
    const acquire = (): Promise<typeof identity> => Promise.resolve(identity);
    const appender = new Appender({ ...this.parts, fencing: true, acquire });
    this.writers.add(appender);
    return {
      ...identity,
      append: (topic, partition, records) => appender.append(topic, partition, records),
      close: async () => {
        this.writers.delete(appender);
        await appender.close(this.parts.limits.closeMs);
      },
    };
  }

  close(): Promise<void> {
    this.closing ??= this.closeAll();
    return this.closing;
  }

  /** Numbers for metrics, as of now. */
  stats(): { readonly appendQueueBytes: number; readonly fetchBufferBytes: number; readonly tails: number } {
    const { queue, fetcher } = this.parts;
    return { appendQueueBytes: queue.bytes, fetchBufferBytes: fetcher.buffered.bytes, tails: fetcher.tailCount };
  }

  /** For tests of the int32 wrap: the next batch of this partition carries `sequence`, under a new producer id. */
  beginSequenceAt(topic: string, partition: Partition, sequence: number): void {
    this.appender.beginSequenceAt(topic, partition, sequence);
  }

  private async closeAll(): Promise<void> {
    const { fetcher, metadata, admin, limits } = this.parts;
    fetcher.close();
    await Promise.all([this.appender, ...this.writers].map((appender) => appender.close(limits.closeMs)));
    await admin.close();
    metadata.close();
  }

  /** (partition, offset) of every partition, or of one; asks each leader once, again after leadership errors. */
  private async listOffsets(topic: string, timestampMs: number, only?: Partition): Promise<Array<[number, number]>> {
    const { metadata, limits, clock, timers } = this.parts;
    const untilMs = clock.monotonicMs() + limits.adminMs;
    let reason = 'no answer';
    for (let attempt = 0; ; attempt++) {
      // Every time: somebody else who found the topic missing may have forgotten it meanwhile.
      metadata.watch(topic);
      const known = metadata.topic(topic);
      if (attempt > 0 || known === undefined || known.leaders.length === 0) await metadata.refresh();
      const count = metadata.topic(topic)?.leaders.length ?? 0;
      const absent = metadata.isMissing(topic) || (only !== undefined && count > 0 && only >= count);
      if (absent) {
        const what = count === 0 ? 'the topic does not exist' : `the topic has ${count} partitions`;
        if (count === 0) metadata.forget(topic);
        throw new LogFailure('TOPIC_MISSING', `offsets of ${topic}${only === undefined ? '' : `/${only}`}: ${what}`);
      }
      if (count === 0 && metadata.isForbidden(topic))
        throw new LogFailure('LOG_UNAVAILABLE', `offsets of ${topic}: ${forbiddenTopic}`);
      const partitions = only === undefined ? Array.from({ length: count }, (_, n) => n) : [only as number];
      try {
        if (count > 0) return await this.askLeaders(topic, timestampMs, partitions);
      } catch (error) {
        reason = messageOf(error);
      }
      if (clock.monotonicMs() > untilMs)
        throw new LogFailure('LOG_UNAVAILABLE', `offsets of ${topic}: ${reason}, for ${limits.adminMs} ms`);
      await pause(timers, limits.retryMs);
    }
  }

  private async askLeaders(
    topic: string,
    timestampMs: number,
    partitions: readonly number[],
  ): Promise<Array<[number, number]>> {
    const { metadata } = this.parts;
    const byNode = new Map<number, Array<{ partition: number; leaderEpoch: number; timestampMs: number }>>();
    for (const partition of partitions) {
      const leader = metadata.leaderOf(topic, partition);
      if (leader === undefined) throw new Error(`partition ${partition} has no leader`);
      const queries = byNode.get(leader.nodeId) ?? [];
      queries.push({ partition, leaderEpoch: leader.epoch, timestampMs });
      byNode.set(leader.nodeId, queries);
    }
    const answers = await Promise.all(
      [...byNode].map(async ([nodeId, queries]) => {
        const address = metadata.addressOf(nodeId);
        if (address === undefined) throw new Error(`no address of broker ${nodeId}`);
        const request = encodeListOffsets(topic, queries);
        return decodeListOffsets(await metadata.control(address).send(apis.listOffsets, request));
      }),
    );
    return answers
      .flat()
      .map(({ partition, errorCode, offset }): [number, number] => {
        if (errorCode !== kafkaError.none) throw new Error(kafkaErrorName(errorCode));
        return [partition, offset];
      })
      .sort(([a], [b]) => a - b);
  }
}

const endOfLog = -1;
const startOfLog = -2;

interface Parts {
  readonly connection: KafkajsClient['connection'];
  readonly metadata: ClusterMetadata;
  readonly limits: KafkaLogLimits;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly logger: Logger;
  readonly admin: TopicAdmin;
  readonly fetcher: Fetcher;
  readonly queue: { bytes: number };
}
