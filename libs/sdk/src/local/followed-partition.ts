import { type FeedMember, type FeedOptions, followLimits, PartitionFeed } from '@levee/follow';
import { type Clock, failureCode, messageOf, type Partition, type SteadyClock } from '@levee/kernel';
import { type SlotRange, slotRangeOf } from '@levee/keyspace';
import type { Log, LogFailure } from '@levee/log';
import type { LocalDigest, LocalPartitionStatus } from '../api';
import type { World } from '../world';
import { HeldDigest } from './held-digest';
import type { HeldPartition, KeptPartition, KeptPartitions, KeptPlace } from './held-partition';
import { localLimits } from './local-limits';
import type { MemoryBudget } from './memory-budget';
import { MemoryPartition } from './memory-partition';

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
  /** Where it is kept beyond this process; `undefined`: in memory. */
  readonly kept: KeptPartitions | undefined;
  readonly keptPlace: Omit<KeptPlace, 'partition' | 'topicId' | 'slotStart' | 'slotEnd' | 'nowMs'>;
  /** Of portals. */
  readonly clock: Pick<Clock, 'nowMs'>;
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
  replica: HeldPartition;
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
  /** By which it is being opened where it is kept; what was begun before counts no more. */
  private opening: object | undefined;
  private closed = false;

  constructor(
    readonly partition: Partition,
    private readonly of: PartitionWorld,
  ) {
    this.replica = this.newReplica();
  }

  /** Reads the very topic, unless it does already: from its beginning, or from where what is kept of it stands. */
  follow(topicId: string): void {
    if (this.closed || this.feed !== undefined || this.cancelPause !== undefined) return;
    if (this.opening !== undefined) return;
    const { steady, kept } = this.of;
    this.digest = undefined;
    if (kept === undefined) {
      this.completeAtMs = steady.passedMs();
      return this.begin(this.newReplica(), topicId);
    }
    const opening = (this.opening = {});
    const { keptPlace, clock } = this.of;
    const place = { ...keptPlace, ...this.ownSlots, partition: this.partition, topicId, nowMs: clock.nowMs() };
    kept.open(place).then(
      ({ held, anew }) => {
        if (this.opening !== opening) return held.end('kept');
        this.opening = undefined;
        this.goOn(held, topicId, anew);
      },
      (error: unknown) => {
        if (this.opening === opening) this.again(messageOf(error));
      },
    );
  }

  private goOn(held: KeptPartition, topicId: string, anew: string | undefined): void {
    const { steady, clock, world } = this.of;
    // [safety] Time for which nobody followed it counts, by whichever clock makes it longer.
    const awayMs = Math.max(clock.nowMs(), world.clock.nowMs()) - held.completeAtMs;
    if (awayMs < -clocksApartMs) {
      held.end('forgotten');
      return this.again('the clock by which it was complete was ahead of that of portals now: it is read anew');
    }
    this.completeAtMs = steady.passedMs() - Math.max(0, awayMs);
    if (anew !== undefined) this.problem = `what was kept of it is read anew: ${anew}`;
    this.begin(held, topicId);
  }

  private begin(replica: HeldPartition, topicId: string): void {
    const { feed, log, stalenessMs } = this.of;
    if (replica.stagedNext(this.partition) === 0) this.loads++;
    this.replica = replica;
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

  /** What is held in memory; `undefined`: it is kept elsewhere. */
  get memory(): MemoryPartition | undefined {
    return this.replica instanceof MemoryPartition ? this.replica : undefined;
  }

  private get kept(): KeptPartition | undefined {
    return this.of.kept === undefined || this.feed === undefined ? undefined : (this.replica as KeptPartition);
  }

  /** Drops what is held; `follow` begins again, not before `pauseMs` have passed. */
  drop(problem: string, pauseMs = 0, how: 'forgotten' | 'kept' = 'forgotten'): void {
    this.stop(how);
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
    this.stop('kept');
  }

  /** What it holds may be answered from: all that the log held `stalenessMs` ago or later is in it. */
  isComplete(nowMs: number, stalenessMs: number): boolean {
    const { atEndMs } = this;
    if (atEndMs === undefined || this.replica.failure !== undefined || this.kept?.isRewound === true) return false;
    return nowMs - atEndMs <= stalenessMs && atEndMs > this.of.steady.soundSinceMs;
  }

  /**
   * [safety] It holds what had not expired at that time. Not so when a portal's clock was ahead, and is right again: then it
   * is read anew.
   */
  holdsAt(nowMs: number): boolean {
    if (nowMs >= this.replica.sweptToMs) return true;
    this.again('the clocks of portals were set back behind a time by which it had removed what was expired');
    return false;
  }

  /** Calls `wake` when it stands there, or is dropped. The returned function ends the wait. */
  whenApplied(nextOffset: number, wake: () => void): () => void {
    const wait = { nextOffset, wake };
    this.waits.add(wait);
    return () => this.waits.delete(wait);
  }

  /** Removes values that had expired at `nowMs`, while it is complete. */
  async sweep(nowMs: number): Promise<void> {
    const { replica } = this;
    if (this.atEndMs === undefined) return;
    try {
      await replica.sweep(nowMs);
    } catch (error) {
      if (replica === this.replica && failureCode(error) === 'REPLICA_DAMAGED') this.failed(error);
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
    this.again(messageOf(error), 0, this.kept?.outlives(error) === true ? 'kept' : 'forgotten');
  }

  trouble(_partition: Partition, problem: string | undefined): void {
    if (problem === undefined) return;
    this.problem = problem;
    this.of.doubtTopic();
  }

  /** One at a time: a barrier that comes meanwhile is passed over. */
  barrier(_partition: Partition, digestPlan: string, { offset, timeMs }: { offset: number; timeMs: number }): void {
    const { memory: replica } = this;
    // [safety] What was expired then may be gone here already.
    if (replica === undefined || replica.counting !== undefined || timeMs < replica.sweptToMs) return;
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
    this.kept?.complete(this.of.clock.nowMs() - (steady.nowMs() - atEndMs));
    this.pauseMs = reloadMs;
  }

  private again(problem: string, leastMs = 0, how: 'forgotten' | 'kept' = 'forgotten'): void {
    this.drop(problem, Math.max(leastMs, this.pauseMs), how);
    this.pauseMs = Math.min(this.pauseMs * 2, reloadMsMax);
  }

  private stop(how: 'forgotten' | 'kept'): void {
    this.cancelPause?.();
    this.cancelPause = undefined;
    this.opening = undefined;
    this.feed?.detach(this);
    this.feed?.close();
    this.feed = undefined;
    this.atEndMs = undefined;
    this.replica.end(how);
    if (this.of.kept !== undefined) this.replica = this.newReplica();
    for (const wait of this.waits) this.over(wait);
  }

  private over(wait: Wait): void {
    this.waits.delete(wait);
    wait.wake();
  }

  private newReplica(): MemoryPartition {
    return new MemoryPartition(this.partition, this.ownSlots, this.of.budget);
  }

  private get ownSlots(): SlotRange {
    const { slotStart, slotEnd } = slotRangeOf(this.partition, this.of.feed.place.partitions);
    const { slots } = this.of;
    return { slotStart: Math.max(slotStart, slots.slotStart), slotEnd: Math.min(slotEnd, slots.slotEnd) };
  }
}

/** What clocks of portals, and that of this machine, may be apart. */
const clocksApartMs = 60_000;
