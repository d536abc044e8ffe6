/** Round trips are told apart by a fifth: good enough for a delay, and 64 counters suffice up to some minutes. */
const growth = 1.2;
const smallestMs = 0.05;
const buckets = 96;
/** When so many are counted, all counts are halved: what is recent weighs most. */
const countedMax = 1_024;
/** Below that many nothing is said. */
const countedMin = 20;
/** The percentile is computed anew after so many more. */
const recomputeEvery = 32;

const logGrowth = Math.log(growth);

/** How long recent round trips to one node took. O(1) a sample, no allocation. */
export class RoundTrips {
  private readonly counts = new Float64Array(buckets);
  private counted = 0;
  private sinceComputed = 0;
  private known: number | undefined;

  /** `ms`: from sending to the answer. */
  add(ms: number): void {
    const bucket = ms <= smallestMs ? 0 : Math.min(buckets - 1, Math.ceil(Math.log(ms / smallestMs) / logGrowth));
    this.counts[bucket] = (this.counts[bucket] as number) + 1;
    this.counted++;
    this.sinceComputed++;
    if (this.counted >= countedMax) this.halve();
  }

  /** What 99 of 100 recent ones did not exceed, in ms, at most a fifth too high; `undefined` while few are known. */
  get p99Ms(): number | undefined {
    if (this.counted < countedMin) return undefined;
    if (this.known === undefined || this.sinceComputed >= recomputeEvery) {
      this.sinceComputed = 0;
      this.known = this.compute();
    }
    return this.known;
  }

  private compute(): number {
    let above = this.counted * 0.01;
    let bucket = buckets - 1;
    for (; bucket > 0; bucket--) {
      above -= this.counts[bucket] as number;
      if (above < 0) break;
    }
    return smallestMs * growth ** bucket;
  }

  private halve(): void {
    this.counted = 0;
    for (let i = 0; i < buckets; i++) this.counted += this.counts[i] = (this.counts[i] as number) / 2;
  }
}
