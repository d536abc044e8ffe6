import type { Clock } from '@levee/kernel';

export const breathLimits = { sliceMs: 2, recordsMax: 512 } as const;

/** Lets a long loop give way: `if (breather.tired()) await breather.breathe()`, after 2 ms or 512 records (I16). */
export class Breather {
  private sinceMs: number;
  private records = 0;

  constructor(private readonly clock: Clock) {
    this.sinceMs = clock.monotonicMs();
  }

  /** Call for each record, or for `records` at once; the clock is asked every 16th time only. */
  tired(records = 1): boolean {
    this.records += records;
    if (this.records >= breathLimits.recordsMax) return true;
    return (
      (records > 1 || (this.records & 15) === 0) && this.clock.monotonicMs() - this.sinceMs >= breathLimits.sliceMs
    );
  }

  async breathe(): Promise<void> {
    await new Promise<void>((resolve) => setImmediate(resolve));
    this.records = 0;
    this.sinceMs = this.clock.monotonicMs();
  }
}
