import { assert } from '@levee/kernel';
import type { Appended, LogRecord, StoredRecord } from '@levee/log';
import type { Damage } from './damage';
import { decodeRecords, type EntryHead } from './entry';
import type { Place } from './store/log-store';
import type { StoredTopic, TopicRules } from './topic';

export interface TopicLog {
  stored: StoredTopic;
  rules: TopicRules;
  readonly partitions: readonly PartitionLog[];
  deleted: boolean;
}

export interface PendingAppend {
  readonly records: readonly LogRecord[];
  /** Sum of `recordBytes`. */
  readonly bytes: number;
  readonly resolve: (appended: Appended) => void;
  readonly reject: (failure: Error) => void;
}

/** An entry that readers near the end share; decoded at most once. */
export class RecentEntry {
  private decoded: StoredRecord[] | undefined;

  constructor(
    readonly partition: PartitionLog,
    readonly head: EntryHead,
    readonly bytes: Buffer,
  ) {}

  get records(): StoredRecord[] {
    return (this.decoded ??= decodeRecords(this.bytes, this.head));
  }
}

export interface EpochStart {
  readonly epoch: number;
  readonly startOffset: number;
}

/** What the log knows of one partition while it is open. `start`, `end`, `chain` describe what is synced, nothing else. */
export class PartitionLog {
  start = 0;
  end = 0;
  /** Chain value the next entry takes in. */
  chain = 0;
  lastTimestampMs = 0;
  /** Up to here compaction has been; everything above is as it was appended. */
  cleanedTo = 0;
  /** Below here compaction may have dropped records, also where it was interrupted. */
  boundTo = 0;
  /** Estimated bytes of entries above and below `cleanedTo`. */
  dirtyBytes = 0;
  cleanBytes = 0;
  /** When the first stamped tombstones may go. */
  nextHorizonMs = Number.MAX_SAFE_INTEGER;
  /** Confirmed stretches that are known to be gone or unreadable, ascending. */
  damage: readonly Damage[] = [];
  /** How often the slots of the end and of the start were written. */
  endCount = 0;
  startCount = 0;
  /** First offset of each leader epoch that appended anything, ascending. */
  epochs: EpochStart[] = [];
  pending: PendingAppend[] = [];
  queued = false;
  /** Highest epoch of a fenced writer that appended here, by writer id. */
  readonly writerEpochs = new Map<string, number>();
  readonly waiting = new Set<() => void>();
  private recent: RecentEntry[] = [];

  constructor(
    readonly topic: TopicLog,
    readonly number: number,
  ) {}

  get name(): string {
    return `${this.topic.stored.name}/${this.number}`;
  }

  remember(entry: RecentEntry): void {
    assert(entry.head.nextOffset === this.end, 'I15: what is remembered is the newest entry');
    this.recent.push(entry);
  }

  /** Drops its oldest remembered entry. */
  forgetOldest(): void {
    this.recent.shift();
  }

  forgetAll(): void {
    this.recent = [];
  }

  /** Index of the remembered entry that holds `offset`, -1 when it is older than what is remembered. */
  indexOfRecent(offset: number): number {
    const { recent } = this;
    const oldest = recent[0];
    if (oldest === undefined || offset < oldest.head.baseOffset || offset >= this.end) return -1;
    // What was cleaned is read from the database: memory still holds it as it was appended.
    if (offset < this.cleanedTo) return -1;
    let low = 0;
    let high = recent.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      if ((recent[middle] as RecentEntry).head.baseOffset <= offset) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  recentAt(index: number): RecentEntry | undefined {
    return this.recent[index];
  }

  /** Where `epoch` ended: the start of the next epoch that appended, else the end. */
  endOfEpoch(epoch: number): number {
    for (const next of this.epochs) if (next.epoch > epoch) return next.startOffset;
    return this.end;
  }

  wake(): void {
    if (this.waiting.size === 0) return;
    const woken = [...this.waiting];
    this.waiting.clear();
    for (const wake of woken) wake();
  }
}

export const placeOf = ({ topic, number }: PartitionLog): Place => ({ topic: topic.stored.number, partition: number });
