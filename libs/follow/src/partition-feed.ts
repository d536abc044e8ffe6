import type { RecordProblem, Replica } from '@levee/chunk-store';
import { type Clock, failureCode, type Logger, type Offset, type Partition, type Timers } from '@levee/kernel';
import type { HashAlgorithm } from '@levee/keyspace';
import type { Log, LogFailure, StoredRecord } from '@levee/log';
import type { ApplyPace } from './apply-pace';
import { genesisTrouble } from './binlog-origin';
import type { BinlogPlace } from './control-records';
import { FeedTail, type Stretch } from './feed-tail';
import type { LogClock } from './log-clock';

/** A replica's end of a feed. Nothing here may throw. */
export interface FeedMember {
  readonly replica: Replica;
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
  readonly hashAlgorithm: HashAlgorithm;
  readonly partition: Partition;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly logger: Logger;
  readonly logClock: LogClock;
  readonly pace: ApplyPace;
  /** Longest time at the end without a sign of life; asked for at the start of each tail. */
  readonly idleMs: () => number;
  /** A bad record; called once per record and feed. */
  readonly onBadRecord: (record: StoredRecord, problem: { reason: BadReason; message: string }) => void;
}

export type BadReason = RecordProblem['reason'] | 'reservedKey';

/**
 * The records of one binlog partition for all replicas of this node that need them. Replicas that stand at the same
 * place of the same log share one tail, decoded and hashed once; one that is behind has a tail of its own until it
 * meets the others.
 */
export class PartitionFeed {
  private readonly tails = new Set<FeedTail>();
  /** Who is attached, and with which open replica: what an earlier one still has under way does not count. */
  private readonly attached = new Map<FeedMember, Replica>();
  private genesisSeen = false;
  /** Bad records below were reported by another tail of this feed. */
  private reportedBelow = 0;
  readonly counts = { records: 0, bytes: 0, batches: 0, badRecords: 0, restarts: 0 };

  constructor(
    readonly log: Log,
    readonly options: FeedOptions,
  ) {}

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

  close(): void {
    for (const tail of this.tails) tail.stop();
  }

  /** @internal True while the member is fed, with this very replica. */
  feeds(member: FeedMember, replica: Replica): boolean {
    return this.attached.get(member) === replica;
  }

  /** @internal Each goes on from its own place, so that the log is asked about each one's own past. */
  startEach(members: Iterable<readonly [FeedMember, Replica]>): void {
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
    if (this.genesisSeen) return undefined;
    try {
      return await this.lookAtGenesis(signal);
    } catch (error) {
      // Damaged it cannot be compared. Who is past it needs nothing of it; who is not meets the damage itself.
      if (failureCode(error) !== 'RECORD_CORRUPT') throw error;
      return undefined;
    }
  }

  /** Looks again, whatever was seen before: the topic may have been deleted and created again since. */
  async checkGenesisAnew(): Promise<string | undefined> {
    this.genesisSeen = false;
    return this.lookAtGenesis(new AbortController().signal);
  }

  private async lookAtGenesis(signal: AbortSignal): Promise<string | undefined> {
    const trouble = await genesisTrouble(this.log, this.options.place, signal);
    this.genesisSeen = trouble === undefined;
    return trouble;
  }

  /** @internal */
  report(record: StoredRecord, problem: { reason: BadReason; message: string }): void {
    if (record.offset < this.reportedBelow) return;
    this.reportedBelow = record.offset + 1;
    this.counts.badRecords++;
    this.options.onBadRecord(record, problem);
  }

  private start(member: FeedMember, replica: Replica): void {
    const tail = new FeedTail(this, [member, replica]);
    this.tails.add(tail);
    void tail.run();
  }
}
