import { asOffset, type Clock, messageOf, type Timers } from '@levee/kernel';
import { LogFailure, logLimits } from '@levee/log';
import { encodeFreshEntry, type EntryHead, entryHeadBytes } from './entry';
import { Gathering } from './gathering';
import { GroupOrder } from './group-order';
import { entryKey } from './keys';
import { embeddedLimits } from './limits';
import { type PartitionLog, type PendingAppend, RecentEntry } from './partition-log';
import { endWrite, epochWrite } from './registers';
import { type LogStore, put, type StoreWrite } from './store/log-store';

/** What a synced batch makes true of one partition. */
interface Advance {
  readonly partition: PartitionLog;
  readonly entries: readonly RecentEntry[];
  readonly appends: readonly PendingAppend[];
  readonly chain: number;
  readonly end: number;
  readonly timestampMs: number;
  readonly newEpoch: boolean;
}

export interface CommitStats {
  /** Synced batches, appends and records so far. */
  syncs: number;
  appends: number;
  records: number;
  /** Waiting and unanswered bytes. */
  queuedBytes: number;
}

/**
 * Group commit: what arrives in one turn of the event loop, or while a sync is under way, becomes one atomic, synced
 * batch. Callers hear of success, and readers see the records, only after the sync (I2): what was shown once is there
 * after power loss.
 */
export class GroupCommit {
  private queue: PartitionLog[] = [];
  private writing: Promise<void> | undefined;
  private scheduled = false;
  /** Records that wait for the next batch. */
  private waiting = 0;
  private readonly gathering: Gathering;
  private readonly order = new GroupOrder();
  private recentBytes = 0;
  private readonly recent: RecentEntry[] = [];
  private recentHead = 0;
  readonly stats: CommitStats = { syncs: 0, appends: 0, records: 0, queuedBytes: 0 };

  constructor(
    private readonly store: LogStore,
    private readonly clock: Clock,
    private readonly timers: Timers,
    private readonly world: {
      /** The leader epoch of this opening. */
      readonly epoch: () => number;
      /** A write failed or hangs: `ended` resolves when the database has let go of it. */
      readonly onFailure: (failure: LogFailure, ended: Promise<void>) => void;
    },
  ) {
    this.gathering = new Gathering(clock, timers, () => this.schedule());
  }

  add(partition: PartitionLog, append: PendingAppend): void {
    this.stats.queuedBytes += append.bytes;
    this.waiting += append.records.length;
    partition.pending.push(append);
    if (!partition.queued) {
      partition.queued = true;
      this.queue.push(partition);
    }
    if (!this.scheduled && this.writing === undefined) this.gathering.consider(this.waiting);
  }

  /** Resolves when nothing is waiting or under way. */
  async idle(): Promise<void> {
    while (this.writing !== undefined || this.scheduled || this.queue.length > 0) {
      if (this.writing === undefined) this.schedule();
      await (this.writing ?? new Promise<void>((resolve) => setImmediate(resolve)));
    }
  }

  /** Fails what has not been handed to the database: certainly nothing of it was written. */
  failQueued(failure: LogFailure): void {
    const queue = this.queue;
    this.queue = [];
    this.gathering.stop();
    for (const partition of queue) {
      partition.queued = false;
      this.failPartition(partition, failure);
    }
  }

  /** Resolves when the batch under way, if any, is done. */
  async settled(): Promise<void> {
    await this.writing;
  }

  /** As {@link failQueued}, for one partition. */
  failPartition(partition: PartitionLog, failure: LogFailure): void {
    for (const append of partition.pending.splice(0)) {
      this.waiting -= append.records.length;
      this.settle(append).reject(failure);
    }
  }

  /** Forgets remembered entries, because the partitions are read anew from the database. */
  forgetRecent(): void {
    for (const entry of this.recent.splice(0)) entry.partition.forgetAll();
    this.recentHead = 0;
    this.recentBytes = 0;
  }

  /** After the poll phase, so that all sockets of this turn have been read. */
  private schedule(): void {
    if (this.scheduled) return;
    this.scheduled = true;
    setImmediate(() => {
      this.scheduled = false;
      if (this.queue.length > 0 && this.writing === undefined) this.writing = this.run();
    });
  }

  /** Does `work` while nothing is appended. */
  async hold<T>(work: () => Promise<T>): Promise<T> {
    while (this.writing !== undefined) await this.writing;
    const held = work();
    this.writing = held.then(
      () => this.next(),
      () => this.next(),
    );
    return held;
  }

  /** An entry that was written past the queue: readers near the end have it too. Only while it is held. */
  adopt(partition: PartitionLog, entry: RecentEntry): void {
    partition.end = entry.head.nextOffset;
    partition.chain = entry.head.chainOut;
    this.remember(entry);
    this.forget();
    partition.wake();
  }

  private next(): void {
    this.writing = undefined;
    if (this.queue.length > 0 && !this.scheduled) this.gathering.consider(this.waiting);
  }

  private async run(): Promise<void> {
    // Not a loop over the queue: between two batches the callers just answered get a turn to append again.
    const writes: StoreWrite[] = [];
    const advances = this.takeGroup(writes);
    if (advances.length === 0) {
      await Promise.resolve();
      return this.next();
    }
    let answered = false;
    const written = this.store.write(writes);
    const cancelDeadline = this.timers.after(logLimits.appendDeadlineMs, () => {
      answered = true;
      this.giveUp(advances, `no answer for ${logLimits.appendDeadlineMs} ms`, written);
    });
    try {
      await written;
      if (!answered) this.commit(advances);
    } catch (error) {
      if (!answered) this.giveUp(advances, messageOf(error), Promise.resolve(), error);
    } finally {
      cancelDeadline();
      this.next();
    }
  }

  private takeGroup(writes: StoreWrite[]): Advance[] {
    const advances: Advance[] = [];
    const later = new Set<PartitionLog>();
    const more: PartitionLog[] = [];
    let room: number = embeddedLimits.groupBytesMax;
    for (const partition of this.order.next(this.queue)) {
      const [first] = partition.pending;
      if (first === undefined) {
        partition.queued = false;
        continue;
      }
      if (advances.length > 0 && first.bytes > room) {
        later.add(partition);
        continue;
      }
      const advance = this.tryAdvance(partition, room, writes);
      if (advance === undefined) continue;
      for (const entry of advance.entries) room -= entry.bytes.length;
      if (partition.pending.length > 0) more.push(partition);
      else partition.queued = false;
      advances.push(advance);
    }
    // Who had no part in this batch comes before those who have some more.
    this.queue = later.size === 0 ? more : [...this.queue.filter((one) => later.has(one)), ...more];
    return advances;
  }

  /** Appends that no entry can be made of fail alone; they must not stop what waits after them. */
  private tryAdvance(partition: PartitionLog, room: number, writes: StoreWrite[]): Advance | undefined {
    const { endCount } = partition;
    const written = writes.length;
    try {
      return this.advance(partition, room, writes);
    } catch (error) {
      writes.length = written;
      partition.endCount = endCount;
      partition.queued = false;
      const what = `an append to ${partition.name} cannot be encoded (${messageOf(error)}): nothing was written`;
      this.failPartition(partition, new LogFailure('LOG_UNAVAILABLE', what, { cause: error }));
      return undefined;
    }
  }

  /** Turns waiting appends of `partition` into entries of at most `room` bytes (one append always passes). */
  private advance(partition: PartitionLog, room: number, writes: StoreWrite[]): Advance {
    const epoch = this.world.epoch();
    const topicNumber = partition.topic.stored.number;
    const timestampMs = Math.max(partition.lastTimestampMs, Math.floor(this.clock.nowMs()));
    const newEpoch = partition.epochs.at(-1)?.epoch !== epoch;
    if (newEpoch) writes.push(epochWrite(partition, epoch, partition.end));
    const { pending } = partition;
    const entries: RecentEntry[] = [];
    let { end, chain } = partition;
    let taken = 0;
    let total = 0;
    while (taken < pending.length && (taken === 0 || total + (pending[taken] as PendingAppend).bytes <= room)) {
      const first = taken;
      let bytes = 0;
      let count = 0;
      const bytesMax = Math.min(embeddedLimits.entryBytesMax, room - total);
      do {
        const append = pending[taken] as PendingAppend;
        bytes += append.bytes;
        count += append.records.length;
        taken++;
      } while (taken < pending.length && bytes + (pending[taken] as PendingAppend).bytes <= bytesMax);
      const groups = pending.slice(first, taken).map((append) => append.records);
      const encoded = encodeFreshEntry({ chainIn: chain, epoch, baseOffset: end, timestampMs, bytes, groups });
      const crc = encoded.readUInt32LE(0);
      const head: EntryHead = {
        crc,
        rewritten: false,
        chainIn: chain,
        chainOut: crc,
        epoch,
        baseOffset: end,
        nextOffset: end + count,
        firstTimestampMs: timestampMs,
        lastTimestampMs: timestampMs,
        deleteHorizonMs: 0,
        count,
      };
      writes.push(put(entryKey(topicNumber, partition.number, end), encoded));
      entries.push(new RecentEntry(partition, head, encoded));
      end += count;
      chain = crc;
      total += bytes + entryHeadBytes;
    }
    // After the entries: if the batch is torn, an end never points past them.
    writes.push(endWrite(partition, end, chain, timestampMs));
    const appends = pending.splice(0, taken);
    for (const append of appends) this.waiting -= append.records.length;
    return { partition, entries, appends, chain, end, timestampMs, newEpoch };
  }

  private commit(advances: readonly Advance[]): void {
    this.stats.syncs++;
    const recordsBefore = this.stats.records;
    for (const { partition, entries, appends, chain, end, timestampMs, newEpoch } of advances) {
      let base = partition.end;
      if (newEpoch) partition.epochs.push({ epoch: this.world.epoch(), startOffset: base });
      partition.chain = chain;
      partition.lastTimestampMs = timestampMs;
      for (const entry of entries) {
        partition.end = entry.head.nextOffset;
        partition.dirtyBytes += entry.bytes.length;
        this.remember(entry);
      }
      partition.end = end;
      for (const append of appends) {
        this.settle(append).resolve({ baseOffset: asOffset(base) });
        base += append.records.length;
        this.stats.appends++;
        this.stats.records += append.records.length;
      }
      partition.wake();
    }
    this.forget();
    this.gathering.ended(this.stats.records - recordsBefore, this.waiting);
  }

  private giveUp(advances: readonly Advance[], reason: string, ended: Promise<void>, cause?: unknown): void {
    const unknown = new LogFailure(
      'OUTCOME_UNKNOWN',
      `the log's disk did not confirm a synced write (${reason}): the records may be there after the log was opened again`,
      { cause },
    );
    for (const { appends } of advances) for (const append of appends) this.settle(append).reject(unknown);
    this.world.onFailure(unknown, ended);
  }

  private settle(append: PendingAppend): PendingAppend {
    this.stats.queuedBytes -= append.bytes;
    return append;
  }

  private remember(entry: RecentEntry): void {
    entry.partition.remember(entry);
    this.recent.push(entry);
    this.recentBytes += sizeOf(entry);
  }

  private forget(): void {
    while (this.recentBytes > embeddedLimits.recentBytesMax && this.recentHead < this.recent.length - 1) {
      const oldest = this.recent[this.recentHead++] as RecentEntry;
      this.recentBytes -= sizeOf(oldest);
      oldest.partition.forgetOldest();
    }
    if (this.recentHead > 1024 && this.recentHead * 2 > this.recent.length) {
      this.recent.splice(0, this.recentHead);
      this.recentHead = 0;
    }
  }
}

/** Bytes plus a share for the decoded records, which hold five words and two views each. */
const sizeOf = (entry: RecentEntry): number => entry.bytes.length + entry.head.count * 200;
