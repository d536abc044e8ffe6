import type { Threshold, Trigger } from './healing-policy';

export interface FindingTime {
  /** Since when it holds, in milliseconds since 1970-01-01T00:00:00Z. */
  readonly sinceMs: number;
  /** It has held for as long as it takes to count. */
  readonly counts: boolean;
}

/** Each finding by its key, and what was true once. */
export type FindingTimes = ReadonlyMap<string, FindingTime>;

/**
 * Findings with hysteresis: one begins above `enter`, must stay there until it counts, then lasts while above `leave`,
 * and is forgotten below. What one round found is the memory of the next. Without the second rule a single high figure
 * would begin what later figures carry on that are no finding at all.
 */
export class Findings {
  readonly times = new Map<string, FindingTime>();

  constructor(
    private readonly before: FindingTimes,
    private readonly nowMs: number,
    private readonly ageMs: Readonly<Record<Trigger, number>>,
  ) {}

  /** Since when, when `value` is found to be too high now; `undefined` when it is not. */
  above(
    finding: { readonly trigger: Trigger; readonly of: string },
    value: number,
    threshold: Threshold,
  ): number | undefined {
    // Most values are far from both: no key is made for them.
    if (value < threshold.leave) return undefined;
    const known = this.before.get(keyOf(finding));
    return value < (known?.counts === true ? threshold.leave : threshold.enter) ? undefined : this.keep(finding, known);
  }

  /** The same for what is found or not, without a stretch in between. */
  holds(finding: { readonly trigger: Trigger; readonly of: string }): number {
    return this.keep(finding, this.before.get(keyOf(finding)));
  }

  /** Whether something is true now, or was in an earlier round: for as long as it is asked in every one. */
  ever(what: string, isNow: boolean): boolean {
    const known = this.before.get(what);
    if (known === undefined && !isNow) return false;
    this.times.set(what, known ?? { sinceMs: this.nowMs, counts: true });
    return true;
  }

  private keep(finding: { readonly trigger: Trigger; readonly of: string }, known: FindingTime | undefined): number {
    // A clock that was set back must not make a finding wait for the time it was ahead.
    const sinceMs = known === undefined || known.sinceMs > this.nowMs ? this.nowMs : known.sinceMs;
    const counts = known?.counts === true || this.nowMs - sinceMs >= this.ageMs[finding.trigger];
    this.times.set(keyOf(finding), { sinceMs, counts });
    return sinceMs;
  }
}

const keyOf = ({ trigger, of }: { readonly trigger: Trigger; readonly of: string }): string => `${trigger}/${of}`;
