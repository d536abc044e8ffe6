import type { Clock, Random } from '@levee/kernel';
import type { SlotScanState } from './slot-scan';
import { StoreFailure } from './store-errors';
import type { StoreLimits } from './store-limits';

interface Held {
  readonly namespace: string;
  readonly state: SlotScanState;
  readonly owner: object;
  usedAtMs: number;
}

/**
 * SCAN cursors: decimal handles of states kept here, since a RESP cursor is a 64-bit number. Whoever has too many loses
 * its oldest; when all together are too many, whoever has most does. One not used for `idleMs` is gone.
 */
export class ScanCursors {
  private readonly held = new Map<string, Held>();
  /** The one used longest ago first. */
  private readonly owners = new Map<object, Set<string>>();
  private next: bigint;

  constructor(
    private readonly clock: Clock,
    random: Random,
    private readonly limits: Pick<StoreLimits, 'cursorsMax' | 'cursorsOfOneMax' | 'cursorIdleMs'>,
  ) {
    // Cursors of another process, or of this one before a restart, are not to be mistaken for ours.
    this.next = BigInt(Math.floor(random.next() * 2 ** 40)) * 1_000_000n + 1n;
  }

  get size(): number {
    return this.held.size;
  }

  /** `owner`: whose share of the cursors it is; anybody may go on with it. */
  keep(namespace: string, state: SlotScanState, owner: object): string {
    const now = this.clock.monotonicMs();
    for (const [cursor, { usedAtMs }] of this.held) {
      if (now - usedAtMs <= this.limits.cursorIdleMs) break;
      this.drop(cursor);
    }
    const own = this.owners.get(owner);
    if (own && own.size >= this.limits.cursorsOfOneMax) this.dropOldest(own);
    else if (this.held.size >= this.limits.cursorsMax) this.dropOldest(this.most());
    const cursor = String(this.next++);
    this.put(cursor, { namespace, state, owner, usedAtMs: now });
    return cursor;
  }

  /** The state of a cursor, which may be used again; LVCURSOR when it is gone. */
  find(namespace: string, cursor: string): SlotScanState | StoreFailure {
    const held = this.held.get(cursor);
    const now = this.clock.monotonicMs();
    if (!held || held.namespace !== namespace || now - held.usedAtMs > this.limits.cursorIdleMs)
      return new StoreFailure('LVCURSOR', 'start again at 0: the cursor is unknown here, or was idle for too long');
    held.usedAtMs = now;
    this.drop(cursor);
    this.put(cursor, held);
    return held.state;
  }

  private put(cursor: string, held: Held): void {
    this.held.set(cursor, held);
    const own = this.owners.get(held.owner);
    if (own) own.add(cursor);
    else this.owners.set(held.owner, new Set([cursor]));
  }

  private drop(cursor: string): void {
    const owner = this.held.get(cursor)?.owner;
    this.held.delete(cursor);
    const own = owner && this.owners.get(owner);
    own?.delete(cursor);
    if (owner && own?.size === 0) this.owners.delete(owner);
  }

  private dropOldest(own: ReadonlySet<string>): void {
    const [oldest] = own;
    if (oldest !== undefined) this.drop(oldest);
  }

  private most(): ReadonlySet<string> {
    let most: ReadonlySet<string> = new Set();
    for (const own of this.owners.values()) if (own.size > most.size) most = own;
    return most;
  }
}
