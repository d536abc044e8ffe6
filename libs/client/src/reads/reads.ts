import {
  FrameFailure,
  parseEntryError,
  readCommand,
  ReadReply,
  readTags,
  type RespClient,
  RespError,
  sealOfCommand,
  type RespReply,
} from '@levee/wire';
import type { EngineContext } from '../engine-context';
import type { PointRead } from '../operations';
import type { PortalReplica, PortalRoute, ReadTarget } from '../routes/namespace-routes';
import type { NamespaceStore } from '../routes/namespace-store';
import { StoreFailure } from '../store-errors';
import { Hedges } from './hedges';
import type { LostPositions } from './lost-positions';
import { laneOf, ReadBatch } from './read-batch';
import { noRoom, tooLate, unread, unreadableMend } from './read-failures';
import { ReadTurns } from './read-turns';

/**
 * Point reads: gathered per node, namespace and tick; on any trouble the next replica is asked, until the deadline; see
 * `Hedges` for nodes that take long.
 */
export class Reads {
  private open: ReadBatch[] = [];
  private scheduled = false;
  private again: { namespace: NamespaceStore; read: PointRead }[] = [];
  private retryArmed = false;
  private closed = false;
  /** Reads not settled. */
  outstanding = 0;
  /** Turns with every tick: which replica eventual reads begin with. */
  private turn = 0;
  private readonly hedges: Hedges;
  private readonly turns: ReadTurns;
  private admitScheduled = false;
  private lookArmed = false;
  private counts = { reads: 0, hits: 0, misses: 0, batches: 0, retries: 0, failures: 0 };

  constructor(
    private readonly context: EngineContext,
    private readonly lost: LostPositions,
  ) {
    this.hedges = new Hedges(context, (batch) => this.hedge(batch));
    this.turns = new ReadTurns(context.limits);
  }

  stats(): Readonly<Record<string, number>> {
    const { sent, won, refused, slow } = this.hedges.stats();
    const hedging = { hedgesSent: sent, hedgesWon: won, hedgesRefused: refused, slowBatches: slow };
    return {
      ...this.counts,
      ...(hedging as Record<string, number>),
      outstanding: this.outstanding,
      waiting: this.turns.waiting,
    };
  }

  /** Counts a read in; every read is counted out when it is answered. */
  begin(): void {
    this.outstanding++;
    this.counts.reads++;
  }

  /** Reads when it is its turn, which comes at once as long as not too much is under way. `read` is placed. */
  enter(namespace: NamespaceStore, read: PointRead): void {
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
  private dispatch(namespace: NamespaceStore, read: PointRead): void {
    const route = namespace.table?.at(read.slot);
    if (!route || namespace.gone) return this.later(namespace, read);
    let choice = this.choose(route, read, false);
    if (choice < 0) choice = this.choose(route, read, true);
    if (choice < 0) return this.later(namespace, read);
    this.ask(namespace, take(route, choice, read), read);
  }

  private ask(namespace: NamespaceStore, target: ReadTarget, read: PointRead): void {
    read.legs++;
    const lane = laneOf(read, target, this.context.limits);
    let batch = target.open[lane];
    if (!batch?.hasRoomFor(read))
      target.open[lane] = batch = this.opened(new ReadBatch(namespace, target, lane, this.context.expiryNowMs()));
    const clockMs = read.session?.clockMs ?? 0;
    if (clockMs > batch.clockMs) batch = this.ahead(batch, read, clockMs);
    batch.add(read);
  }

  private opened(batch: ReadBatch): ReadBatch {
    this.open.push(batch);
    this.schedule();
    return batch;
  }

  /** For a session whose clock is ahead of this process, as its token says: rare, and over once time has caught up. */
  private ahead({ namespace, target, lane }: ReadBatch, read: PointRead, clockMs: number): ReadBatch {
    const batches = (target.ahead ??= new Map<number, ReadBatch>());
    const key = clockMs * 4 + lane;
    let batch = batches.get(key);
    if (!batch?.hasRoomFor(read))
      batches.set(key, (batch = this.opened(new ReadBatch(namespace, target, lane, clockMs))));
    return batch;
  }

  close(): void {
    this.closed = true;
    const stopping = new StoreFailure('LVSTOPPING', 'this process is shutting down');
    for (const { read } of this.again.splice(0)) this.fail(read, stopping);
    this.turns.clear(({ read }) => {
      this.outstanding--;
      read.failed(stopping);
    });
  }

  /**
   * Which replica of the route is next, of those not tried yet, in doubt or not; -1 = none. Eventual reads begin with
   * any that is up. Call {@link take} when it is asked: until then it counts as not tried.
   */
  private choose(route: PortalRoute, read: PointRead, doubted: boolean, except?: ReadTarget): number {
    if (read.routeSeq !== route.seq) {
      read.routeSeq = route.seq;
      read.tried = 0;
    }
    const { readable, upCount } = route;
    const shift = read.consistency === 'eventual' && upCount > 1 ? this.turn % upCount : 0;
    for (let n = 0; n < readable.length; n++) {
      const i = n < upCount ? (n + shift) % upCount : n;
      const { target } = readable[i] as PortalReplica;
      if ((read.tried & (1 << i)) !== 0 || target === except || !target.link.usable) continue;
      if (target.link.isDoubted(this.context.clock) === doubted) return i;
    }
    return -1;
  }

  /** Asks other nodes for what the batch's node takes long to answer: only such as are well, and within the budget. */
  private hedge({ namespace, target, reads }: ReadBatch): void {
    for (const read of reads) {
      if (read.settled || read.hedgedTo !== undefined) continue;
      const route = namespace.table?.at(read.slot);
      const choice = route ? this.choose(route, read, false, target) : -1;
      if (!route || choice < 0) continue;
      if (!this.hedges.take()) return;
      const other = take(route, choice, read);
      read.hedgedTo = other;
      this.ask(namespace, other, read);
    }
  }

  private schedule(): void {
    if (this.scheduled) return;
    this.scheduled = true;
    setImmediate(this.flush);
  }

  private readonly flush = (): void => {
    this.scheduled = false;
    const batches = this.open;
    this.open = [];
    this.turn++;
    for (const batch of batches) {
      const { target, lane } = batch;
      if (target.open[lane] === batch) target.open[lane] = undefined;
      target.ahead = undefined;
      if (batch.reads.length > 0) this.send(batch);
    }
  };

  private send(batch: ReadBatch): void {
    const { namespace, target, lane } = batch;
    const { positionWaitMs, attemptMs } = this.context.limits;
    this.counts.batches++;
    const header = {
      namespace: namespace.name,
      tableVersion: namespace.table?.version ?? 0,
      maxAgeMs: namespace.state.maxStalenessMs ?? -1,
      nowMs: batch.clockMs,
      deadlineMs: positionWaitMs,
    };
    const { link } = target;
    const client = [link.reads, link.waitingReads, link.largeReads][lane] as RespClient;
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

  private answer(namespace: NamespaceStore, read: PointRead, cursor: ReadReply): void {
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
  private askAgain(namespace: NamespaceStore, read: PointRead): void {
    this.turns.again({ namespace, read });
    this.look();
  }

  /** One key's error: final, or the next replica's turn. */
  private refused(namespace: NamespaceStore, read: PointRead, text: string): void {
    const error = parseEntryError(text);
    switch (error?.code) {
      case 'LVUNREADABLE':
        return this.fail(read, new StoreFailure('LVUNREADABLE', `${error.detail}; ${unreadableMend}`));
      case 'LVBEHIND':
        read.lastFailure = new StoreFailure('LVBEHIND', `${read.partition}:${read.minOffset} is not applied yet`);
        break;
      case 'LVLIMIT':
        // Another replica would only multiply the limit.
        if (read.legs > 0) return;
        return this.fail(read, new StoreFailure('LVLIMIT', error.detail));
      case 'LVSTOPPED':
        read.lastFailure = new StoreFailure('LVSTOPPED', error.detail);
        break;
      case 'LVSTALE':
        read.lastFailure = new StoreFailure('LVSTALE', `the replica is ${error.detail} ms old`);
        break;
      default:
        read.lastFailure = new StoreFailure('LVUNAVAILABLE', text);
    }
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
  private next(namespace: NamespaceStore, read: PointRead): void {
    if (read.legs > 0) return;
    this.counts.retries++;
    this.dispatch(namespace, read);
  }

  /** Every replica was asked, or none can be: begin again after a pause, until the deadline. */
  private later(namespace: NamespaceStore, read: PointRead): void {
    if (this.closed) return this.fail(read, new StoreFailure('LVSTOPPING', 'this process is shutting down'));
    if (namespace.gone) return this.fail(read, namespace.gone);
    read.tried = 0;
    this.again.push({ namespace, read });
    if (this.retryArmed) return;
    this.retryArmed = true;
    this.context.timers.after(this.context.limits.retryMs, () => this.retry());
  }

  private retry(): void {
    this.retryArmed = false;
    const waiting = this.again;
    this.again = [];
    const now = this.context.clock.monotonicMs();
    for (const { namespace, read } of waiting) {
      if (read.deadlineAtMs > now) this.dispatch(namespace, read);
      else this.late(namespace, read);
    }
  }

  private late(namespace: NamespaceStore, read: PointRead): void {
    const failure =
      read.lastFailure ??
      new StoreFailure('LVUNAVAILABLE', namespace.problem ?? 'no replica of the key can be reached');
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

/** The replica is asked now. */
function take(route: PortalRoute, choice: number, read: PointRead): ReadTarget {
  read.tried |= 1 << choice;
  return (route.readable[choice] as PortalReplica).target;
}
