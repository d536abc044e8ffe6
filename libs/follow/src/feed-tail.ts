import { type BatchSpan, Breather, prepareBatch, type PreparedBatch } from '@levee/chunk-store';
import { asOffset, assert, failureCode, messageOf, type Offset, pause } from '@levee/kernel';
import { boundsOf, followTopic, type LogBatch, LogFailure, type LogPosition, type StoredRecord } from '@levee/log';
import { readControlRecord } from './control-records';
import { followLimits } from './follow-limits';
import { isLogLoss, lossBehind } from './log-cut';
import { badBatch, begins, bytesOf, withheldProblem } from './feed-piece';
import type { BadRecord, FeedMember, FollowedReplica, PartitionFeed } from './partition-feed';

const recordsPerWrite = 512;

/** Where a tail goes from one place to another. */
export interface Stretch {
  readonly from: FeedPlace;
  readonly to: FeedPlace;
}

/** A place in a log: an offset, and the leader epoch of the record before it; `undefined` = not known for sure. */
interface FeedPlace {
  readonly nextOffset: number;
  readonly epoch: number | undefined;
}

/** One tail of a partition and the replicas it feeds. */
export class FeedTail {
  readonly members: Map<FeedMember, FollowedReplica>;
  /** Everything below was handed to every member; `undefined` before it knows where it begins. */
  private at: FeedPlace | undefined;
  private readonly stopping = new AbortController();
  /** Of the piece handed in last, which is applied last. */
  private under: Promise<unknown> = Promise.resolve();
  /** Pieces handed in and not applied yet, and the bytes of their records. */
  private unapplied = { pieces: 0, bytes: 0 };
  private pauseMs: number = followLimits.feedRetryMinMs;
  private readonly breather: Breather;

  constructor(
    private readonly feed: PartitionFeed,
    first: readonly [FeedMember, FollowedReplica],
  ) {
    this.members = new Map([first]);
    this.breather = new Breather(feed.options.clock);
  }

  stop(): void {
    this.stopping.abort();
  }

  /** It stands at one end of the stretch, or between them: what is below it is then what the stretch goes on from. */
  standsIn({ from, to }: Stretch): boolean {
    const { at } = this;
    // Before the first record nothing can differ; behind one whose epoch is unknown everything can.
    if (at === undefined || at.epoch === undefined || (at.epoch < 0 && at.nextOffset > 0)) return false;
    if (at.nextOffset === from.nextOffset) return at.epoch === from.epoch;
    if (at.nextOffset === to.nextOffset) return at.epoch === to.epoch;
    const between = at.nextOffset > from.nextOffset && at.nextOffset < to.nextOffset;
    return between && at.epoch === from.epoch && at.epoch === to.epoch;
  }

  async run(): Promise<void> {
    const { signal } = this.stopping;
    const { timers, place, partition, idleMs, topicId = place.sourceTopicId } = this.feed.options;
    const lookingFor = topicId === undefined ? {} : { topicId };
    let isTogether = true;
    await followTopic(
      this.feed.log,
      { topic: place.binlog, partition },
      {
        signal,
        timers,
        tail: () => ({ ...lookingFor, bytesMax: followLimits.tailBytesMax, idleMs: idleMs(), takesBadStretches: true }),
        retryMs: () => this.nextPauseMs(),
        start: () => this.begin(),
        onBatch: (batch) => this.take(batch),
        onFailure: ({ error }) => {
          isTogether = this.members.size === 1;
          if (isTogether) this.endured(error);
          return isTogether && this.members.size > 0 ? 'again' : 'stop';
        },
      },
    );
    if (!isTogether) await this.part();
    this.feed.ended(this);
  }

  /** Each member goes on alone: what made all of them fail may be the trouble of one. */
  private async part(): Promise<void> {
    const { signal } = this.stopping;
    // It may fail again at once.
    await pause(this.feed.options.timers, this.nextPauseMs(), signal);
    // Nobody would stop tails that begin after the feed was closed.
    if (signal.aborted) return;
    this.feed.ended(this);
    this.feed.startEach(this.members);
    this.members.clear();
  }

  private nextPauseMs(): number {
    const ms = this.pauseMs;
    this.pauseMs = Math.min(ms * 2, followLimits.feedRetryMaxMs);
    return ms;
  }

  private endured(error: unknown): void {
    const { logger, place, partition } = this.feed.options;
    const code = failureCode(error);
    this.feed.counts.restarts++;
    if (isLogLoss(error)) {
      for (const member of [...this.members.keys()]) {
        this.feed.detach(member);
        member.logLost(partition, error);
      }
      return;
    }
    // [safety] Of one leader epoch for ever, another topic under the name denies no place of ours (I2).
    if (code === 'TOPIC_MISSING') this.feed.forgetGenesis();
    // A binlog that is missing is being made, or the master's own alarm; see `trouble` for people who ask here.
    const level =
      code === 'TOPIC_MISSING' ? 'debug' : code === 'RECORD_CORRUPT' || code === undefined ? 'error' : 'warn';
    logger[level]({ error, binlog: place.binlog, partition }, 'a binlog partition cannot be followed; trying again');
    this.tellTrouble(messageOf(error));
    if (code === 'RECORD_CORRUPT')
      for (const member of this.members.keys()) member.unreadable(partition, error as LogFailure);
  }

  /** What does not begin with our Genesis may be cut to nothing: then those who hold more are its witnesses. */
  private async lookBehind(): Promise<void> {
    const { place, partition } = this.feed.options;
    for (const [member, replica] of [...this.members]) {
      const loss = await lossBehind(this.feed.log, place, partition, replica.position(partition));
      if (loss === undefined || !this.members.has(member)) continue;
      this.feed.detach(member);
      member.logLost(partition, loss);
    }
  }

  /** Where to read; `undefined` while the log does not begin with our Genesis. */
  private async begin(): Promise<LogPosition | undefined> {
    const problem = await this.feed.checkGenesis(this.stopping.signal);
    if (problem !== undefined) {
      this.tellTrouble(problem);
      await this.lookBehind();
      return undefined;
    }
    const { partition } = this.feed.options;
    const lowest = [...this.members.values()].reduce((a, b) =>
      a.stagedNext(partition) <= b.stagedNext(partition) ? a : b,
    );
    const nextOffset = asOffset(lowest.stagedNext(partition));
    const leaderEpoch = lowest.stagedEpoch(partition);
    this.at = { nextOffset, epoch: leaderEpoch };
    return nextOffset === 0 ? { nextOffset: await this.firstOffset(), leaderEpoch } : { nextOffset, leaderEpoch };
  }

  /** A topic of others may begin above 0: who has nothing of it yet begins there. */
  private async firstOffset(): Promise<Offset> {
    const { place, partition } = this.feed.options;
    if (place.sourceTopicId === undefined) return asOffset(0);
    return (await boundsOf(this.feed.log, { topic: place.binlog, partition })).startOffset;
  }

  private async take(batch: LogBatch): Promise<void> {
    // [safety] Of when the end was asked for: the answer may have waited, and the whole process with it (I4).
    const askedMs = batch.endAskedMs ?? this.feed.options.clock.monotonicMs();
    this.pauseMs = followLimits.feedRetryMinMs;
    // What was under way when its members went to another tail, or away: nobody may join one that ends.
    if (this.members.size === 0 || this.stopping.signal.aborted) return;
    const { logClock, partition } = this.feed.options;
    const { records, leaderEpoch, badStretches } = batch;
    const begun = this.at as FeedPlace;
    if (records.length > 0 && begun.epoch !== undefined && leaderEpoch >= 0 && leaderEpoch < begun.epoch)
      throw this.foreignEpoch(begun, leaderEpoch);
    const last = records.at(-1);
    // Times in a topic of others are those of its producers' clocks.
    if (last !== undefined && !this.isBound) logClock.observe(last.timestampMs);
    this.feed.counts.batches++;
    this.feed.counts.records += records.length;
    const atEnd = batch.nextOffset >= batch.endOffset;
    // What an open transaction holds back was acknowledged, but cannot be read: who stands there is not complete.
    const complete = atEnd && batch.withheldTo === undefined;
    const trouble = atEnd ? withheldProblem(batch) : undefined;
    // Inside a batch of several epochs nobody knows which record is of which.
    const within = begun.epoch === leaderEpoch ? leaderEpoch : undefined;
    let at = begun;
    let from = 0;
    do {
      const to = Math.min(records.length, from + recordsPerWrite);
      const whole = to === records.length;
      const nextOffset = whole ? batch.nextOffset : asOffset((records[to - 1] as StoredRecord).offset + 1);
      const next = { nextOffset, epoch: whole ? leaderEpoch : within };
      this.feed.gather(this, { from: at, to: next });
      const firstOffset = asOffset(at.nextOffset);
      const some = whole && from === 0 ? records : records.slice(from, to);
      let piece: LogBatch = { ...batch, firstOffset, nextOffset, records: some };
      if (badStretches !== undefined)
        piece = { ...piece, badStretches: badStretches.filter((bad) => begins(bad, firstOffset, nextOffset)) };
      const before = this.under;
      // Behind the end only one waits, whatever its size.
      const bytes = atEnd ? bytesOf(piece) : 0;
      this.hand(piece, bytes, { atEndMs: whole && complete ? askedMs : undefined, isExact: whole && atEnd, trouble });
      this.at = at = next;
      // One piece is prepared while the one before is written: that bounds what waits in memory. At the end they are
      // small and come one by one, so some more may wait.
      if (!atEnd || records.length > recordsPerWrite || this.holdsMuch) await before;
      if (this.breather.tired(to - from)) await this.breather.breathe();
      from = to;
      if (this.members.size === 0 || this.stopping.signal.aborted) return;
    } while (from < records.length);
    assert(at.nextOffset === batch.nextOffset, `I12: partition ${partition} stands at ${at.nextOffset}`);
    if (records.length > 0 && atEnd) await this.feed.options.pace.linger(this.members.size, this.stopping.signal);
  }

  private get holdsMuch(): boolean {
    const { pieces, bytes } = this.unapplied;
    return pieces >= followLimits.applyPiecesMax || bytes >= followLimits.applyBytesMax;
  }

  private hand(piece: LogBatch, bytes: number, end: End): void {
    const { unapplied } = this;
    unapplied.pieces++;
    unapplied.bytes += bytes;
    this.under = this.applyToAll(piece, end).then(() => {
      unapplied.pieces--;
      unapplied.bytes -= bytes;
    });
  }

  /** Applies a piece to every member, cut where a barrier asks for digests. */
  private applyToAll(piece: LogBatch, { atEndMs, isExact, trouble }: End): Promise<unknown> {
    const { hashAlgorithm, recordFormat, hiddenAfterMs, place, logClock, partition } = this.feed.options;
    const reading = { hashAlgorithm, recordFormat, hiddenAfterMs, partitions: place.partitions };
    const prepared = prepareBatch(piece, reading);
    this.reportProblems(prepared);
    if (this.isBound) return this.applyAtPlaces(prepared, { atEndMs, isExact, trouble });
    const cuts = this.digestBarriers(prepared);
    const completeAtMs = atEndMs === undefined ? undefined : logClock.at(atEndMs);
    const done: Promise<void>[] = [];
    for (const [member, replica] of this.members) {
      if (!member.mayGoOn(partition)) continue;
      let from = 0;
      let firstOffset: number = piece.firstOffset;
      for (const cut of cuts) {
        const span = { from, to: cut.index + 1, firstOffset, nextOffset: cut.offset + 1 };
        const after = (): void => member.barrier(partition, cut.digestPlan, { offset: cut.offset, timeMs: cut.timeMs });
        const fresh = replica.stagedNext(partition) <= cut.offset && member.wantsDigest(cut.chunks);
        done.push(this.applyTo(member, replica, { prepared, span, after: fresh ? after : undefined }));
        from = span.to;
        firstOffset = span.nextOffset;
      }
      const span = { from, to: piece.records.length, firstOffset, nextOffset: piece.nextOffset };
      done.push(this.applyTo(member, replica, { prepared, span, trouble, completeAtMs, atEndMs }));
    }
    return Promise.all(done);
  }

  /** The same of a topic of others, cut where an order asks for digests. */
  private applyAtPlaces(prepared: PreparedBatch, { atEndMs, isExact, trouble }: End): Promise<unknown> {
    const { batch: piece } = prepared;
    const { logClock, partition } = this.feed.options;
    const orders = this.feed.ordersIn(piece);
    const completeAtMs = atEndMs === undefined ? undefined : logClock.at(atEndMs);
    const done: Promise<void>[] = [];
    for (const [member, replica] of this.members) {
      if (!member.mayGoOn(partition)) continue;
      const isWhole = this.feed.isWhole(replica, piece);
      let from = 0;
      let firstOffset: number = piece.firstOffset;
      for (const { at, index } of orders) {
        const isTrue = isWhole || (isExact && at.nextOffset === piece.nextOffset);
        if (replica.stagedNext(partition) >= at.nextOffset || !isTrue || !member.wantsDigest(at.chunks)) continue;
        const span = { from, to: index, firstOffset, nextOffset: at.nextOffset };
        done.push(
          this.applyTo(member, replica, { prepared, span, after: () => this.feed.digest(member, replica, at) }),
        );
        from = index;
        firstOffset = at.nextOffset;
      }
      const span = { from, to: piece.records.length, firstOffset, nextOffset: piece.nextOffset };
      done.push(this.applyTo(member, replica, { prepared, span, trouble, completeAtMs, atEndMs }));
      this.feed.handed(replica, piece, isExact);
    }
    return Promise.all(done);
  }

  private get isBound(): boolean {
    return this.feed.options.place.sourceTopicId !== undefined;
  }

  private async applyTo(member: FeedMember, replica: FollowedReplica, work: Work): Promise<void> {
    const { feed } = this;
    const { partition, clock, applyTimes } = feed.options;
    const beganAtMs = clock.monotonicMs();
    try {
      await replica.apply(work.prepared, work.span, work.completeAtMs, work.after);
      if (work.span.to > work.span.from) applyTimes?.observe(clock.monotonicMs() - beganAtMs);
      if (!feed.feeds(member, replica)) return;
      member.advanced(partition, work.atEndMs);
      if (work.trouble !== undefined) member.trouble(partition, work.trouble);
    } catch (error) {
      // Whichever tail feeds it by now: it has a gap.
      if (!feed.feeds(member, replica)) return;
      feed.detach(member);
      member.failed(error);
    }
  }

  private reportProblems({ problems, reserved, records, batch }: PreparedBatch): void {
    if (problems.length === 0 && reserved.length === 0 && batch.badStretches === undefined) return;
    const { place } = this.feed.options;
    const bad: { record: StoredRecord; problem: BadRecord }[] = problems.map(({ index, reason, message }) => ({
      record: records[index] as StoredRecord,
      problem: { reason, message },
    }));
    for (const index of reserved) {
      const record = records[index] as StoredRecord;
      const found = readControlRecord(record, place);
      if (found.kind === 'foreign') bad.push({ record, problem: { reason: 'reservedKey', message: found.message } });
    }
    for (const stretch of batch.badStretches ?? []) bad.push(badBatch(stretch));
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
    for (const member of this.members.keys()) member.trouble(this.feed.options.partition, problem);
  }

  /** Epochs never fall in one log. */
  private foreignEpoch({ nextOffset, epoch }: FeedPlace, found: number): LogFailure {
    const { place, partition } = this.feed.options;
    return new LogFailure(
      'LOG_TRUNCATED',
      `topic ${place.binlog}, partition ${partition}: a record behind offset ${nextOffset} is of leader epoch ${found}, ` +
        `those before it were of epoch ${epoch}: it is not the log that was read before`,
    );
  }
}

interface Work {
  readonly prepared: PreparedBatch;
  readonly span: BatchSpan;
  readonly completeAtMs?: number | undefined;
  readonly atEndMs?: number | undefined;
  readonly after?: (() => void) | undefined;
  readonly trouble?: string | undefined;
}

/** What a piece says of the partition's end. */
interface End {
  readonly atEndMs: number | undefined;
  /** It reaches the end of what readers are told: compaction had not removed anything for what comes behind. */
  readonly isExact: boolean;
  readonly trouble: string | undefined;
}

interface DigestBarrier {
  readonly index: number;
  readonly offset: Offset;
  readonly timeMs: number;
  readonly digestPlan: string;
  readonly chunks: readonly string[];
}
