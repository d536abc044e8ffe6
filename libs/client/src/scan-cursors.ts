import type { Clock, Random } from '@levee/kernel';
import type { SlotScanState } from './slot-scan';
import { StoreFailure } from './store-errors';

interface Held {
  readonly namespace: string;
  readonly state: SlotScanState;
  usedAtMs: number;
}

/**
 * SCAN cursors: decimal handles of states kept here, since a RESP cursor is a 64-bit number. The oldest goes when
 * there are too many; one not used for `idleMs` is gone.
 */
export class ScanCursors {
  private readonly held = new Map<string, Held>();
  private next: bigint;

  constructor(
    private readonly clock: Clock,
    random: Random,
    private readonly limits: { readonly cursorsMax: number; readonly cursorIdleMs: number },
  ) {
    // Cursors of another process, or of this one before a restart, are not to be mistaken for ours.
    this.next = BigInt(Math.floor(random.next() * 2 ** 40)) * 1_000_000n + 1n;
  }

  get size(): number {
    return this.held.size;
  }

  keep(namespace: string, state: SlotScanState): string {
    for (const [cursor, { usedAtMs }] of this.held) {
      const idle = this.clock.monotonicMs() - usedAtMs > this.limits.cursorIdleMs;
      if (!idle && this.held.size < this.limits.cursorsMax) break;
      this.held.delete(cursor);
    }
    const cursor = String(this.next++);
    this.held.set(cursor, { namespace, state, usedAtMs: this.clock.monotonicMs() });
    return cursor;
  }

  /** The state of a cursor, which may be used again; LVCURSOR when it is gone. */
  find(namespace: string, cursor: string): SlotScanState | StoreFailure {
    const held = this.held.get(cursor);
    const now = this.clock.monotonicMs();
    if (!held || held.namespace !== namespace || now - held.usedAtMs > this.limits.cursorIdleMs)
      return new StoreFailure('LVCURSOR', 'start again at 0: the cursor is unknown here, or was idle for too long');
    held.usedAtMs = now;
    this.held.delete(cursor);
    this.held.set(cursor, held);
    return held.state;
  }
}
