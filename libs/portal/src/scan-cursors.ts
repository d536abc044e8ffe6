import { type SlotScanState, StoreFailure, type StoreLimits } from '@levee/client';
import type { Clock, Random } from '@levee/kernel';

/** Whose scan it is: with another of these a cursor is refused. */
export interface ScanScope {
  /** Topic of the binlog: one creation of one namespace. */
  readonly binlog: string;
  readonly user: string;
}

interface Held extends ScanScope {
  readonly state: SlotScanState;
  readonly owner: object;
  usedAtMs: number;
}

/** Many clients read a cursor as a double, which has 53 bits: a tag of this process, then dice. */
const diceBits = 40;
const tagBits = 13;

/**
 * SCAN cursors: decimal handles of states kept here. A number that was not given here, be it rounded, guessed or of
 * another process, is none of them but by a chance of one in 2^28. Whoever has too many loses its oldest; when all
 * together are too many, whoever has most does. One not used for `idleMs` is gone.
 */
export class ScanCursors {
  private readonly held = new Map<string, Held>();
  /** The one used longest ago first. */
  private readonly owners = new Map<object, Set<string>>();
  private readonly tag: number;

  constructor(
    private readonly clock: Clock,
    private readonly random: Random,
    private readonly limits: Pick<StoreLimits, 'cursorsMax' | 'cursorsOfOneMax' | 'cursorIdleMs'>,
  ) {
    this.tag = 1 + this.dice(2 ** tagBits - 1);
  }

  get size(): number {
    return this.held.size;
  }

  /** `owner`: whose share of the cursors it is; anybody may go on with it. */
  keep({ binlog, user }: ScanScope, state: SlotScanState, owner: object): string {
    const now = this.clock.monotonicMs();
    for (const [cursor, { usedAtMs }] of this.held) {
      if (now - usedAtMs <= this.limits.cursorIdleMs) break;
      this.drop(cursor);
    }
    const own = this.owners.get(owner);
    if (own && own.size >= this.limits.cursorsOfOneMax) this.dropOldest(own);
    else if (this.held.size >= this.limits.cursorsMax) this.dropOldest(this.most());
    const cursor = this.unused();
    this.put(cursor, { binlog, user, state, owner, usedAtMs: now });
    return cursor;
  }

  /** The state of a cursor, which may be used again; LVCURSOR when it is gone. */
  find(scope: ScanScope, cursor: string): SlotScanState | StoreFailure {
    const held = this.held.get(cursor);
    const now = this.clock.monotonicMs();
    if (!held || now - held.usedAtMs > this.limits.cursorIdleMs) return refused(this.absence(cursor));
    if (held.binlog !== scope.binlog) return refused('the cursor is of a scan in another namespace');
    if (held.user !== scope.user) return refused('the cursor is of a scan of another user');
    held.usedAtMs = now;
    this.drop(cursor);
    this.put(cursor, held);
    return held.state;
  }

  private absence(cursor: string): string {
    const tag = Math.floor(Number(cursor) / 2 ** diceBits);
    if (tag === 0 || tag >= 2 ** tagBits) return 'no portal gives such a cursor';
    if (tag === this.tag)
      return 'the cursor is unknown, was idle for too long, or gave way to later ones of its connection';
    return 'another portal gave this cursor, or this one before it was started again: a scan stays with its portal';
  }

  private unused(): string {
    for (;;) {
      const cursor = String(this.tag * 2 ** diceBits + this.dice(2 ** diceBits));
      if (!this.held.has(cursor)) return cursor;
    }
  }

  private dice(sides: number): number {
    return Math.floor(this.random.next() * sides);
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

const refused = (why: string): StoreFailure => new StoreFailure('LVCURSOR', `${why}; start again at 0`);
