import type { JournalHole } from './journal-holes';

/** A stretch of the journal that cannot be read where a reader goes on. */
export class MetHole {
  private hole: JournalHole | undefined;
  private sinceMs = 0;

  constructor(private readonly patienceMs: number) {}

  get isOpen(): boolean {
    return this.hole !== undefined;
  }

  /** What was found before the reader began to wait: no bad moment of a broker. */
  begin(hole: JournalHole | undefined): void {
    this.hole = hole;
    this.sinceMs = -Infinity;
  }

  /** True once it is met for longer than a broker's bad moment lasts. `nowMs`: monotonic. */
  meet(hole: JournalHole, nowMs: number): boolean {
    if (this.hole === undefined) this.sinceMs = nowMs;
    this.hole ??= hole;
    return nowMs - this.sinceMs >= this.patienceMs;
  }

  /** True when a reader that goes on at `nextOffset` has no hole in front of it. */
  pass(nextOffset: number): boolean {
    const { fromOffset = -1, toOffset = fromOffset + 1 } = this.hole ?? {};
    if (nextOffset < toOffset) return false;
    this.hole = undefined;
    return true;
  }
}
