import {
  FrameFailure,
  readCommand,
  ReadReply,
  readTags,
  type RespClient,
  RespError,
  sealOfCommand,
  type RespReply,
} from '@levee/wire';
import type { ReadContext } from '../engine-context';
import type { PointRead } from '../operations';
import type { ReadNamespace } from '../routes/read-namespace';
import { StoreFailure } from '../store-errors';
import { GatheredReads } from './gathered-reads';
import { Hedges } from './hedges';
import type { PositionLook } from './lost-positions';
import { clientOf, type ReadBatch } from './read-batch';
import { entryFailure, noRoom, stopping, tooLate, unread, unreachable } from './read-failures';
import { ReadRetries } from './read-retries';
import { ReadTurns } from './read-turns';
import { choose, take } from './replica-choice';

/**
 * Point reads: gathered per node, namespace and tick; on any trouble the next replica is asked, until the deadline; see
 * `Hedges` for nodes that take long.
 */
export class Reads {
  private closed = false;
  /** Reads not settled. */
  outstanding = 0;
  private readonly gathered: GatheredReads;
  private readonly retries: ReadRetries;
  private readonly hedges: Hedges;
  private readonly turns: ReadTurns;
  private admitScheduled = false;
  private lookArmed = false;
  private counts = { reads: 0, hits: 0, misses: 0, batches: 0, retries: 0, failures: 0 };

  constructor(
    private readonly context: ReadContext,
    private readonly lost: PositionLook,
  ) {
    this.hedges = new Hedges(context, (batch) => this.hedge(batch));
    this.turns = new ReadTurns(context.limits);
    this.gathered = new GatheredReads(context, (batch) => this.send(batch));
    this.retries = new ReadRetries(context, {
      again: (namespace, read) => this.dispatch(namespace, read),
      late: (namespace, read) => this.late(namespace, read),
    });
  }

  stats(): Readonly<Record<string, number>> {
    const { outstanding } = this;
    return { ...this.counts, ...this.hedges.stats(), outstanding, waiting: this.turns.waiting };
  }

  /** Counts a read in; every read is counted out when it is answered. */
  begin(): void {
    this.outstanding++;
    this.counts.reads++;
  }

  /** Reads when it is its turn, which comes at once as long as not too much is under way. `read` is placed. */
  enter(namespace: ReadNamespace, read: PointRead): void {
    const { limits, clock } = this.context;
    const nowMs = clock.monotonicMs();
    read.deadlineAtMs = nowMs + limits.readMs;
    if (this.turns.enter(namespace, read)) return this.dispatch(namespace, read);
    read.deadlineAtMs = nowMs + limits.readTurnMs;
    this.look();
  }

  /** Whose readers are full is not told when they are no more. */
  private look(): void {
    if (this.lookArmed || this.closed) return;
    this.lookArmed = true;
    this.context.timers.after(lookMs, () => {
      this.lookArmed = false;
      this.turns.sweep(this.context.clock.monotonicMs(), ({ read }) => this.expire(read));
      this.admit();
      if (this.turns.waiting > 0) this.look();
    });
  }

  private readonly admit = (): void => {
    this.admitScheduled = false;
    if (this.turns.waiting === 0) return;
    const nowMs = this.context.clock.monotonicMs();
    const { readMs } = this.context.limits;
    const isOver = this.turns.admit(
      ({ namespace, read }) => {
        if (read.deadlineAtMs <= nowMs) return this.fail(read, tooLate(read, this.context.limits));
        if (read.routeSeq < 0) read.deadlineAtMs = nowMs + readMs;
        this.dispatch(namespace, read);
      },
      ({ read }) => this.drop(read),
    );
    if (!isOver) this.admitSoon();
  };

  private admitSoon(): void {
    if (this.admitScheduled || this.turns.waiting === 0) return;
    this.admitScheduled = true;
    setImmediate(this.admit);
  }

  /** Its turn has not come. */
  private expire(read: PointRead): void {
    this.outstanding--;
    this.counts.failures++;
    read.failed(tooLate(read, this.context.limits));
  }

  /** Nobody waits for what was never asked for. */
  private drop(read: PointRead): void {
    this.outstanding--;
    read.failed(unread);
  }

  /** Every read that had its turn ends here, once. */
  private over(read: PointRead, valueBytes: number): void {
    this.outstanding--;
    this.turns.leave(read, valueBytes);
    this.admitSoon();
  }

  /** Asks the best replica not tried yet. `read` is placed and knows its deadline. */
  private dispatch(namespace: ReadNamespace, read: PointRead): void {
    const route = namespace.table?.at(read.slot);
    if (!route || namespace.gone) return this.later(namespace, read);
    const { clock } = this.context;
    const { turn } = this.gathered;
    let choice = choose(route, read, turn, false, clock);
    if (choice < 0 && (this.context.isPatient || read.asksDoubted)) choice = choose(route, read, turn, true, clock);
    if (choice < 0) return this.later(namespace, read);
    this.gathered.add(namespace, take(route, choice, read), read);
  }

  close(): void {
    this.closed = true;
    const why = stopping();
    for (const { read } of this.retries.takeAll()) this.fail(read, why);
    this.turns.clear(({ read }) => {
      this.outstanding--;
      read.failed(why);
    });
  }

  /** Asks other nodes for what the batch's node takes long to answer: only such as are well, and within the budget. */
  private hedge({ namespace, target, reads }: ReadBatch): void {
    const { clock } = this.context;
    const { turn } = this.gathered;
    for (const read of reads) {
      if (read.settled || read.hedgedTo !== undefined) continue;
      const route = namespace.table?.at(read.slot);
      const choice = route ? choose(route, read, turn, false, clock, target) : -1;
      if (!route || choice < 0) continue;
      if (!this.hedges.take()) return;
      const other = take(route, choice, read);
      read.hedgedTo = other;
      this.gathered.add(namespace, other, read);
    }
  }

  private send(batch: ReadBatch): void {
    const { namespace } = batch;
    const { positionWaitMs, attemptMs } = this.context.limits;
    this.counts.batches++;
    const header = {
      namespace: namespace.askedAs,
      tableVersion: namespace.table?.version ?? 0,
      maxAgeMs: namespace.state.maxStalenessMs ?? -1,
      nowMs: batch.clockMs,
      deadlineMs: positionWaitMs,
    };
    const client = clientOf(batch);
    this.hedges.sent(batch);
    const command = readCommand(header, batch.entries);
    batch.seal = sealOfCommand(command);
    client.send(command, attemptMs, (failure, reply) => {
      if (failure) {
        this.hedges.failed(batch, failure.code);
        return this.failedAll(batch, failure.message);
      }
      this.hedges.answered(batch);
      this.answered(batch, reply, client);
    });
  }

  private answered(batch: ReadBatch, reply: RespReply, client: RespClient): void {
    if (reply instanceof RespError) return this.failedAll(batch, reply.text);
    if (!Buffer.isBuffer(reply)) return this.failedAll(batch, 'a reply of another type');
    const { namespace, target, reads } = batch;
    let answered = 0;
    try {
      const cursor = new ReadReply(reply, batch.seal);
      namespace.heard(cursor.tableVersion);
      if (cursor.count !== reads.length) throw new FrameFailure(`${cursor.count} answers to ${reads.length} reads`);
      for (; answered < reads.length; answered++) {
        cursor.next();
        const read = reads[answered] as PointRead;
        read.legs--;
        if (read.settled) continue;
        if (read.hedgedTo === target) this.hedges.won();
        read.session?.observeClock(batch.clockMs);
        this.answer(namespace, read, cursor);
      }
      for (const { partition, nextOffset } of cursor.positions())
        if (nextOffset > (target.applied[partition] ?? Infinity)) target.applied[partition] = nextOffset;
    } catch (error) {
      if (!(error instanceof FrameFailure)) throw error;
      this.context.logger.error({ node: target.link.address.nodeId, error: error.message }, 'a bad read reply');
      this.failedAll(batch, error.message, answered);
      client.renew(error.message);
    }
  }

  private answer(namespace: ReadNamespace, read: PointRead, cursor: ReadReply): void {
    if (cursor.tag === readTags.value) {
      this.over(read, cursor.valueEnd - cursor.valueStart);
      this.counts.hits++;
      read.found(cursor.buffer, cursor.valueStart, cursor.valueEnd, cursor.expiresAtMs, cursor.offset);
    } else if (cursor.tag === readTags.nil) {
      this.over(read, 0);
      this.counts.misses++;
      read.missing(cursor.offset);
    } else if (cursor.tag === readTags.again) {
      read.tried = 0;
      if (read.legs > 0) return;
      if (read.deadlineAtMs > this.context.clock.monotonicMs()) this.askAgain(namespace, read);
      else this.fail(read, noRoom());
    } else this.refused(namespace, read, cursor.errorText());
  }

  /** Values are larger than was thought: fewer at a time. Its deadline stays. */
  private askAgain(namespace: ReadNamespace, read: PointRead): void {
    this.turns.again({ namespace, read });
    this.look();
  }

  /** One key's error: final, or the next replica's turn. */
  private refused(namespace: ReadNamespace, read: PointRead, text: string): void {
    const failure = entryFailure(read, text);
    // Another replica would only multiply the limit.
    if (failure.code === 'LVLIMIT' && read.legs > 0) return;
    if (failure.code === 'LVLIMIT' || failure.code === 'LVUNREADABLE') return this.fail(read, failure);
    read.lastFailure = failure;
    this.next(namespace, read);
  }

  private failedAll(batch: ReadBatch, why: string, from = 0): void {
    const { namespace, reads } = batch;
    const failure = new StoreFailure('LVUNAVAILABLE', why);
    for (let i = from; i < reads.length; i++) {
      const read = reads[i] as PointRead;
      read.legs--;
      if (read.settled) continue;
      read.lastFailure = failure;
      this.next(namespace, read);
    }
  }

  /** This node did not help: the next one's turn, unless another still has it in hand. */
  private next(namespace: ReadNamespace, read: PointRead): void {
    if (read.legs > 0) return;
    this.counts.retries++;
    this.dispatch(namespace, read);
  }

  /** Every replica was asked, or none can be: begin again after a pause, until the deadline, or leave it to who asks. */
  private later(namespace: ReadNamespace, read: PointRead): void {
    if (this.closed) return this.fail(read, stopping());
    // A node may have heard sooner than this process that nothing there is to be read.
    const refused = namespace.gone ?? namespace.distrust;
    if (refused) return this.fail(read, refused);
    if (!this.context.isPatient) return this.fail(read, read.lastFailure ?? unreachable(namespace));
    read.tried = 0;
    this.retries.add({ namespace, read });
  }

  private late(namespace: ReadNamespace, read: PointRead): void {
    const failure = read.lastFailure ?? unreachable(namespace);
    const { session, partition, minOffset: nextOffset } = read;
    const isKnown = session !== undefined || namespace.writes.newestOf(partition) >= nextOffset;
    if (failure.code !== 'LVBEHIND' || !isKnown) return this.fail(read, failure);
    this.lost.look(namespace, { partition, nextOffset, session }, failure, (told) => this.fail(read, told));
  }

  private fail(read: PointRead, failure: StoreFailure): void {
    this.over(read, 0);
    this.counts.failures++;
    read.failed(failure);
  }
}

const lookMs = 10;
