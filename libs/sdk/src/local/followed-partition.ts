import { type FeedMember, type FeedOptions, followLimits, PartitionFeed } from '@levee/follow';
import { failureCode, messageOf, type Partition, type SteadyClock } from '@levee/kernel';
import { type SlotRange, slotRangeOf } from '@levee/keyspace';
import type { Log, LogFailure } from '@levee/log';
import type { LocalDigest, LocalPartitionStatus } from '../api';
import type { World } from '../world';
import { HeldDigest } from './held-digest';
import { localLimits } from './local-limits';
import type { MemoryBudget } from './memory-budget';
import { isExpired, MemoryPartition } from './memory-partition';

export interface PartitionWorld {
  readonly world: World;
  readonly steady: SteadyClock;
  readonly budget: MemoryBudget;
  readonly log: Log;
  readonly slots: SlotRange;
  readonly feed: Pick<
    FeedOptions,
    'place' | 'hashAlgorithm' | 'recordFormat' | 'hiddenAfterMs' | 'clock' | 'timers' | 'logger' | 'logClock' | 'pace'
  >;
  /** How old an answer may be, ms. */
  readonly stalenessMs: () => number;
  /** How long the topic keeps deletions for sure, ms. */
  readonly deletionsKeptMs: () => number;
  /** It does not fit. */
  readonly full: (problem: string) => void;
  /** It may be read from its beginning again. */
  readonly ready: () => void;
  /** Something is wrong, and it may be the topic. */
  readonly doubtTopic: () => void;
  /** Digests are made at barriers that ask every replica for them. */
  readonly digests: boolean;
  /** [safety] Pause after the log lost something that was seen here: portals must find out whether nodes hold it. */
  readonly cutMs: number;
}

interface Wait {
  readonly nextOffset: number;
  readonly wake: () => void;
}

const { reloadMs, reloadMsMax } = localLimits;

/** One partition of a namespace as it is followed here: from its beginning, and again from there when it cannot be trusted. */
export class FollowedPartition implements FeedMember {
  replica: MemoryPartition;
  problem: string | undefined;
  private feed: PartitionFeed | undefined;
  /** Monotonic: the partition ended where the replica stands at that moment, or later. */
  private atEndMs: number | undefined;
  /** Time that had passed when it missed nothing: at the end, or when it began to read. */
  private completeAtMs = 0;
  private loads = 0;
  private pauseMs: number = reloadMs;
  private cancelPause: (() => void) | undefined;
  private readonly waits = new Set<Wait>();
  private digest: LocalDigest | undefined;
  /** What had expired then may have been removed. */
  private sweptToMs = 0;
  private closed = false;

  constructor(
    readonly partition: Partition,
    private readonly of: PartitionWorld,
  ) {
    this.replica = this.newReplica();
  }

  /** Reads the very topic from its beginning, unless it does already. */
  follow(topicId: string): void {
    if (this.closed || this.feed !== undefined || this.cancelPause !== undefined) return;
    const { feed, log, steady, stalenessMs } = this.of;
    this.loads++;
    this.sweptToMs = 0;
    this.digest = undefined;
    this.replica = this.newReplica();
    this.completeAtMs = steady.passedMs();
    const { feedIdleMs, feedIdleMsMin } = followLimits;
    this.feed = new PartitionFeed(log, {
      ...feed,
      place: { ...feed.place, partition: this.partition },
      topicId,
      partition: this.partition,
      idleMs: () => Math.max(feedIdleMsMin, Math.min(feedIdleMs, Math.floor(stalenessMs() / 4))),
      // Data nodes have told of it.
      onBadRecord: () => undefined,
    });
    this.feed.attach(this);
  }

  /** Drops what is held; `follow` begins again, not before `pauseMs` have passed. */
  drop(problem: string, pauseMs = 0): void {
    this.stop();
    if (this.closed) return;
    this.problem = problem;
    if (pauseMs === 0) return;
    this.cancelPause = this.of.world.timers.after(pauseMs, () => {
      this.cancelPause = undefined;
      this.of.ready();
    });
  }

  close(): void {
    this.closed = true;
    this.stop();
  }

  /** What it holds may be answered from: all that the log held `stalenessMs` ago or later is in it. */
  isComplete(nowMs: number, stalenessMs: number): boolean {
    const { atEndMs } = this;
    if (atEndMs === undefined || this.replica.failure !== undefined) return false;
    return nowMs - atEndMs <= stalenessMs && atEndMs > this.of.steady.soundSinceMs;
  }

  /**
   * [safety] It holds what had not expired at that time. Not so when a portal's clock was ahead, and is right again: then it
   * is read anew.
   */
  holdsAt(nowMs: number): boolean {
    if (nowMs >= this.sweptToMs) return true;
    this.again('the clocks of portals were set back behind a time by which it had removed what was expired');
    return false;
  }

  /** Calls `wake` when it stands there, or is dropped. The returned function ends the wait. */
  whenApplied(nextOffset: number, wake: () => void): () => void {
    const wait = { nextOffset, wake };
    this.waits.add(wait);
    return () => this.waits.delete(wait);
  }

  /** Removes values that had expired at `nowMs`, so many at a time, so that others have their turn. */
  async sweep(nowMs: number): Promise<void> {
    const { replica } = this;
    if (!replica.mayExpire) return;
    this.sweptToMs = Math.max(this.sweptToMs, nowMs);
    let looked = 0;
    for (const [keyText, record] of replica.entries()) {
      if (isExpired(record, nowMs)) replica.remove(keyText, record);
      if (++looked % sweptAtOnce === 0) await new Promise<void>((resolve) => setImmediate(resolve));
      if (replica !== this.replica || replica.failure !== undefined) return;
    }
  }

  status(nowMs: number, stalenessMs: number): LocalPartitionStatus {
    const { partition, replica, atEndMs, loads, problem, digest } = this;
    return {
      partition,
      isComplete: this.isComplete(nowMs, stalenessMs),
      nextOffset: replica.nextOffset,
      ageMs: atEndMs === undefined ? undefined : nowMs - atEndMs,
      keys: replica.keys,
      loads,
      digest,
      problem,
    };
  }

  // FeedMember

  /** [safety] Deletions that it never saw may be gone from the log (I5). */
  mayGoOn(): boolean {
    const awayMs = this.of.steady.passedMs() - this.completeAtMs;
    const keptMs = this.of.deletionsKeptMs() / 2;
    if (awayMs <= keptMs) return true;
    this.again(
      `it was last complete ${Math.round(awayMs)} ms ago, longer than ${keptMs} ms, half of delete.retention.ms of its ` +
        'topic: it is read from the beginning',
    );
    return false;
  }

  advanced(_partition: Partition, atEndMs: number | undefined): void {
    if (atEndMs !== undefined && atEndMs > this.of.steady.soundSinceMs) this.provenAt(atEndMs);
    if (this.problem !== undefined && this.atEndMs !== undefined) this.problem = undefined;
    for (const wait of this.waits) if (wait.nextOffset <= this.replica.nextOffset) this.over(wait);
  }

  /** What it has seen the log does not hold, or has let go of what it needs. */
  logLost(_partition: Partition, failure: LogFailure): void {
    const hasSeen = this.replica.nextOffset > 0;
    this.again(`${failure.code} ${failure.message}`, hasSeen ? this.of.cutMs : 0);
  }

  unreadable(_partition: Partition, failure: LogFailure): void {
    this.problem = failure.message;
  }

  failed(error: unknown): void {
    if (failureCode(error) === 'MEMORY_FULL') return this.of.full(messageOf(error));
    this.again(messageOf(error));
  }

  trouble(_partition: Partition, problem: string | undefined): void {
    if (problem === undefined) return;
    this.problem = problem;
    this.of.doubtTopic();
  }

  /** One at a time: a barrier that comes meanwhile is passed over. */
  barrier(_partition: Partition, digestPlan: string, { offset, timeMs }: { offset: number; timeMs: number }): void {
    const { replica } = this;
    // [safety] What was expired then may be gone here already.
    if (replica.counting !== undefined || timeMs < this.sweptToMs) return;
    // Of a barrier that is met long after it was written compaction may have removed what stood before it.
    const { steady } = this.of;
    if (this.atEndMs === undefined || steady.passedMs() - this.completeAtMs > localLimits.digestLateMsMax) return;
    const digest = new HeldDigest({ digestPlan, barrierOffset: offset, timeMs }, replica.nextOffset);
    replica.counting = digest;
    const made = digest.of(replica, this.of.world.clock).catch(() => undefined);
    void made.then((found) => {
      replica.counting = undefined;
      if (found !== undefined && replica === this.replica) this.digest = found;
    });
  }

  wantsDigest(chunks: readonly string[]): boolean {
    return this.of.digests && chunks.length === 0;
  }

  private provenAt(atEndMs: number): void {
    const { steady } = this.of;
    if (this.atEndMs !== undefined && atEndMs <= this.atEndMs) return;
    this.atEndMs = atEndMs;
    this.completeAtMs = Math.max(this.completeAtMs, steady.passedMs() - (steady.nowMs() - atEndMs));
    this.pauseMs = reloadMs;
  }

  private again(problem: string, leastMs = 0): void {
    this.drop(problem, Math.max(leastMs, this.pauseMs));
    this.pauseMs = Math.min(this.pauseMs * 2, reloadMsMax);
  }

  private stop(): void {
    this.cancelPause?.();
    this.cancelPause = undefined;
    this.feed?.detach(this);
    this.feed?.close();
    this.feed = undefined;
    this.atEndMs = undefined;
    this.replica.clear();
    for (const wait of this.waits) this.over(wait);
  }

  private over(wait: Wait): void {
    this.waits.delete(wait);
    wait.wake();
  }

  private newReplica(): MemoryPartition {
    const { slotStart, slotEnd } = slotRangeOf(this.partition, this.of.feed.place.partitions);
    const { slots, budget } = this.of;
    const own = { slotStart: Math.max(slotStart, slots.slotStart), slotEnd: Math.min(slotEnd, slots.slotEnd) };
    return new MemoryPartition(this.partition, own, budget);
  }
}

const sweptAtOnce = 2_048;
