import type { Partition } from '@levee/kernel';
import type {
  Appended,
  FencedWriter,
  Log,
  LogBatch,
  LogCondition,
  LogDamage,
  LogPosition,
  LogRecord,
  PartitionOffsets,
  PassedStretch,
  TailOptions,
  TopicDescription,
  TopicSpec,
} from '@levee/log';
import type { Offset } from '@levee/kernel';

/** A log that a test bends: `onTail` may throw instead of a tail, `onBatch` may change what a tail gives. */
export class BentLog implements Log {
  onTail: (topic: string, partition: Partition, from: LogPosition) => void = () => undefined;
  onBatch: (batch: LogBatch) => LogBatch = (batch) => batch;
  onAppend: (topic: string, records: readonly LogRecord[]) => void = () => undefined;
  onOffsets: (topic: string, offsets: PartitionOffsets[]) => PartitionOffsets[] = (_, offsets) => offsets;

  /** Between an answer about offsets and who asked for it. */
  onOffsetsAnswered: (topic: string) => Promise<void> = () => Promise.resolve();

  /** Before a question about topics is answered. */
  onDescribe: (topics: readonly string[]) => Promise<void> = () => Promise.resolve();

  /** Topics that another log answers for: an older copy of theirs, say. */
  readonly instead = new Map<string, Log>();

  /** What it says of itself, besides what is true. */
  damage: readonly LogDamage[] = [];
  /** As on Kafka: what is damaged is known to nobody who did not read it. */
  knowsNoDamage = false;

  constructor(private readonly log: Log) {}

  private of(topic: string): Log {
    return this.instead.get(topic) ?? this.log;
  }

  get description(): string {
    return this.log.description;
  }
  ensureTopics(specs: readonly TopicSpec[]): Promise<void> {
    return this.log.ensureTopics(specs);
  }
  async describeTopics(topics?: readonly string[]): Promise<TopicDescription[]> {
    await this.onDescribe(topics ?? []);
    return this.log.describeTopics(topics);
  }
  async examine(topics: readonly string[]): Promise<LogCondition> {
    const conditions = await Promise.all([this.log, ...this.instead.values()].map((log) => log.examine(topics)));
    const damage = this.knowsNoDamage ? [] : conditions.flatMap((each) => each.damage);
    return { ...(conditions[0] as LogCondition), damage: [...damage, ...this.damage] };
  }
  alterTopic(topic: string, settings: Readonly<Record<string, string>>): Promise<void> {
    return this.log.alterTopic(topic, settings);
  }
  passOver(topic: string, partition: Partition, stretch: PassedStretch): Promise<void> {
    return this.of(topic).passOver(topic, partition, stretch);
  }
  deleteTopics(topics: readonly string[]): Promise<void> {
    return this.log.deleteTopics(topics);
  }
  async append(topic: string, partition: Partition, records: readonly LogRecord[]): Promise<Appended> {
    this.onAppend(topic, records);
    return this.of(topic).append(topic, partition, records);
  }
  async *tail(topic: string, partition: Partition, from: LogPosition, options?: TailOptions): AsyncIterable<LogBatch> {
    this.onTail(topic, partition, from);
    for await (const batch of this.of(topic).tail(topic, partition, from, options)) yield this.onBatch(batch);
  }
  async offsets(topic: string): Promise<PartitionOffsets[]> {
    const answer = this.onOffsets(topic, await this.of(topic).offsets(topic));
    await this.onOffsetsAnswered(topic);
    return answer;
  }
  offsetAt(topic: string, partition: Partition, timeMs: number): Promise<Offset> {
    return this.of(topic).offsetAt(topic, partition, timeMs);
  }
  fencedWriter(id: string): Promise<FencedWriter> {
    return this.log.fencedWriter(id);
  }
  close(): Promise<void> {
    return Promise.resolve();
  }
}
