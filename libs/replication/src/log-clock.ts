import type { Clock } from '@levee/kernel';

/**
 * The log's time, as far as its append times prove it: a lower bound, never ahead of the broker. Completeness and
 * sweeps rest on it, because a node's own clock may be ahead by days.
 */
export class LogClock {
  private ahead: number | undefined;

  constructor(private readonly clock: Clock) {}

  /** `appendTimeMs` of any record that was just read: the log's time is at least that now. */
  observe(appendTimeMs: number): void {
    const ahead = appendTimeMs - this.clock.monotonicMs();
    if (this.ahead === undefined || ahead > this.ahead) this.ahead = ahead;
  }

  /** Milliseconds since 1970, at most the log's own; `undefined` before the first observation. */
  nowMs(): number | undefined {
    return this.ahead === undefined ? undefined : Math.floor(this.ahead + this.clock.monotonicMs());
  }

  /** The log's time, or the node's own while nothing was read yet. */
  bestMs(): number {
    return this.nowMs() ?? this.clock.nowMs();
  }
}
