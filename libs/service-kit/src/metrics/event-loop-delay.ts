import { monitorEventLoopDelay, type IntervalHistogram } from 'node:perf_hooks';

/** How often the event loop is looked at. */
const everyMs = 10;

/** By how much the timers of this process are late. */
export class EventLoopDelay {
  private readonly measured: IntervalHistogram = monitorEventLoopDelay({ resolution: everyMs });

  constructor() {
    this.measured.enable();
  }

  /** In ms, since it was read last. */
  read(): { readonly p50: number; readonly p99: number; readonly max: number } {
    const delays = delaysOf(this.measured);
    this.measured.reset();
    return delays;
  }

  close(): void {
    this.measured.disable();
  }
}

/** Of times between two looks, in nanoseconds: what goes beyond the time that there is to be between them. */
export function delaysOf(measured: Pick<IntervalHistogram, 'percentile' | 'max'>): ReturnType<EventLoopDelay['read']> {
  const late = (ns: number): number => Math.max(0, ns / 1e6 - everyMs);
  return { p50: late(measured.percentile(50)), p99: late(measured.percentile(99)), max: late(measured.max) };
}
