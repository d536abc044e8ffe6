import {
  asOffset,
  asPartition,
  type Clock,
  failureCode,
  type Offset,
  type Partition,
  pause,
  type Timers,
} from '@levee/kernel';
import {
  type LogBatch,
  LogFailure,
  type LogPosition,
  logLimits,
  type StoredRecord,
  type TailOptions,
} from '@levee/log';
import { type ReadEntry, readStretch, type Stretch } from './entry-reader';
import { StoredEntry } from './stored-entry';
import { embeddedLimits } from './limits';
import type { PartitionLog, RecentEntry } from './partition-log';
import type { LogStore } from './store/log-store';

/** What tails share with the log they read. */
export interface TailWorld {
  readonly store: LogStore;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly closed: () => boolean;
  /** Grows whenever the partitions were read anew from the database: positions have to be checked again. */
  readonly generation: () => number;
  readonly onEnd: (tail: EmbeddedTail) => void;
  /** Notes damage that was read; resolves with the error that tells the whole stretch. */
  readonly told: (partition: PartitionLog, error: unknown) => Promise<unknown>;
}

type Step = IteratorResult<LogBatch, undefined>;

const ended: Step = { done: true, value: undefined };
const rereadsMax = 2;

/**
 * Reads one partition. Near the end it hands out the very entries that were just synced, decoded once for all tails;
 * further back it reads the database, one stretch ahead of its user.
 */
export class EmbeddedTail implements AsyncIterableIterator<LogBatch, undefined> {
  private position: number;
  private epoch: number;
  private chain: number | undefined;
  private generation = -1;
  private begun = false;
  private done = false;
  private waiting: { readonly resolve: (step: Step) => void; readonly reject: (error: unknown) => void } | undefined;
  private idleAtMs = 0;
  private cancelTimer: (() => void) | undefined;
  private ahead: { readonly from: number; readonly read: Promise<Stretch> } | undefined;
  private readonly bytesMax: number;
  private readonly idleMs: number;

  constructor(
    private readonly world: TailWorld,
    private readonly partition: PartitionLog,
    from: LogPosition,
    private readonly options: TailOptions,
  ) {
    this.position = from.nextOffset;
    this.epoch = from.leaderEpoch;
    this.bytesMax = options.bytesMax ?? logLimits.tailBytesMaxDefault;
    this.idleMs = options.idleMs ?? logLimits.idleMsDefault;
    options.signal?.addEventListener('abort', this.end);
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<Step> {
    try {
      if (this.finished()) return Promise.resolve(ended);
      if (this.waiting !== undefined) throw new Error('one next() of a tail at a time');
      const step = this.step();
      if (step !== undefined) return Promise.resolve(step);
      if (this.position < this.partition.end) return this.fromStore().catch(this.fail);
      return this.wait();
    } catch (error) {
      this.end();
      return Promise.reject(error as Error);
    }
  }

  return(): Promise<Step> {
    this.end();
    return Promise.resolve(ended);
  }

  /** Ends the iteration: what waits gets `done`. */
  readonly end = (): void => {
    if (this.done) return;
    this.done = true;
    this.options.signal?.removeEventListener('abort', this.end);
    this.partition.waiting.delete(this.wake);
    this.cancelTimer?.();
    this.cancelTimer = undefined;
    this.ahead = undefined;
    this.world.onEnd(this);
    const waiting = this.waiting;
    this.waiting = undefined;
    waiting?.resolve(ended);
  };

  private readonly fail = (error: unknown): never => {
    this.end();
    throw error;
  };

  private finished(): boolean {
    if (!this.done && (this.options.signal?.aborted === true || this.world.closed())) this.end();
    return this.done;
  }

  /** A batch that needs no waiting, or `undefined`. */
  private step(): Step | undefined {
    const { partition } = this;
    this.checkPosition();
    if (this.position < partition.end) {
      const index = this.options.stored === true ? -1 : partition.indexOfRecent(this.position);
      return index < 0 ? undefined : this.fromMemory(index);
    }
    if (this.begun) return undefined;
    return this.batch([], this.position);
  }

  private checkPosition(): void {
    const { partition, position } = this;
    if (partition.topic.deleted) throw topicMissing(partition.topic.stored.name, partition.number);
    if (this.generation !== this.world.generation()) {
      this.generation = this.world.generation();
      this.chain = undefined;
      this.ahead = undefined;
      const seen = this.epoch >= 0 && position > 0;
      const endOfSeen = seen ? partition.endOfEpoch(this.epoch) : Infinity;
      if (position > endOfSeen)
        throw new LogFailure(
          'LOG_TRUNCATED',
          `${this.where()}: the log lost what was read: leader epoch ${this.epoch} ends at offset ${endOfSeen}, ` +
            `the reader stands at ${position}; read again from the start`,
          { details: { cutOffset: endOfSeen } },
        );
    }
    if (position < partition.start || position > partition.end)
      throw new LogFailure(
        'OFFSET_OUT_OF_RANGE',
        `${this.where()}: offset ${position} is outside of ${partition.start}..${partition.end}`,
        { details: { startOffset: partition.start, endOffset: partition.end } },
      );
  }

  private fromMemory(first: number): Step {
    const { partition } = this;
    let entry = partition.recentAt(first) as RecentEntry;
    let records: readonly StoredRecord[] = entry.records;
    if (entry.head.baseOffset < this.position) records = records.filter((record) => record.offset >= this.position);
    let bytes = entry.bytes.length;
    let joined: StoredRecord[] | undefined;
    for (let index = first + 1; bytes < this.bytesMax; index++) {
      const next = partition.recentAt(index);
      if (next === undefined) break;
      bytes += next.bytes.length;
      if (bytes > this.bytesMax) break;
      joined ??= records.slice();
      for (const record of next.records) joined.push(record);
      entry = next;
    }
    this.ahead = undefined;
    this.epoch = entry.head.epoch;
    this.chain = entry.head.chainOut;
    return this.batch(joined ?? records, entry.head.nextOffset);
  }

  private batch(records: readonly StoredRecord[], nextOffset: number, entries: readonly ReadEntry[] = []): Step {
    const { partition } = this;
    const firstOffset = asOffset(this.position);
    this.position = nextOffset;
    this.begun = true;
    return {
      done: false,
      value: {
        topic: partition.topic.stored.name,
        partition: asPartition(partition.number),
        firstOffset,
        nextOffset: asOffset(nextOffset),
        leaderEpoch: this.epoch,
        endOffset: asOffset(partition.end),
        records,
        ...(records.length < nextOffset - firstOffset ? { missingBelow: asOffset(nextOffset) } : undefined),
        ...(this.options.stored === true ? this.asStored(entries) : undefined),
      },
    };
  }

  /** One process at a time reads and cleans it: its generation is what a leader's epoch is elsewhere. */
  private asStored(entries: readonly ReadEntry[]): Pick<LogBatch, 'stored' | 'readUnderEpoch'> {
    const stored = entries.map((entry) => new StoredEntry(entry));
    return { stored, readUnderEpoch: this.generation };
  }

  private wait(): Promise<Step> {
    this.idleAtMs = this.world.clock.monotonicMs() + this.idleMs;
    if (this.cancelTimer === undefined) this.armIdle(this.idleMs);
    this.partition.waiting.add(this.wake);
    return new Promise((resolve, reject) => {
      this.waiting = { resolve, reject };
    });
  }

  /** One timer outlives many waits: restarting it for each batch would cost more than the batch. */
  private armIdle(delayMs: number): void {
    this.cancelTimer = this.world.timers.after(Math.max(1, delayMs), () => {
      this.cancelTimer = undefined;
      if (this.waiting === undefined) return;
      const leftMs = this.idleAtMs - this.world.clock.monotonicMs();
      if (leftMs > 1) return this.armIdle(leftMs);
      this.answer(() => this.batch([], this.position));
    });
  }

  /** The partition grew, was deleted, or was read anew. */
  private readonly wake = (): void => {
    if (this.waiting === undefined) return;
    this.answer(() => this.step());
  };

  private answer(make: () => Step | undefined): void {
    const waiting = this.waiting;
    if (waiting === undefined) return;
    this.waiting = undefined;
    this.partition.waiting.delete(this.wake);
    try {
      const step = make();
      if (step !== undefined) waiting.resolve(step);
      else this.next().then(waiting.resolve, waiting.reject);
    } catch (error) {
      this.end();
      waiting.reject(error);
    }
  }

  private async fromStore(): Promise<Step> {
    const askedAtMs = this.world.clock.monotonicMs();
    for (let rereads = 0; ;) {
      try {
        const ahead = this.ahead;
        this.ahead = undefined;
        const stretch = ahead?.from === this.position ? await ahead.read : await this.read(this.position, this.chain);
        if (this.finished()) return ended;
        this.epoch = stretch.epoch;
        this.chain = stretch.chain;
        this.begun = true;
        const step = this.batch(stretch.records, stretch.nextOffset, stretch.entries);
        this.readAhead();
        return step;
      } catch (error) {
        if (this.finished()) return ended;
        const corrupt = failureCode(error) === 'RECORD_CORRUPT';
        const lateMs = this.world.clock.monotonicMs() - askedAtMs;
        // A cleaning may have replaced entries between two looks, and a transfer may have been damaged: look again.
        if (corrupt ? ++rereads > rereadsMax : lateMs > (this.options.unavailableMs ?? Infinity)) {
          throw corrupt ? await this.world.told(this.partition, error) : unavailable(this.where(), error);
        }
        if (!corrupt) await pause(this.world.timers, embeddedLimits.rereadMs);
        if (this.finished()) return ended;
        const step = this.step();
        if (step !== undefined) return step;
        if (this.position >= this.partition.end) return this.wait();
      }
    }
  }

  private read(from: number, chain: number | undefined): Promise<Stretch> {
    const { partition, bytesMax } = this;
    const wants = this.options.stored === true ? ('entries' as const) : 'records';
    return readStretch(this.world.store, partition, { from, until: partition.end, bytesMax, chain, wants });
  }

  /** While the user works on the last stretch. */
  private readAhead(): void {
    const { partition, position } = this;
    const inMemory = this.options.stored !== true && partition.indexOfRecent(position) >= 0;
    if (position >= partition.end || inMemory) return;
    const read = this.read(position, this.chain);
    read.catch(() => undefined);
    this.ahead = { from: position, read };
  }

  private where(): string {
    return `topic ${this.partition.topic.stored.name}, partition ${this.partition.number}`;
  }
}

function unavailable(where: string, cause: unknown): LogFailure {
  return new LogFailure('LOG_UNAVAILABLE', `${where}: the log's database cannot be read`, { cause });
}

export function topicMissing(topic: string, partition?: Partition | Offset | number): LogFailure {
  return new LogFailure(
    'TOPIC_MISSING',
    partition === undefined
      ? `topic ${topic} does not exist: create it with ensureTopics`
      : `topic ${topic} has no partition ${partition}, or does not exist: create it with ensureTopics`,
  );
}
