import type { BatchSpan, PreparedBatch, RecordProblem } from '@levee/chunk-store';
import { retentionMargin } from '@levee/cluster';
import {
  asOffset,
  type Clock,
  failureCode,
  type Histogram,
  type Logger,
  type Offset,
  type Partition,
  type Timers,
} from '@levee/kernel';
import type { RecordFormatName } from '@levee/codec';
import type { HashAlgorithm } from '@levee/keyspace';
import type { Log, LogBatch, LogFailure, LogPosition, StoredRecord } from '@levee/log';
import type { ApplyPace } from './apply-pace';
import { genesisTrouble } from './binlog-origin';
import type { BinlogPlace } from './control-records';
import { type DigestAt, DigestOrders } from './digest-orders';
import { FeedTail, type Stretch } from './feed-tail';
import type { LogClock } from './log-clock';

/** What a feed fills: a replica of a data node, or one of an application. Each as `Replica` of chunk-store says it. */
export interface FollowedReplica {
  /** Applied. */
  position(partition: number): LogPosition;
  /** As of the last span handed in. */
  stagedNext(partition: number): number;
  stagedEpoch(partition: number): number;
  apply(batch: PreparedBatch, span: BatchSpan, completeAtMs?: number, afterWrite?: () => void): Promise<void>;
  between(look: () => void): Promise<void>;
}

/** A replica's end of a feed. Nothing here may throw. */
export interface FeedMember {
  readonly replica: FollowedReplica;
  /**
   * [safety] Asked before anything is handed in: whether what the replica holds can still be trusted. A claim to be
   * complete now would hide for how long it was not. When it cannot, it has detached itself.
   */
  mayGoOn(partition: Partition): boolean;
  /** A span was applied; `atEndMs` (monotonic): the partition ended there at that moment, or later. */
  advanced(partition: Partition, atEndMs: number | undefined): void;
  /** [safety] The log does not hold what the replica needs, or has seen; nothing is handed to it any more. */
  logLost(partition: Partition, failure: LogFailure): void;
  /** What it needs next cannot be read; it is asked for again and again. */
  unreadable(partition: Partition, failure: LogFailure): void;
  /** A write failed, or what the disk holds is wrong. */
  failed(error: unknown): void;
  /** The feed cannot go on for now; `undefined` when it goes on again. */
  trouble(partition: Partition, problem: string | undefined): void;
  /** A barrier asked for digests; runs between the write that ends at it and the next. */
  barrier(partition: Partition, digestPlan: string, barrier: { offset: Offset; timeMs: number }): void;
  wantsDigest(chunks: readonly string[]): boolean;
}

export interface FeedOptions {
  readonly place: BinlogPlace;
  /** The very topic, where it is known which; else it is any of the name, or that of others which `place` says. */
  readonly topicId?: string | undefined;
  readonly hashAlgorithm: HashAlgorithm;
  readonly recordFormat: RecordFormatName;
  /** Values of older records are expired; `undefined`: only what records say counts. */
  readonly hiddenAfterMs?: number | undefined;
  readonly partition: Partition;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly logger: Logger;
  readonly logClock: LogClock;
  readonly pace: ApplyPace;
  /** Told how long records took until they were in a unit. */
  readonly applyTimes?: Histogram;
  /** Longest time at the end without a sign of life; asked for at the start of each tail. */
  readonly idleMs: () => number;
  /** A bad record, or the first offset of a batch that cannot be read; called once per record and feed. */
  readonly onBadRecord: (record: StoredRecord, problem: BadRecord) => void;
}

/** Why a record goes to quarantine, in a word and for people; of a batch that cannot be read, where it ends. */
export interface BadRecord {
  readonly reason: RecordProblem['reason'] | 'reservedKey' | 'unreadableBatch';
  readonly message: string;
  readonly toOffset?: Offset;
}

/**
 * The records of one binlog partition for all replicas of this node that need them. Replicas that stand at the same
 * place of the same log share one tail, decoded and hashed once; one that is behind has a tail of its own until it
 * meets the others.
 */
export class PartitionFeed {
  private readonly tails = new Set<FeedTail>();
  /** Who is attached, and with which open replica: what an earlier one still has under way does not count. */
  private readonly attached = new Map<FeedMember, FollowedReplica>();
  private genesisSeen = false;
  /** Bad records below were reported by another tail of this feed. */
  private reportedBelow = 0;
  /** [safety] Who has seen every offset between a place where it stood at the end and where it stands (I11). */
  private readonly whole = new WeakSet<FollowedReplica>();
  private readonly orders: DigestOrders;
  readonly counts = { records: 0, bytes: 0, batches: 0, badRecords: 0, restarts: 0 };

  constructor(
    readonly log: Log,
    readonly options: FeedOptions,
  ) {
    this.orders = new DigestOrders(options.clock);
  }

  get size(): number {
    return this.attached.size;
  }

  attach(member: FeedMember): void {
    const { replica } = member;
    if (this.attached.get(member) === replica) return;
    this.detach(member);
    this.attached.set(member, replica);
    this.start(member, replica);
  }

  /** After this returns nothing more is handed to the member, and it hears nothing of what is still under way. */
  detach(member: FeedMember): void {
    if (!this.attached.delete(member)) return;
    for (const tail of [...this.tails]) if (tail.members.delete(member) && tail.members.size === 0) tail.stop();
  }

  /** Who stands there digests at once, who is below it when it comes there; who is past it never. */
  digestAt(order: DigestAt): void {
    const { partition } = this.options;
    this.orders.add(order);
    for (const [member, replica] of this.attached)
      if (
        replica.stagedNext(partition) === order.nextOffset &&
        this.whole.has(replica) &&
        member.wantsDigest(order.chunks)
      )
        replica.between(() => this.digest(member, replica, order)).catch((error: unknown) => member.failed(error));
  }

  /** @internal Between two writes of the replica. */
  digest(member: FeedMember, replica: FollowedReplica, { digestPlan, nextOffset, timeMs }: DigestAt): void {
    if (!this.feeds(member, replica) || this.isLate(timeMs)) return;
    member.barrier(this.options.partition, digestPlan, { offset: asOffset(nextOffset), timeMs });
  }

  /**
   * [safety] Of a topic that forgets by age: a replica that was built anew lacks what the topic has let go of by now, and
   * all of that is expired; by an order that is older than the margin it may not have been. Half of it is left for clocks.
   */
  private isLate(timeMs: number): boolean {
    const { hiddenAfterMs, logClock } = this.options;
    if (hiddenAfterMs === undefined) return false;
    return logClock.bestMs() - timeMs > retentionMargin(hiddenAfterMs) / 2;
  }

  /** @internal The orders within a piece, and where in it they are: the first record that does not count. */
  ordersIn({
    firstOffset,
    nextOffset,
    records,
  }: LogBatch): readonly { readonly at: DigestAt; readonly index: number }[] {
    return this.orders.between(firstOffset, nextOffset).map((at) => {
      const index = records.findIndex(({ offset }) => offset >= at.nextOffset);
      return { at, index: index < 0 ? records.length : index };
    });
  }

  /** @internal Whether what it holds behind every piece of `batch` is what the log held there. */
  isWhole(replica: FollowedReplica, { firstOffset, missingBelow }: LogBatch): boolean {
    return this.whole.has(replica) && (missingBelow === undefined || missingBelow <= firstOffset);
  }

  /** @internal It was handed all of `batch`; `atEnd`: the partition ended there. */
  handed(replica: FollowedReplica, batch: LogBatch, atEnd: boolean): void {
    if (atEnd) this.whole.add(replica);
    else if (!this.isWhole(replica, batch)) this.whole.delete(replica);
  }

  close(): void {
    for (const tail of this.tails) tail.stop();
  }

  /** @internal True while the member is fed, with this very replica. */
  feeds(member: FeedMember, replica: FollowedReplica): boolean {
    return this.attached.get(member) === replica;
  }

  /** @internal Each goes on from its own place, so that the log is asked about each one's own past. */
  startEach(members: Iterable<readonly [FeedMember, FollowedReplica]>): void {
    for (const [member, replica] of members) this.start(member, replica);
  }

  /**
   * @internal [safety] Members of other tails join `tail` where it passes the very place at which they stand: the same
   * offset behind a record of the same leader epoch, which means that everything below is the same (Kafka's log matching,
   * KIP-101). An offset alone proves nothing: the log may have been cut below it and have grown again, and a tail that
   * is behind would hand over what came instead without anybody noticing.
   */
  gather(tail: FeedTail, stretch: Stretch): void {
    if (this.tails.size < 2) return;
    for (const other of [...this.tails]) {
      if (other === tail || !other.standsIn(stretch)) continue;
      for (const [member, replica] of other.members) tail.members.set(member, replica);
      other.members.clear();
      other.stop();
    }
  }

  /** @internal */
  ended(tail: FeedTail): void {
    this.tails.delete(tail);
  }

  /** @internal The first record must be our Genesis; a log of somebody else is neither applied nor a reason to rebuild. */
  async checkGenesis(signal: AbortSignal): Promise<string | undefined> {
    // The tail of a topic of others names its id.
    if (this.genesisSeen || this.options.place.sourceTopicId !== undefined) return undefined;
    try {
      return await this.lookAtGenesis(signal);
    } catch (error) {
      // Damaged it cannot be compared. Who is past it needs nothing of it; who is not meets the damage itself.
      if (failureCode(error) !== 'RECORD_CORRUPT') throw error;
      return undefined;
    }
  }

  /** @internal The topic was gone: whatever has its name next may be another one. */
  forgetGenesis(): void {
    this.genesisSeen = false;
  }

  /** Looks again, whatever was seen before: the topic may have been deleted and created again since. */
  async checkGenesisAnew(): Promise<string | undefined> {
    this.forgetGenesis();
    return this.lookAtGenesis(new AbortController().signal);
  }

  private async lookAtGenesis(signal: AbortSignal): Promise<string | undefined> {
    const trouble = await genesisTrouble(this.log, this.options.place, signal);
    this.genesisSeen = trouble === undefined;
    return trouble;
  }

  /** @internal */
  report(record: StoredRecord, problem: BadRecord): void {
    if (record.offset < this.reportedBelow) return;
    this.reportedBelow = record.offset + 1;
    this.counts.badRecords++;
    this.options.onBadRecord(record, problem);
  }

  private start(member: FeedMember, replica: FollowedReplica): void {
    const tail = new FeedTail(this, [member, replica]);
    this.tails.add(tail);
    void tail.run();
  }
}
