import { encode } from '@levee/codec';
import { asOffset, asPartition, failureCode, reservedKeyPrefix, type Offset, type Partition } from '@levee/kernel';
import type { Log, LogRecord } from '@levee/log';
import type { EngineContext } from '../engine-context';
import type { Append, FenceWaiter } from '../operations';
import { StoreFailure } from '../store-errors';
import { appendFailure, unanswered, unsent } from './append-failures';
import { type Batch, earliest, logRecordOf, unfenced } from './batch';
import { PartitionQueue } from './partition-queue';

/**
 * Writes of one namespace: what a partition gets in one tick is one append call, in order; while
 * `appendsInFlightMax` calls are under way, what comes shares the next, small writes in front of large ones of other
 * connections. One call with large writes is under way at a time: no small one waits for two of them. A strong read
 * waits for a record appended after it arrived: the next batch of its partition, or a fence record when none is due (I4).
 */
export class Appends {
  private readonly queues: PartitionQueue[];
  private dirty: PartitionQueue[] = [];
  private scheduled = false;
  private readonly inFlight = new Set<Batch>();
  private sweepArmed = false;
  private fenceNumber = 0;
  /** Nothing comes any more. */
  private ended = false;
  /** From when to when the log has said that it takes nothing; `undefined` once it takes something. */
  private refused: { readonly sinceMs: number; readonly lastMs: number } | undefined;
  /** When the log last gave up a write of which nobody knows what becomes of it. */
  private unknownAtMs = -Infinity;

  constructor(
    private readonly context: EngineContext,
    private readonly log: Log,
    private readonly target: { readonly binlog: string; readonly partitions: number; readonly producer: string },
    /** Called when an append is over, whatever became of it. */
    private readonly onOver: (append: Append) => void,
    /** Called when an append is in the log: it may have been answered before, when its deadline had passed. */
    private readonly onLogged: (append: Append) => void,
  ) {
    this.queues = Array.from({ length: target.partitions }, (_, i) => new PartitionQueue(asPartition(i)));
  }

  /** Calls of the log that it has not answered. */
  get callsUnderWay(): number {
    return this.inFlight.size;
  }

  /** Nothing that was given to the log may still appear there. Fences are no writes. */
  get settled(): boolean {
    for (const { appends } of this.inFlight) if (appends.length > 0) return false;
    return this.context.clock.monotonicMs() - this.unknownAtMs > this.context.limits.unknownSettlesMs;
  }

  get idle(): boolean {
    return this.inFlight.size === 0 && this.dirty.length === 0;
  }

  /** `append` is placed and knows its deadline. */
  add(append: Append): void {
    this.context.counts.appends++;
    const queue = this.queues[append.partition] as PartitionQueue;
    queue.add(append, this.context.limits.appendSmallBytes);
    queue.deadlineAtMs = Math.min(queue.deadlineAtMs, append.deadlineAtMs);
    this.touch(queue);
  }

  /** Calls back with a position that covers everything appended to `partition` before the call. */
  fence(partition: Partition, waiter: FenceWaiter): void {
    const queue = this.queues[partition] as PartitionQueue;
    queue.waiters.push(waiter);
    this.touch(queue);
  }

  /** This process stops: fails what was not sent yet; what was sent is left to the log. */
  close(): void {
    this.refuseQueued(new StoreFailure('LVSTOPPING', 'this process is shutting down'));
  }

  /** Writes are frozen: fails what was not sent yet. Fences go on, and what was sent is left to the log. */
  refuseUnsent(why: StoreFailure): void {
    for (const queue of this.queues) this.refuse(queue, why);
  }

  /** The namespace is gone, and soon its topic: nobody waits for what that answers, and nothing is tried again. */
  end(why: StoreFailure): void {
    this.refuseQueued(why);
    const unknown = new StoreFailure('LVINDEFINITE', `${why.message} while this write was under way`);
    for (const batch of this.inFlight) {
      const { waiters } = batch;
      batch.waiters = [];
      batch.deadlineAtMs = Infinity;
      for (const append of batch.appends) this.fail(append, unknown);
      for (const waiter of waiters) waiter.fenceFailed(why);
    }
  }

  private refuseQueued(why: StoreFailure): void {
    this.ended = true;
    for (const queue of this.queues) {
      this.refuse(queue, why);
      for (const waiter of queue.waiters.splice(0)) waiter.fenceFailed(why);
    }
  }

  private refuse(queue: PartitionQueue, why: StoreFailure): void {
    queue.takeOut((append) => (this.drop(append, why), true));
  }

  private touch(queue: PartitionQueue): void {
    if (queue.dirty || queue.inFlight >= this.context.limits.appendsInFlightMax) return;
    queue.dirty = true;
    this.dirty.push(queue);
    if (this.scheduled) return;
    this.scheduled = true;
    setImmediate(this.flush);
  }

  private readonly flush = (): void => {
    this.scheduled = false;
    const queues = this.dirty;
    this.dirty = [];
    for (const queue of queues) {
      queue.dirty = false;
      this.send(queue);
    }
  };

  private send(queue: PartitionQueue): void {
    const now = this.context.clock.monotonicMs();
    const forbidden = queue.size > 0 ? this.context.mayNotWrite() : undefined;
    if (forbidden !== undefined) this.refuse(queue, new StoreFailure('LVDEFINITE', forbidden));
    const appends = this.take(queue, now);
    const records = appends.map(logRecordOf);
    if (records.length === 0 && queue.waiters.length > 0 && !this.addFence(queue, records, now)) return;
    if (records.length === 0) return;
    const { waiters } = queue;
    queue.waiters = [];
    const isLarge = appends.some((append) => this.isLarge(append));
    const batch: Batch = { appends, isLarge, waiters, sentAtMs: now, deadlineAtMs: earliest(appends, waiters) };
    queue.inFlight++;
    if (isLarge) queue.largeInFlight++;
    this.inFlight.add(batch);
    this.context.counts.calls++;
    this.armSweep();
    this.log.append(this.target.binlog, queue.partition, records).then(
      ({ baseOffset }) => this.succeeded(queue, batch, baseOffset, records.length),
      (error: unknown) => this.failed(queue, batch, error),
    );
    if (queue.size > 0) this.touch(queue);
  }

  /** The next appends of the queue that fit into one call; those past their deadline fail definitely. */
  private take(queue: PartitionQueue, nowMs: number): Append[] {
    const { appendBatchBytesMax, appendBatchRecordsMax } = this.context.limits;
    const taken: Append[] = [];
    let bytes = 0;
    queue.takeOut((append, waitsForSmall) => {
      if (append.deadlineAtMs <= nowMs) {
        this.drop(append, unsent(this.context.limits));
        return true;
      }
      if (waitsForSmall || (queue.largeInFlight > 0 && this.isLarge(append))) return 'stop';
      if (taken.length > 0 && (taken.length >= appendBatchRecordsMax || bytes + append.bytes > appendBatchBytesMax))
        return 'stop';
      bytes += append.bytes;
      taken.push(append);
      return true;
    });
    return taken;
  }

  /** One fence in flight per partition (any call under way will be followed by another), at most so many a second. */
  private addFence(queue: PartitionQueue, records: LogRecord[], nowMs: number): boolean {
    const dueAtMs = queue.fenceAtMs + 1000 / this.context.limits.fencesPerSecondMax;
    if (queue.inFlight > 0) return false;
    if (nowMs < dueAtMs) {
      if (!queue.fenceArmed) {
        queue.fenceArmed = true;
        this.context.timers.after(dueAtMs - nowMs, () => {
          queue.fenceArmed = false;
          this.touch(queue);
        });
      }
      return false;
    }
    queue.fenceAtMs = nowMs;
    this.context.counts.fences++;
    const { producer } = this.target;
    const key = Buffer.concat([reservedKeyPrefix, Buffer.from(`fence/${producer}`)]);
    records.push({ key, value: encode('Fence', { producer, number: ++this.fenceNumber }) });
    return true;
  }

  private succeeded(queue: PartitionQueue, batch: Batch, baseOffset: Offset, records: number): void {
    this.refused = undefined;
    this.context.times.append.over(batch.sentAtMs, undefined);
    this.finish(queue, batch);
    const { appends, waiters } = batch;
    for (let i = 0; i < appends.length; i++) {
      const append = appends[i] as Append;
      append.logged(asOffset(baseOffset + i + 1));
      this.onLogged(append);
    }
    for (const waiter of waiters) waiter.fenced(asOffset(baseOffset + records));
  }

  private failed(queue: PartitionQueue, batch: Batch, error: unknown): void {
    this.finish(queue, batch);
    const failure = appendFailure(error);
    this.context.times.append.over(batch.sentAtMs, failure.code);
    if (failure.code === 'LVINDEFINITE' && batch.appends.length > 0)
      this.unknownAtMs = this.context.clock.monotonicMs();
    for (const append of batch.appends) this.fail(append, failure);
    const now = this.context.clock.monotonicMs();
    const refuses = this.refuses(error, now);
    for (const waiter of batch.waiters) {
      if (waiter.deadlineAtMs > now && !refuses) queue.waiters.push(waiter);
      else waiter.fenceFailed(new StoreFailure('LVUNAVAILABLE', `the log took no fence: ${failure.message}`));
    }
    if (queue.waiters.length > 0) this.touch(queue);
  }

  /** It takes nothing, and has for a while: what waits for a fence hears it now, not at its deadline. */
  private refuses(error: unknown, nowMs: number): boolean {
    const code = failureCode(error);
    if (code !== 'LOG_UNAVAILABLE' && code !== 'OUTCOME_UNKNOWN') return false;
    const { refusedMs } = this.context.limits;
    const { sinceMs, lastMs } = this.refused ?? { sinceMs: nowMs, lastMs: nowMs };
    // A refusal long ago says nothing of what came between.
    this.refused = { sinceMs: nowMs - lastMs > refusedMs ? nowMs : sinceMs, lastMs: nowMs };
    return nowMs - this.refused.sinceMs >= refusedMs;
  }

  private isLarge({ bytes }: Append): boolean {
    return bytes > this.context.limits.appendSmallBytes;
  }

  private finish(queue: PartitionQueue, batch: Batch): void {
    queue.inFlight--;
    if (batch.isLarge) queue.largeInFlight--;
    this.inFlight.delete(batch);
    for (const append of batch.appends) this.onOver(append);
    if (queue.size > 0 || queue.waiters.length > 0) this.touch(queue);
  }

  /** Counts each write once, however often its batch is heard of. */
  private fail(append: Append, failure: StoreFailure): void {
    if (append.settled) return;
    this.context.counts[failure.code === 'LVINDEFINITE' ? 'indefinite' : 'definite']++;
    append.failed(failure);
  }

  private drop(append: Append, failure: StoreFailure): void {
    this.onOver(append);
    this.context.counts.definite++;
    append.failed(failure);
  }

  private armSweep(): void {
    if (this.sweepArmed) return;
    this.sweepArmed = true;
    this.context.timers.after(sweepMs, () => this.sweep());
  }

  /** What the log did not answer in time is unknown: it may still be written, so nobody may repeat it (I3). */
  private sweep(): void {
    this.sweepArmed = false;
    const now = this.context.clock.monotonicMs();
    for (const batch of this.inFlight) if (batch.deadlineAtMs <= now) this.expire(batch, now);
    for (const queue of this.queues) {
      if (queue.deadlineAtMs <= now) this.expireQueued(queue, now);
      if (queue.waiters.some((waiter) => waiter.deadlineAtMs <= now)) queue.waiters = unfenced(queue.waiters, now);
    }
    const batches = [...this.inFlight];
    if (this.ended ? batches.some(({ deadlineAtMs }) => deadlineAtMs < Infinity) : batches.length > 0) this.armSweep();
  }

  private expire(batch: Batch, nowMs: number): void {
    const failure = unanswered(this.context.limits);
    for (const append of batch.appends) if (append.deadlineAtMs <= nowMs) this.fail(append, failure);
    batch.waiters = unfenced(batch.waiters, nowMs);
    batch.deadlineAtMs = earliest(batch.appends, batch.waiters);
  }

  private expireQueued(queue: PartitionQueue, nowMs: number): void {
    queue.deadlineAtMs = Infinity;
    queue.takeOut((append) => {
      if (append.deadlineAtMs > nowMs) {
        queue.deadlineAtMs = Math.min(queue.deadlineAtMs, append.deadlineAtMs);
        return false;
      }
      this.drop(append, unsent(this.context.limits));
      return true;
    });
  }
}

const sweepMs = 100;
