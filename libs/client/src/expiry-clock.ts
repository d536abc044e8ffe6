import type { Clock } from '@levee/kernel';

/** A wall clock that was set back is believed once it has said so for so long. */
const doubtedMs = 60_000;

/**
 * The wall clock by which a process judges expiry. It stands still where the machine's clock falls, so that a key that was
 * seen as expired is not there again. Where that says for a minute that it is earlier by more than a minute, it was far
 * ahead before, and hid what lives: then it is right now.
 */
export class ExpiryClock {
  private latestMs = 0;
  /** Monotonic ms: since when the machine's clock is behind. */
  private behindSinceMs: number | undefined;

  constructor(private readonly clock: Clock) {}

  /** Ms since 1970. */
  nowMs(): number {
    const nowMs = this.clock.nowMs();
    if (nowMs >= this.latestMs) this.behindSinceMs = undefined;
    else {
      const atMs = this.clock.monotonicMs();
      this.behindSinceMs ??= atMs;
      if (atMs - this.behindSinceMs <= doubtedMs) return this.latestMs;
      this.behindSinceMs = undefined;
    }
    this.latestMs = nowMs;
    return nowMs;
  }
}

/**
 * The time by which a read of a session is judged where this process says that it is `nowMs`: the session's own if it is
 * later, unless it is so much later that portals would refuse it: then one of them had a wrong clock.
 */
export function sessionTimeMs(
  session: { readonly clockMs: number } | undefined,
  nowMs: number,
  aheadMsMax: number,
): number {
  const clockMs = session?.clockMs ?? 0;
  return clockMs > nowMs && clockMs <= nowMs + aheadMsMax ? clockMs : nowMs;
}
