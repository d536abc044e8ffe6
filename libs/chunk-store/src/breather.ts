import type { Clock } from '@levee/kernel';

const breathLimits = { sliceMs: 2, recordsMax: 512 } as const;

/** The time, and how a long loop gives way: a plain clock lets the event loop go round once. */
export interface Pace extends Pick<Clock, 'monotonicMs'> {
  /** Resolves when the next slice may begin. `bytes` = what the last one read. */
  giveWay?(bytes: number): Promise<void>;
  /** The loop is over; its last slice read so many bytes. */
  passed?(bytes: number): void;
}

/** Lets a long loop give way: `if (breather.tired()) await breather.breathe()`, after 2 ms or 512 records (I16). */
export class Breather {
  private sinceMs: number;
  private records = 0;
  private bytes = 0;

  constructor(private readonly pace: Pace) {
    this.sinceMs = pace.monotonicMs();
  }

  /** Call for each record, or for `records` at once; the clock is asked every 16th time only. */
  tired(records = 1, bytes = 0): boolean {
    this.records += records;
    this.bytes += bytes;
    if (this.records >= breathLimits.recordsMax) return true;
    return (records > 1 || (this.records & 15) === 0) && this.pace.monotonicMs() - this.sinceMs >= breathLimits.sliceMs;
  }

  async breathe(): Promise<void> {
    const { bytes } = this;
    this.bytes = 0;
    if (this.pace.giveWay === undefined) await new Promise<void>((resolve) => setImmediate(resolve));
    else await this.pace.giveWay(bytes);
    this.records = 0;
    this.sinceMs = this.pace.monotonicMs();
  }

  /** The loop is over. */
  end(): void {
    this.pace.passed?.(this.bytes);
    this.bytes = 0;
  }
}
