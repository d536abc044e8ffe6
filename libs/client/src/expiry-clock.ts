import type { Clock } from '@levee/kernel';
import type { Session } from '@levee/keyspace';

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
 * later. One so much later that portals would refuse it is that of a portal with a wrong clock: the session lets it go.
 */
export function sessionTimeMs(session: SessionClock | undefined, nowMs: number, aheadMsMax: number): number {
  session?.letGoOfClock(nowMs + aheadMsMax);
  return Math.max(nowMs, session?.clockMs ?? 0);
}

type SessionClock = Pick<Session, 'clockMs' | 'letGoOfClock'>;
