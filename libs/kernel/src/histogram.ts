/** Upper bounds of the buckets of a histogram, in ms, each included; what took longer is in one more without a bound. */
export const histogramBoundsMs: readonly number[] = [
  0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 30_000,
];

/** How long something took, many times, as plain numbers: an observation costs a few comparisons and allocates nothing. */
export class Histogram {
  private readonly buckets = new Array<number>(histogramBoundsMs.length + 1).fill(0);
  private totalMs = 0;

  /** A time below 0, as two clocks that differ may say, counts as 0. */
  observe(ms: number): void {
    const tookMs = ms > 0 ? ms : 0;
    let at = 0;
    while (at < histogramBoundsMs.length && tookMs > (histogramBoundsMs[at] as number)) at++;
    this.buckets[at] = (this.buckets[at] as number) + 1;
    this.totalMs += tookMs;
  }

  /** By bucket, not summed up; the last has no bound. */
  get counts(): readonly number[] {
    return this.buckets;
  }

  get sumMs(): number {
    return this.totalMs;
  }

  get count(): number {
    return this.buckets.reduce((sum, each) => sum + each, 0);
  }
}

/** A histogram and what it is of, as metrics have it. */
export interface LabelledHistogram {
  readonly labels: Readonly<Record<string, string>>;
  readonly histogram: Histogram;
}
