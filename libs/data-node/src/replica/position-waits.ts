import { nodeLimits } from '../node-limits';

interface Wait {
  readonly nextOffset: number;
  readonly reached: () => void;
}

/** Callers waiting until a replica has applied a partition up to an offset. Nothing is scheduled: `advance` wakes. */
export class PositionWaits {
  private waits: Wait[] = [];

  constructor(private readonly all: WaitBudget) {}

  get size(): number {
    return this.waits.length;
  }

  /** False when too many wait already. The returned function ends the wait. */
  add(nextOffset: number, reached: () => void): (() => void) | undefined {
    if (!this.all.take()) return undefined;
    const wait: Wait = { nextOffset, reached };
    this.waits.push(wait);
    return () => {
      const at = this.waits.indexOf(wait);
      if (at < 0) return;
      this.waits.splice(at, 1);
      this.all.give(1);
    };
  }

  advance(nextOffset: number): void {
    if (this.waits.length === 0) return;
    const due = this.waits.filter((wait) => wait.nextOffset <= nextOffset);
    if (due.length === 0) return;
    this.waits = this.waits.filter((wait) => wait.nextOffset > nextOffset);
    this.all.give(due.length);
    for (const { reached } of due) reached();
  }
}

/** Bound over the waits of all replicas of a node (I16). */
export class WaitBudget {
  private used = 0;

  /** `onWait` is called when somebody begins to wait. */
  constructor(private readonly onWait: () => void = () => undefined) {}

  get inUse(): number {
    return this.used;
  }

  take(): boolean {
    if (this.used >= nodeLimits.waitsMax) return false;
    this.used++;
    this.onWait();
    return true;
  }

  give(count: number): void {
    this.used -= count;
  }
}
