import type { Clock } from './clock';

/** The clocks of a machine that is awake do not drift so far apart between two looks. */
const sleepMsMin = 500;

/**
 * What has passed for the world. A monotonic clock stands still while its machine sleeps, so what was proven before would
 * seem young. A clock that jumps counts as a sleep too: then it is proven anew, which takes a moment.
 */
export class SteadyClock {
  private apart: number;
  private sleptMs = 0;
  private soundAtMs: number;

  constructor(private readonly clock: Clock) {
    this.soundAtMs = clock.monotonicMs();
    this.apart = clock.nowMs() - this.soundAtMs;
  }

  /** Monotonic ms; looks first whether the machine has slept. */
  nowMs(): number {
    const nowMs = this.clock.monotonicMs();
    const apart = this.clock.nowMs() - nowMs;
    const by = apart - this.apart;
    this.apart = apart;
    if (by > sleepMsMin || by < -sleepMsMin) this.slept(Math.abs(by));
    return nowMs;
  }

  /** Monotonic; what was asked for before may be older than it seems. */
  get soundSinceMs(): number {
    return this.soundAtMs;
  }

  /** Ms since a fixed moment, sleep included: never less than have passed. */
  passedMs(): number {
    return this.nowMs() + this.sleptMs;
  }

  /** Somebody else's clock has gone on by so much more than this machine's. */
  slept(ms: number): void {
    this.sleptMs += ms;
    this.soundAtMs = this.clock.monotonicMs();
  }
}
