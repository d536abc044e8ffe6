import { type BatchSpan, prepareBatch, type PreparedBatch, type Replica } from '@levee/chunk-store';
import { Breather, type RecordProblem } from '@levee/chunk-store';
import {
  assert,
  asOffset,
  type Clock,
  failureCode,
  type Logger,
  messageOf,
  type Offset,
  type Partition,
  type Timers,
} from '@levee/kernel';
import type { HashAlgorithm } from '@levee/keyspace';
import type { Log, LogBatch, StoredRecord } from '@levee/log';
import { genesisTrouble } from './binlog-origin';
import { type BinlogPlace, readControlRecord } from './control-records';
import type { ApplyPace } from './apply-pace';
import type { LogClock } from './log-clock';
import { nodeLimits } from './node-limits';

/** A replica's end of a feed. Nothing here may throw. */
export interface FeedMember {
  readonly replica: Replica;
  /** A span was applied; `atEndMs` (monotonic) when the partition's end was there when it was fetched. */
  advanced(partition: Partition, atEndMs: number | undefined): void;
  /** The log no longer holds what the replica needs, or has seen: build it anew from offset 0. */
  mustRebuild(reason: string): void;
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

const recordsPerWrite = 512;

/**
 * The records of one binlog partition for all replicas of this node that need them. Replicas that stand at the same
 * place share one tail, decoded and hashed once; one that is behind has a tail of its own until it meets the others.
 */
export class PartitionFeed {
  private readonly tails = new Set<FeedTail>();
  private main: FeedTail | undefined;
  private genesisSeen = false;
  /** Bad records below were reported by another tail of this feed. */
  private reportedBelow = 0;
  readonly counts = { records: 0, bytes: 0, batches: 0, badRecords: 0, restarts: 0 };

  constructor(
    readonly log: Log,
    readonly options: FeedOptions,
  ) {}

  get size(): number {
    let members = 0;
    for (const tail of this.tails) members += tail.members.size;
    return members;
  }

  attach(member: FeedMember): void {
    this.start([member]);
  }

  /** After this returns nothing more is handed to the member; what was handed in may still be under way. */
  detach(member: FeedMember): void {
    for (const tail of [...this.tails]) if (tail.members.delete(member) && tail.members.size === 0) tail.stop();
  }

  close(): void {
    for (const tail of this.tails) tail.stop();
  }

  /** @internal For its tails. */
  startEach(members: Iterable<FeedMember>): void {
    for (const member of members) this.start([member]);
  }

  /** @internal Makes `tail` the shared one, or hands its members to the shared one where they have met. */
  meet(tail: FeedTail): void {
    if (this.main === undefined) this.main = tail;
    if (this.main === tail) return;
    for (const member of tail.members) {
      if (member.replica.stagedNext(this.options.partition) < this.main.nextOffset) continue;
      tail.members.delete(member);
      this.main.members.add(member);
    }
    if (tail.members.size === 0) tail.stop();
  }

  /** @internal */
  ended(tail: FeedTail): void {
    this.tails.delete(tail);
    if (this.main === tail) this.main = undefined;
  }

  /** @internal The first record must be our Genesis; a log of somebody else is neither applied nor a reason to rebuild. */
  async checkGenesis(signal: AbortSignal): Promise<string | undefined> {
    if (this.genesisSeen) return undefined;
    const trouble = await genesisTrouble(this.log, this.options.place, signal);
    this.genesisSeen = trouble === undefined;
    return trouble;
  }

  /** Looks again, whatever was seen before: the topic may have been deleted and created again since. */
  async checkGenesisAnew(): Promise<string | undefined> {
    this.genesisSeen = false;
    return this.checkGenesis(new AbortController().signal);
  }

  /** @internal */
  report(record: StoredRecord, problem: { reason: BadReason; message: string }): void {
    if (record.offset < this.reportedBelow) return;
    this.reportedBelow = record.offset + 1;
    this.counts.badRecords++;
    this.options.onBadRecord(record, problem);
  }

  private start(members: readonly FeedMember[]): void {
    const tail = new FeedTail(this, members);
    this.tails.add(tail);
    void tail.run();
  }
}

/** One tail of a partition and the replicas it feeds. */
class FeedTail {
  readonly members: Set<FeedMember>;
  /** Everything below was handed to every member. */
  nextOffset = 0;
  private readonly stopping = new AbortController();
  private under: Promise<unknown> = Promise.resolve();
  private cancelPause: () => void = () => undefined;
  private readonly breather: Breather;

  constructor(
    private readonly feed: PartitionFeed,
    members: readonly FeedMember[],
  ) {
    this.members = new Set(members);
    this.breather = new Breather(feed.options.clock);
  }

  stop(): void {
    this.stopping.abort();
    this.cancelPause();
  }

  async run(): Promise<void> {
    const { signal } = this.stopping;
    let pauseMs: number = nodeLimits.feedRetryMinMs;
    while (!signal.aborted && this.members.size > 0) {
      try {
        const problem = await this.feed.checkGenesis(signal);
        if (problem === undefined) {
          await this.follow(() => (pauseMs = nodeLimits.feedRetryMinMs));
          continue;
        }
        this.tellTrouble(problem);
      } catch (error) {
        if (signal.aborted) break;
        if (this.members.size > 1) {
          // Each goes on from its own place, so that the log is asked about each one's own past.
          this.feed.ended(this);
          this.feed.startEach(this.members);
          this.members.clear();
          break;
        }
        this.endured(error);
      }
      await this.pause(pauseMs);
      pauseMs = Math.min(pauseMs * 2, nodeLimits.feedRetryMaxMs);
    }
    this.feed.ended(this);
  }

  private endured(error: unknown): void {
    const { logger, place, partition } = this.feed.options;
    const code = failureCode(error);
    this.feed.counts.restarts++;
    if (code === 'OFFSET_OUT_OF_RANGE' || code === 'LOG_TRUNCATED') {
      for (const member of this.members) member.mustRebuild(`${code}: ${messageOf(error)}`);
      this.members.clear();
      return;
    }
    // A binlog that is missing is being made, or the master's own alarm; see `trouble` for people who ask here.
    const level =
      code === 'TOPIC_MISSING' ? 'debug' : code === 'RECORD_CORRUPT' || code === undefined ? 'error' : 'warn';
    logger[level]({ error, binlog: place.binlog, partition }, 'a binlog partition cannot be followed; trying again');
    this.tellTrouble(messageOf(error));
  }

  private async follow(onBatch: () => void): Promise<void> {
    const { place, partition, clock } = this.feed.options;
    const lowest = [...this.members].reduce((a, b) =>
      a.replica.stagedNext(partition) <= b.replica.stagedNext(partition) ? a : b,
    );
    const nextOffset = asOffset(lowest.replica.stagedNext(partition));
    const { leaderEpoch } = lowest.replica.position(partition);
    this.nextOffset = nextOffset;
    const options = {
      signal: this.stopping.signal,
      bytesMax: nodeLimits.tailBytesMax,
      idleMs: this.feed.options.idleMs(),
    };
    for await (const batch of this.feed.log.tail(place.binlog, partition, { nextOffset, leaderEpoch }, options)) {
      const fetchedAtMs = clock.monotonicMs();
      onBatch();
      await this.take(batch, fetchedAtMs);
      if (this.members.size === 0) return;
      if (batch.records.length > 0 && batch.nextOffset >= batch.endOffset)
        await this.feed.options.pace.linger(this.members.size, this.stopping.signal);
    }
  }

  private async take(batch: LogBatch, fetchedAtMs: number): Promise<void> {
    const { logClock, partition } = this.feed.options;
    const { records } = batch;
    const last = records.at(-1);
    if (last !== undefined) logClock.observe(last.timestampMs);
    this.feed.counts.batches++;
    this.feed.counts.records += records.length;
    const atEnd = batch.nextOffset >= batch.endOffset;
    // What an open transaction holds back was acknowledged, but cannot be read: who stands there is not complete.
    const complete = atEnd && batch.withheldTo === undefined;
    const trouble = atEnd ? withheldProblem(batch) : undefined;
    let from = 0;
    do {
      const to = Math.min(records.length, from + recordsPerWrite);
      const whole = to === records.length;
      const nextOffset = whole ? batch.nextOffset : asOffset((records[to - 1] as StoredRecord).offset + 1);
      const piece: LogBatch = {
        ...batch,
        firstOffset: asOffset(this.nextOffset),
        nextOffset,
        records: whole && from === 0 ? records : records.slice(from, to),
      };
      // One piece is prepared while the one before is written: that bounds what waits in memory.
      const before = this.under;
      this.under = this.hand(piece, { atEndMs: whole && complete ? fetchedAtMs : undefined, trouble });
      this.nextOffset = nextOffset;
      this.feed.meet(this);
      if (!atEnd || records.length > recordsPerWrite) await before;
      if (this.breather.tired(to - from)) await this.breather.breathe();
      from = to;
      if (this.members.size === 0 || this.stopping.signal.aborted) return;
    } while (from < records.length);
    assert(this.nextOffset === batch.nextOffset, `I12: partition ${partition} stands at ${this.nextOffset}`);
  }

  /** Applies a piece to every member, cut where a barrier asks for digests. */
  private hand(
    piece: LogBatch,
    { atEndMs, trouble }: { readonly atEndMs: number | undefined; readonly trouble: string | undefined },
  ): Promise<unknown> {
    const { hashAlgorithm, place, logClock, partition } = this.feed.options;
    const prepared = prepareBatch(piece, { hashAlgorithm, partitions: place.partitions });
    this.reportProblems(prepared);
    const cuts = this.digestBarriers(prepared);
    const completeAtMs = atEndMs === undefined ? undefined : logClock.nowMs();
    const done: Promise<void>[] = [];
    for (const member of this.members) {
      let from = 0;
      let firstOffset: number = piece.firstOffset;
      for (const cut of cuts) {
        const span = { from, to: cut.index + 1, firstOffset, nextOffset: cut.offset + 1 };
        const after = (): void => member.barrier(partition, cut.digestPlan, { offset: cut.offset, timeMs: cut.timeMs });
        const fresh = member.replica.stagedNext(partition) <= cut.offset && member.wantsDigest(cut.chunks);
        done.push(this.applyTo(member, { prepared, span, ...(fresh ? { after } : {}) }));
        from = span.to;
        firstOffset = span.nextOffset;
      }
      const span = { from, to: piece.records.length, firstOffset, nextOffset: piece.nextOffset };
      const complete = completeAtMs === undefined ? {} : { completeAtMs };
      const end = atEndMs === undefined ? {} : { atEndMs };
      done.push(this.applyTo(member, { prepared, span, trouble, ...complete, ...end }));
    }
    return Promise.all(done);
  }

  private async applyTo(member: FeedMember, work: Work): Promise<void> {
    const { partition } = this.feed.options;
    try {
      await member.replica.apply(work.prepared, work.span, work.completeAtMs, work.after);
      member.advanced(partition, work.atEndMs);
      if (work.trouble !== undefined) member.trouble(partition, work.trouble);
    } catch (error) {
      if (!this.members.delete(member)) return;
      member.failed(error);
    }
  }

  private reportProblems({ problems, reserved, records }: PreparedBatch): void {
    const { place } = this.feed.options;
    const bad: { record: StoredRecord; problem: { reason: BadReason; message: string } }[] = problems.map(
      ({ index, reason, message }) => ({ record: records[index] as StoredRecord, problem: { reason, message } }),
    );
    for (const index of reserved) {
      const record = records[index] as StoredRecord;
      const found = readControlRecord(record, place);
      if (found.kind === 'foreign') bad.push({ record, problem: { reason: 'reservedKey', message: found.message } });
    }
    bad.sort((a, b) => a.record.offset - b.record.offset);
    for (const { record, problem } of bad) this.feed.report(record, problem);
  }

  private digestBarriers({ reserved, records }: PreparedBatch): DigestBarrier[] {
    const cuts: DigestBarrier[] = [];
    for (const index of reserved) {
      const record = records[index] as StoredRecord;
      const found = readControlRecord(record, this.feed.options.place);
      if (found.kind !== 'barrier' || found.barrier.digestPlan === null) continue;
      const { digestPlan, chunks } = found.barrier;
      cuts.push({ index, offset: record.offset, timeMs: record.timestampMs, digestPlan, chunks });
    }
    return cuts;
  }

  private tellTrouble(problem: string): void {
    for (const member of this.members) member.trouble(this.feed.options.partition, problem);
  }

  private pause(ms: number): Promise<void> {
    if (this.stopping.signal.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const cancel = this.feed.options.timers.after(ms, resolve);
      this.cancelPause = () => {
        cancel();
        resolve();
      };
    });
  }
}

interface Work {
  readonly prepared: PreparedBatch;
  readonly span: BatchSpan;
  readonly completeAtMs?: number;
  readonly atEndMs?: number;
  readonly after?: () => void;
  readonly trouble?: string | undefined;
}

function withheldProblem({ partition, endOffset, withheldTo }: LogBatch): string | undefined {
  if (withheldTo === undefined) return undefined;
  return (
    `partition ${partition}: a transaction that a producer left open holds back the records from offset ${endOffset} ` +
    `to ${withheldTo}; levee doctor names the producer`
  );
}

interface DigestBarrier {
  readonly index: number;
  readonly offset: Offset;
  readonly timeMs: number;
  readonly digestPlan: string;
  readonly chunks: readonly string[];
}
