import type { HeadedValue } from '@levee/codec';
import { asOffset, asPartition, type Offset, type Partition } from '@levee/kernel';
import type { Session } from '@levee/keyspace';
import type { ReadLine } from './reads/read-turns';
import type { SeenBefore } from './reads/seen-before';
import type { UnsettledReads } from './reads/unsettled-reads';
import type { Place } from './room';
import type { StoreFailure } from './store-errors';
import type { AppendLine } from './writes/append-turns';
import type { ChunkLoad } from './writes/chunk-loads';

export type Ack = 'logged' | 'primary' | 'all';
export type Consistency = 'eventual' | 'session' | 'strong';

export const acks: readonly Ack[] = ['logged', 'primary', 'all'];
export const consistencies: readonly Consistency[] = ['eventual', 'session', 'strong'];

/** What whoever reads remembers of what it wrote and saw. */
export type ReadSession = Pick<
  Session,
  'clockMs' | 'nextOffset' | 'observe' | 'observeClock' | 'letGo' | 'letGoOfClock'
>;

/** Who waits for a position of a partition that was appended after it asked. */
export interface FenceWaiter {
  readonly deadlineAtMs: number;
  fenced(nextOffset: Offset): void;
  fenceFailed(failure: StoreFailure): void;
}

/**
 * One read of one key: also its own entry in every queue, so that a GET costs one object. Doors subclass it; exactly
 * one of `onValue`, `onMissing`, `onFailure` is called, once, never before `Store.read` returned.
 */
export abstract class PointRead {
  /** -1 until it is placed. */
  slot = -1;
  partition: Partition = asPartition(0);
  hash = 0;
  /** The replica must have applied its partition up to here. */
  minOffset: Offset = asOffset(0);
  /** All that a session read must see; without it what was seen by now. */
  seenBefore: SeenBefore | undefined;
  deadlineAtMs = 0;
  /** Replicas already asked, one bit each, in the order of the route `routeSeq`. */
  tried = 0;
  routeSeq = -1;
  lastFailure: StoreFailure | undefined;
  /** Nodes in doubt are asked too, where there is no other: better late than not at all. */
  asksDoubted = false;
  /** Nodes asked that have not answered yet: more than one when hedged. */
  legs = 0;
  /** The second one asked, because the first took long. */
  hedgedTo: object | undefined;
  settled = false;
  /** Whose turn it needs. */
  line: ReadLine | undefined;
  /** Of its value, as far as could be told when it had its turn. */
  expectedBytes = 0;
  /** In which it is under way. */
  place: Place | undefined;
  /** Where it is remembered until it is settled, and its neighbours there. */
  unsettledIn: UnsettledReads | undefined;
  older: PointRead | undefined;
  newer: PointRead | undefined;
  olderOfHash: PointRead | undefined;
  /** Called once settled: later commands of the same connection that must not overtake. */
  private followers: (() => void)[] | undefined;

  constructor(
    readonly key: Buffer,
    readonly consistency: Consistency,
    readonly session: ReadSession | undefined,
  ) {}

  /** The value is `buffer.subarray(start, end)`, valid until the tick after; `expiresAtMs` 0 = never. */
  protected abstract onValue(buffer: Buffer, start: number, end: number, expiresAtMs: number, offset: number): void;
  protected abstract onMissing(): void;
  protected abstract onFailure(failure: StoreFailure): void;

  found(buffer: Buffer, start: number, end: number, expiresAtMs: number, offset: number): void {
    if (this.settled) return;
    this.session?.observe(this.partition, asOffset(offset + 1));
    this.onValue(buffer, start, end, expiresAtMs, offset);
    this.settle();
  }

  missing(appliedNextOffset: number): void {
    if (this.settled) return;
    this.session?.observe(this.partition, asOffset(appliedNextOffset));
    this.onMissing();
    this.settle();
  }

  failed(failure: StoreFailure): void {
    if (this.settled) return;
    this.onFailure(failure);
    this.settle();
  }

  /** Runs `action` once this read is settled. */
  then(action: () => void): void {
    if (this.settled) action();
    else (this.followers ??= []).push(action);
  }

  private settle(): void {
    this.settled = true;
    this.unsettledIn?.remove(this);
    const { followers } = this;
    this.followers = undefined;
    if (followers) for (const action of followers) action();
  }
}

/** One write of one key. Exactly one of `onDone`, `onFailure` is called, once, never before `Store.append` returned. */
export abstract class Append {
  slot = 0;
  partition: Partition = asPartition(0);
  hash = 0;
  /** Monotonic ms, for its way into the log and its ack together; runs from the door on. */
  deadlineAtMs = 0;
  /** Known once logged. */
  nextOffset: Offset = asOffset(0);
  /** In which it waits for its turn. */
  line: AppendLine | undefined;
  /** In which it is under way. */
  place: Place | undefined;
  /** See `AckWaiter`. */
  ackDeadlineAtMs = 0;
  ackSinceMs = 0;
  /** Where its bytes were counted, and when. */
  load: ChunkLoad | undefined;
  loadTurn = 0;
  /** Deletes what a scan gave: also a key that is longer than those that are written here. */
  isSweep = false;
  settled = false;
  private followers: (() => void)[] | undefined;

  constructor(
    readonly key: Buffer,
    /** In the format of its namespace; null deletes. */
    readonly record: Buffer | HeadedValue | null,
    readonly ack: Ack,
    readonly session: Session | undefined,
  ) {}

  /** `nextOffset`: the position after the write. */
  protected abstract onDone(): void;
  protected abstract onFailure(failure: StoreFailure): void;

  get bytes(): number {
    return this.key.length + (this.record?.length ?? 0) + 64;
  }

  /** The log has it; the ack may still be missing. */
  logged(nextOffset: Offset): void {
    this.nextOffset = nextOffset;
    this.session?.observe(this.partition, nextOffset);
    this.release();
  }

  done(): void {
    if (this.settled) return;
    this.settled = true;
    this.onDone();
    this.release();
  }

  failed(failure: StoreFailure): void {
    if (this.settled) return;
    this.settled = true;
    if (failure.code !== 'LVINDEFINITE' && failure.code !== 'LVPENDING')
      this.load?.notWritten(this.bytes, this.loadTurn);
    this.onFailure(failure);
    this.release();
  }

  /** Runs `action` once the write is in the log or has failed: reads after it then know its position. */
  thenLogged(action: () => void): void {
    if (this.settled || this.nextOffset > 0) action();
    else (this.followers ??= []).push(action);
  }

  private release(): void {
    const { followers } = this;
    this.followers = undefined;
    if (followers) for (const action of followers) action();
  }
}
