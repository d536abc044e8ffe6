import { Failure, type Offset, type Partition } from '@levee/kernel';

/**
 * The log as Levee sees it: topics of partitions of records, appended in order, read in order.
 * Two adapters promise the same words: `log-kafka` and `log-embedded`; `logContract` holds both to them.
 *
 * Not promised: transactions, consumer groups, compare-and-append, order across partitions, that a compacted topic
 * still holds any record but the last of each key.
 */
export interface Log {
  /** For messages: `kafka 127.0.0.1:9092` or `embedded /var/lib/levee/log`. */
  readonly description: string;

  /**
   * Creates the topics that are missing; leaves existing ones untouched. Idempotent.
   * An existing topic with another partition count or another required setting fails with TOPIC_MISCONFIGURED,
   * whose message names the topic, what it is, what it must be, and the command that mends it.
   */
  ensureTopics(specs: readonly TopicSpec[]): Promise<void>;

  /** What exists under these names; a missing topic is left out. Without names: every topic. */
  describeTopics(topics?: readonly string[]): Promise<TopicDescription[]>;

  /**
   * What is wrong with the log itself, as far as these topics show it; a missing topic is left out. A snapshot for
   * people and alarms, taken from what the brokers say now. Fails with LOG_UNAVAILABLE.
   */
  examine(topics: readonly string[]): Promise<LogCondition>;

  /**
   * Sets these settings of a topic and leaves the others as they are; resolves when they are in force. Idempotent.
   * Fails with TOPIC_MISSING, and with TOPIC_MISCONFIGURED for a setting or value that there is not.
   */
  alterTopic(topic: string, settings: Readonly<Record<string, string>>): Promise<void>;

  /**
   * An operator's decision to go on without a stretch of a partition that is damaged (`LogCondition.damage`) or lies
   * above its end: from now on it is a gap like one that compaction leaves, and readers pass over it. The partition's
   * end becomes at least `endOffset`, so that the next record gets an offset that nobody has ever seen. Durable and
   * idempotent. Fails with OFFSET_OUT_OF_RANGE where the stretch holds readable records, and on Kafka always: offsets
   * there are the broker's.
   */
  passOver(topic: string, partition: Partition, stretch: PassedStretch): Promise<void>;

  /** Deletes topics with their records; a missing one is no error. */
  deleteTopics(topics: readonly string[]): Promise<void>;

  /**
   * Appends `records` next to each other, in order, exactly once while this process lives, and resolves when they are
   * durable and committed. Calls for one partition keep their order: when a call fails, a later call may still succeed.
   * At most `appendQueueBytesMax` wait per log; beyond that the call fails definitely with LOG_UNAVAILABLE.
   *
   * Fails with TOO_LARGE (an append of no records too), TOPIC_MISCONFIGURED (a record that the topic does not take: one
   * without a key in a compacted topic), TOPIC_MISSING, LOG_UNAVAILABLE, FENCED: definite, nothing was or will be
   * written, and nothing of other calls is touched by it.
   * Fails with OUTCOME_UNKNOWN: the records may or may not appear, now or later.
   */
  append(topic: string, partition: Partition, records: readonly LogRecord[]): Promise<Appended>;

  /**
   * Committed records from `from.nextOffset` on, for ever, until `signal` aborts (then the iteration just ends).
   * The next batch is asked for while the last one is worked on; memory per tail is bounded by `options.bytesMax`.
   * The first batch comes promptly even when the partition is empty; while the tail stands at the end, an empty batch
   * comes at least every `idleMs`, as proof that it still does. Gaps (compaction, control batches) are normal.
   *
   * Throws OFFSET_OUT_OF_RANGE (below the start, or above the end), LOG_TRUNCATED (the log no longer holds what
   * `from.leaderEpoch` had seen below `from.nextOffset`; `details.cutOffset` is where that epoch ends now, if the log
   * knows it: below it the log holds what the reader has seen, above it what was written later), RECORD_CORRUPT (after
   * re-reading), TOPIC_MISSING, LOG_UNAVAILABLE (after `unavailableMs` of trying, and when all that answers has long
   * been behind `from.leaderEpoch`: that proves no truncation). Never jumps. The details of a RECORD_CORRUPT name the
   * stretch that cannot be read, `from` and `to`, where the log knows it: what begins at `to` can be read.
   */
  tail(topic: string, partition: Partition, from: LogPosition, options?: TailOptions): AsyncIterable<LogBatch>;

  /** First and end offset of every partition. A snapshot, no promise about leadership: no basis of a strong read. */
  offsets(topic: string): Promise<PartitionOffsets[]>;

  /** Offset of the first record with append time >= `timeMs`, or the end when there is none. */
  offsetAt(topic: string, partition: Partition, timeMs: number): Promise<Offset>;

  /**
   * Takes the writer identity `id` for this process: from the first append of the new writer to a partition on,
   * every older writer of the same id gets FENCED there.
   */
  fencedWriter(id: string): Promise<FencedWriter>;

  /** Ends every tail, finishes or fails what is under way within `closeMs`, releases files and connections. */
  close(): Promise<void>;
}

export interface FencedWriter {
  readonly producerId: number;
  readonly epoch: number;
  append(topic: string, partition: Partition, records: readonly LogRecord[]): Promise<Appended>;
  close(): Promise<void>;
}

export interface LogHeader {
  readonly key: string;
  readonly value: Buffer;
}

export interface LogRecord {
  readonly key: Buffer | null;
  /** `null` is a tombstone: it deletes the key in a compacted topic. */
  readonly value: Buffer | null;
  readonly headers?: readonly LogHeader[];
}

export interface StoredRecord {
  readonly offset: Offset;
  /** Append time by the broker's clock (topics have `message.timestamp.type=LogAppendTime`), ms since 1970. */
  readonly timestampMs: number;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  /** Empty for nearly all records; the same frozen array each time. */
  readonly headers: readonly LogHeader[];
}

/** Key and value of its records point into one buffer: copy what outlives the batch's handling. */
export interface LogBatch {
  readonly topic: string;
  readonly partition: Partition;
  /** Where the reader stood. */
  readonly firstOffset: Offset;
  /** Where the reader stands after this batch; never falls, and may grow without records. */
  readonly nextOffset: Offset;
  /** Leader epoch of the newest record batch seen; -1 while none was. */
  readonly leaderEpoch: number;
  /**
   * End of committed records when this batch was fetched; `nextOffset >= endOffset` means: at the end. A leader may have
   * been deposed without knowing it, so its word is believed only as long as somebody else confirms that it leads, every
   * few seconds; without that `endOffset` stays above `nextOffset`, and no empty batch comes.
   */
  readonly endOffset: Offset;
  /**
   * Monotonic ms of the reader's clock at which the end was asked for: the partition ended at `endOffset` then, or later.
   * A process that was stopped meanwhile, or a reader that took long, finds an old answer. Absent: just now.
   */
  readonly endAskedMs?: number;
  /**
   * Only while somebody's open transaction holds records back: where the durable records end, above `endOffset`. Who
   * stands at `endOffset` then has not read everything that was acknowledged.
   */
  readonly withheldTo?: Offset;
  readonly records: readonly StoredRecord[];
  /**
   * Below it, and not below `firstOffset`, some offset was not seen: compaction removed its record before the reader came.
   * Absent: every offset of the batch was seen, as a record or as something that readers are not told (the end of a
   * transaction, records of an aborted one). Not with {@link TailOptions.stored}.
   */
  readonly missingBelow?: Offset;
  /** Only with {@link TailOptions.stored}, and then instead of `records`, which are none. */
  readonly stored?: readonly StoredBatch[];
  /** With `stored`: leader epoch of the partition under which it was read. */
  readonly readUnderEpoch?: number;
  /** Ascending; only for readers that take them: see {@link TailOptions.takesBadStretches}. */
  readonly badStretches?: readonly BadStretch[];
}

/** One batch of a partition as it is stored: what an auditor needs beside the records. */
export interface StoredBatch {
  readonly baseOffset: Offset;
  /** It covers `[baseOffset, nextOffset)`; offsets before it that no batch covers are missing. */
  readonly nextOffset: Offset;
  readonly leaderEpoch: number;
  /** control: a transaction's end. void: of a transaction that was aborted; readers never see its records. */
  readonly kind: 'data' | 'control' | 'void';
  /** Records it still holds. Fewer than its offsets: compaction removed the others, of which nothing else is known. */
  readonly recordCount: number;
  /** Whose clock its times are of: the log's, or its producer's. */
  readonly timestampType: 'append' | 'create';
  /** Highest time of its records, of those that compaction removed too, as far as the log still knows. */
  readonly timestampMs: number;
  /** All of its records have that time. */
  readonly oneTime: boolean;
  /** By what its records are compressed: `none`, or Kafka's word for the codec. */
  readonly compression: string;
  /** As it is stored. */
  readonly bytes: number;
  /** Its checksum (CRC-32C), which was checked. */
  readonly crc: number;
  /** Of the idempotent producer that wrote it, -1 for none and where the log does not say. */
  readonly producerId: number;
  readonly producerEpoch: number;
  /**
   * Decodes its records, void ones too, in the order of their offsets; with `key` only those of it, which is quick.
   * Fails with RECORD_CORRUPT. Call it before the next batch is asked for.
   */
  records(key?: Buffer): readonly StoredRecord[];
}

/**
 * `[fromOffset, toOffset)` is in the log as its producer sent it and cannot be read: compressed by an unknown codec,
 * damaged before it was sent, or it would unpack to more than anybody may hold. What it would say of which keys is
 * unknown, for every reader alike.
 */
export interface BadStretch {
  readonly fromOffset: Offset;
  readonly toOffset: Offset;
  readonly timestampMs: number;
  /** In words: what is wrong with it. */
  readonly what: string;
  /** As they are stored; part of a larger buffer, as keys and values are. */
  readonly bytes: Buffer;
}

export interface LogPosition {
  readonly nextOffset: Offset;
  /** Leader epoch of the last batch applied, -1 when unknown or at the very start: then truncation is not checked. */
  readonly leaderEpoch: number;
}

export interface TailOptions {
  readonly signal?: AbortSignal;
  /** Most bytes of fetched, not yet handled record batches of this tail (default 1 MiB; one batch always passes). */
  readonly bytesMax?: number;
  /** Longest time at the end without an (empty) batch, default 500. */
  readonly idleMs?: number;
  /**
   * The reader is in no hurry: records may come so much later, at most half of `idleMs`, and more of them together. A
   * broker is then asked once for what many small appends brought, instead of once for each; default 0.
   */
  readonly gatherMs?: number;
  /** For auditors: {@link LogBatch.stored} instead of records. The first batch may begin below the position. */
  readonly stored?: boolean;
  /**
   * The reader goes on behind a stretch that nobody can ever read, and tells people of it ({@link LogBatch.badStretches}).
   * Without it such a stretch is RECORD_CORRUPT: right where every record counts, as in the journal.
   */
  readonly takesBadStretches?: boolean;
  /**
   * The very topic ({@link TopicDescription.topicId}): one that was deleted and created again under the same name is never
   * read, not even once. While the name belongs to another topic, or to none, this one is TOPIC_MISSING.
   */
  readonly topicId?: string;
  /** How long the log may be out of reach before the tail throws LOG_UNAVAILABLE; default: for ever. */
  readonly unavailableMs?: number;
}

export interface PartitionOffsets {
  readonly partition: Partition;
  readonly startOffset: Offset;
  readonly endOffset: Offset;
  /** From here on nothing was ever removed by compaction, where the log knows that; else absent. */
  readonly cleanedBelow?: Offset;
}

export interface Appended {
  /** Offset of the first record; the others follow without gaps. */
  readonly baseOffset: Offset;
}

export interface TopicSpec {
  readonly name: string;
  readonly partitions: number;
  /** Broker settings in Kafka's names and words; `replication.factor` is not one of them. */
  readonly settings: Readonly<Record<string, string>>;
  /** Defaults to the adapter's configured factor. */
  readonly replicationFactor?: number;
}

export interface TopicDescription {
  readonly name: string;
  /** Changes when the topic is deleted and created again. */
  readonly topicId: string;
  readonly partitions: number;
  readonly replicationFactor: number;
  readonly settings: Readonly<Record<string, string>>;
}

/** `[fromOffset, toOffset)`. */
export interface PassedStretch {
  readonly fromOffset: Offset;
  readonly toOffset: Offset;
  readonly endOffset?: Offset;
}

/** `[fromOffset, toOffset)` was confirmed and is gone or cannot be read. */
export interface LogDamage {
  readonly topic: string;
  readonly partition: Partition;
  readonly fromOffset: Offset;
  readonly toOffset: Offset;
  /** In words: what is wrong with it. */
  readonly what: string;
}

/** How the log itself is: what no topic's settings tell. */
export interface LogCondition {
  /** Empty where there are none to speak of. */
  readonly brokers: readonly BrokerCondition[];
  /** Those without a leader, or with fewer replicas in sync than they have. */
  readonly weakPartitions: readonly WeakPartition[];
  /** Transactions that hold records back from readers. */
  readonly openTransactions: readonly OpenTransaction[];
  /** Confirmed stretches that the log knows to be gone or unreadable; {@link Log.passOver} goes on without one. */
  readonly damage: readonly LogDamage[];
}

export interface BrokerCondition {
  readonly nodeId: number;
  /** `undefined`: a replica of a partition is on it, but it is not part of the cluster now. */
  readonly address: string | undefined;
  /** Settings that bear on durability and on readers, in Kafka's names. */
  readonly settings: Readonly<Record<string, string>>;
}

export interface WeakPartition {
  readonly topic: string;
  readonly partition: Partition;
  readonly hasLeader: boolean;
  readonly replicas: number;
  readonly inSync: number;
}

export interface OpenTransaction {
  readonly topic: string;
  readonly partition: Partition;
  readonly producerId: number;
  readonly producerEpoch: number;
  /** `undefined`: no broker knows the transaction any more; only an operator can end it. */
  readonly transactionalId: string | undefined;
  /** Of its first record: committed readers stop here. */
  readonly startOffset: Offset;
  /** Records from `startOffset` to here wait for its end. */
  readonly withheldTo: Offset;
  /** When it last wrote here, by the broker's clock, ms since 1970. */
  readonly lastAppendMs: number;
}

/** The closed list of what can go wrong with a log. */
export type LogFailureCode =
  | 'OFFSET_OUT_OF_RANGE'
  | 'LOG_TRUNCATED'
  | 'RECORD_CORRUPT'
  | 'FENCED'
  | 'OUTCOME_UNKNOWN'
  | 'TOPIC_MISSING'
  | 'TOPIC_MISCONFIGURED'
  | 'TOO_LARGE'
  | 'LOG_UNAVAILABLE';

export class LogFailure extends Failure<LogFailureCode> {
  override readonly name = 'LogFailure';
}

/** True when a failed append certainly wrote nothing and never will. */
export function isDefinite(code: LogFailureCode): boolean {
  return code !== 'OUTCOME_UNKNOWN';
}

export const noHeaders: readonly LogHeader[] = Object.freeze([]);

export const logLimits = {
  /** One record (key + value): what the journal's `max.message.bytes` of 8 MiB takes; other topics allow less. */
  recordBytesMax: 8 * 1024 * 1024 - 64 * 1024,
  /** Waiting and unanswered appends of one log: beyond it callers are slowed down by definite failures. */
  appendQueueBytesMax: 64 * 1024 * 1024,
  /** After this long without an answer an append's outcome is said to be unknown. */
  appendDeadlineMs: 120_000,
  tailBytesMaxDefault: 1024 * 1024,
  idleMsDefault: 500,
  closeMs: 10_000,
} as const;
