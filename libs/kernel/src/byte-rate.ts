import type { Clock, Timers } from './clock';
import { type Cancellation, pause } from './pause';

/** Holds bytes back so that at most `bytesPerSecond` pass; 0 lets everything pass. */
export class ByteRate {
  /** Monotonic ms at which what has passed is paid for. */
  private paidAtMs = 0;

  constructor(
    private readonly bytesPerSecond: number,
    private readonly clock: Clock,
    private readonly timers: Timers,
  ) {}

  /** Resolves when bytes that passed before are paid for, or `signal` ends the wait; then takes `bytes` more. */
  async pass(bytes: number, signal: Cancellation): Promise<void> {
    if (this.bytesPerSecond <= 0) return;
    const nowMs = this.clock.monotonicMs();
    const startMs = Math.max(nowMs, this.paidAtMs);
    this.paidAtMs = startMs + (bytes * 1000) / this.bytesPerSecond;
    if (startMs > nowMs) await pause(this.timers, startMs - nowMs, signal);
  }
}
