import {
  type BatchSpan,
  diskRefusal,
  expiredKeptMs,
  type KeyState,
  type PreparedBatch,
  recordKind,
  type Replica,
  type ReplicaPosition,
  sweepExpired,
  type UnreadableReason,
} from '@levee/chunk-store';
import type { Clock, Partition } from '@levee/kernel';
import type { HeldRecord, KeptPartition } from '../local/held-partition';

/** A sweep reads everything: no sooner again. */
const sweepMs = 600_000;
/** [safety] Sweeps are made while it is complete, of what expired an hour before: none has gone further than it says so long ago. */
const sweptBeforeCompleteMs = expiredKeptMs - 120_000;

/** One partition of a namespace on disk. */
export class DiskPartition implements KeptPartition {
  sweptToMs: number;
  private sweptAtMs = -Infinity;
  private ended = false;

  constructor(
    private readonly replica: Replica,
    private readonly partition: Partition,
    private readonly of: { readonly clock: Clock; readonly ended: (how: 'forgotten' | 'kept') => void },
  ) {
    this.sweptToMs = replica.completeAtMs(partition) - sweptBeforeCompleteMs;
  }

  readonly keys = undefined;

  get nextOffset(): number {
    return this.replica.nextOffset(this.partition);
  }

  get failure(): unknown {
    return this.replica.failure;
  }

  get completeAtMs(): number {
    return this.replica.completeAtMs(this.partition);
  }

  get isRewound(): boolean {
    return this.replica.rewoundAt(this.partition);
  }

  position(partition: number): ReplicaPosition {
    return this.replica.position(partition);
  }

  stagedNext(partition: number): number {
    return this.replica.stagedNext(partition);
  }

  stagedEpoch(partition: number): number {
    return this.replica.stagedEpoch(partition);
  }

  apply(batch: PreparedBatch, span: BatchSpan, completeAtMs?: number, afterWrite?: () => void): Promise<void> {
    try {
      return this.replica.apply(batch, span, completeAtMs, afterWrite);
    } catch (error) {
      return Promise.reject(error as Error);
    }
  }

  between(look: () => void): Promise<void> {
    return this.replica.between(look);
  }

  get(keyText: string, nowMs: number): HeldRecord | undefined {
    const found = this.replica.get(Buffer.from(keyText, 'latin1'), nowMs);
    return found && recordOf(found);
  }

  /** What has expired is told apart from what is not there by nobody. */
  mayHide(): boolean {
    return true;
  }

  /** A write that is under way may be seen before the position that it brings. */
  seenAt(found: HeldRecord | undefined): number {
    const { nextOffset } = this;
    if (found !== undefined) return Math.max(nextOffset, found.offset + 1);
    return Math.max(nextOffset, this.replica.stagedNext(this.partition));
  }

  complete(atMs: number): void {
    if (!this.ended) this.replica.noteComplete(this.partition, atMs);
  }

  async sweep(nowMs: number): Promise<void> {
    const { clock } = this.of;
    const atMs = clock.monotonicMs();
    if (atMs - this.sweptAtMs < sweepMs) return;
    // The first one soon after the start would only delay what loads.
    const isFirst = this.sweptAtMs === -Infinity;
    this.sweptAtMs = atMs;
    if (isFirst || this.ended) return;
    this.sweptToMs = Math.max(this.sweptToMs, nowMs - expiredKeptMs);
    await sweepExpired(this.replica, nowMs, clock);
  }

  outlives(error: unknown): boolean {
    return diskRefusal(error) !== undefined;
  }

  /** Nobody has used it. */
  close(): Promise<void> {
    return this.replica.close();
  }

  end(how: 'forgotten' | 'kept'): void {
    if (this.ended) return;
    this.ended = true;
    this.of.ended(how);
  }
}

const kinds: Readonly<Record<UnreadableReason, HeldRecord['kind']>> = {
  garbage: recordKind.garbage,
  badCrc: recordKind.badCrc,
  unknownSchema: recordKind.unknownSchema,
};

const recordOf = (found: NonNullable<KeyState>): HeldRecord =>
  found.readable
    ? { offset: found.offset, expiresAtMs: found.expiresAtMs, kind: recordKind.put, valueStart: 0, raw: found.value }
    : { offset: found.offset, expiresAtMs: 0, kind: kinds[found.reason], valueStart: 0, raw: nothing };

const nothing = Buffer.alloc(0);
