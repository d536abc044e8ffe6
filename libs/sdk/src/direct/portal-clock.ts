import type { Clock } from '@levee/kernel';

/**
 * The wall clock of portals, by which expiry is judged: nobody cares whether that of this process is right. It never
 * falls, and is behind that of the portal which told it last by the way of the answer.
 */
export class PortalClock {
  private aheadMs = 0;
  private latestMs = 0;

  constructor(private readonly clock: Clock) {}

  /** A portal has just said that it is `nowMs`. */
  tell(nowMs: number): void {
    this.aheadMs = nowMs - this.clock.monotonicMs();
  }

  /** Ms since 1970. */
  nowMs(): number {
    this.latestMs = Math.max(this.latestMs, Math.floor(this.clock.monotonicMs() + this.aheadMs));
    return this.latestMs;
  }
}
