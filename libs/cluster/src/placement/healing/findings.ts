import type { Threshold, Trigger } from './healing-policy';

/** Since when each finding holds: its key -> milliseconds since 1970-01-01T00:00:00Z. */
export type FindingTimes = ReadonlyMap<string, number>;

/**
 * Findings with hysteresis: one begins above `enter`, lasts while above `leave`, and is forgotten below. What one round
 * found is the memory of the next.
 */
export class Findings {
  readonly times = new Map<string, number>();

  constructor(
    private readonly before: FindingTimes,
    private readonly nowMs: number,
  ) {}

  /** Since when, when `value` is found to be too high now; `undefined` when it is not. */
  above(
    finding: { readonly trigger: Trigger; readonly of: string },
    value: number,
    threshold: Threshold,
  ): number | undefined {
    // Most values are far from both: no key is made for them.
    if (value < threshold.leave) return undefined;
    const key = `${finding.trigger}/${finding.of}`;
    const known = this.before.get(key);
    if (value < (known === undefined ? threshold.enter : threshold.leave)) return undefined;
    return this.keep(key, known);
  }

  /** The same for what is found or not, without a stretch in between. */
  holds(finding: { readonly trigger: Trigger; readonly of: string }): number {
    const key = `${finding.trigger}/${finding.of}`;
    return this.keep(key, this.before.get(key));
  }

  private keep(key: string, known: number | undefined): number {
    // A clock that was set back must not make a finding wait for the time it was ahead.
    const sinceMs = known === undefined || known > this.nowMs ? this.nowMs : known;
    this.times.set(key, sinceMs);
    return sinceMs;
  }
}
