import type { Clock } from '@levee/kernel';

/** Steps that are remembered; a batch that waited longer for its turn counts as older than it is. */
const stepsMax = 16;

/**
 * The log's time, as far as its append times prove it: a lower bound, never ahead of the broker. Completeness and
 * sweeps rest on it, because a node's own clock may be ahead by days.
 */
export class LogClock {
  /** How far the log's time is ahead of the monotonic clock, and since when that is known; newest last, ever larger. */
  private readonly steps: { readonly ahead: number; readonly sinceMs: number }[] = [];
  private unsure = false;

  constructor(private readonly clock: Clock) {}

  /** It may be far behind the log: nothing that is read now is proven to be as young as it seems. */
  get doubted(): boolean {
    return this.unsure;
  }

  /** This machine may have slept: what was known stays a lower bound, but says nothing of the time since. */
  doubt(): void {
    this.unsure = true;
  }

  /** As `observe`, of a record that was appended after the doubt arose. */
  settle(appendTimeMs: number): void {
    this.observe(appendTimeMs);
    this.unsure = false;
  }

  /** `appendTimeMs` of any record that was just read: the log's time is at least that now. */
  observe(appendTimeMs: number): void {
    const sinceMs = this.clock.monotonicMs();
    const ahead = appendTimeMs - sinceMs;
    const newest = this.steps.at(-1);
    if (newest !== undefined && ahead <= newest.ahead) return;
    this.steps.push({ ahead, sinceMs });
    if (this.steps.length > stepsMax) this.steps.shift();
  }

  /** Milliseconds since 1970, at most the log's own; `undefined` before the first observation. */
  nowMs(): number | undefined {
    const newest = this.steps.at(-1);
    return newest === undefined ? undefined : Math.floor(newest.ahead + this.clock.monotonicMs());
  }

  /**
   * The log's time at an earlier moment, from what was known then: a machine that slept since has a monotonic clock that
   * did not, and what was learned after it would make the moment too late. `undefined` when nothing was known then, or
   * while it is doubted.
   */
  at(monotonicMs: number): number | undefined {
    if (this.unsure) return undefined;
    const { steps } = this;
    for (let i = steps.length - 1; i >= 0; i--) {
      const { ahead, sinceMs } = steps[i] as (typeof steps)[number];
      if (sinceMs <= monotonicMs) return Math.floor(ahead + monotonicMs);
    }
    return undefined;
  }

  /** The log's time, or the node's own while nothing was read yet. */
  bestMs(): number {
    return this.nowMs() ?? this.clock.nowMs();
  }
}
