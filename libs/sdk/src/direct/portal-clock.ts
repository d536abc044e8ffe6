import type { Clock } from '@levee/kernel';

const clockLimits = {
  /** What a portal said counts for so long, whoever says otherwise. */
  keptMs: 60_000,
  /** And until so many later answers were there. */
  answersMin: 3,
  /** So much answers differ by their way, and clocks by their nature: it stands still instead of falling. */
  heldMs: 1_000,
  /** Answers that are kept. */
  toldMax: 32,
} as const;

/** What a portal said: how far its clock is ahead of the monotonic one of this process. */
interface Told {
  aheadMs: number;
  atMs: number;
  /** Of how many answers it is the last. */
  number: number;
}

/**
 * The wall clock of portals, by which expiry is judged: nobody cares whether that of this process is right. Of several it
 * is the one furthest ahead of those that were heard in the last minute, so that nothing is told which one of them calls
 * expired. A portal whose clock is far ahead hides what lives; once none has said so late for a minute, it was wrong, and the
 * clock falls to what they say. What a session has seen as expired stays so, by the session's own clock.
 */
export class PortalClock {
  /** Later ones are less far ahead: an answer that says as much makes earlier ones needless. */
  private readonly told: Told[] = [];
  private answers = 0;
  private latestMs = 0;

  constructor(private readonly clock: Clock) {}

  /** A portal has just said that it is `nowMs`. */
  tell(nowMs: number): void {
    const { told } = this;
    const { keptMs, answersMin, toldMax } = clockLimits;
    const atMs = this.clock.monotonicMs();
    const aheadMs = nowMs - atMs;
    const number = ++this.answers;
    while ((told.at(-1)?.aheadMs ?? Infinity) <= aheadMs) told.pop();
    // What says a little more than it should is kept a little longer.
    if (told.length >= toldMax) Object.assign(told.at(-1) as Told, { atMs, number });
    else told.push({ aheadMs, atMs, number });
    for (let first = told[0]; told.length > 1 && first !== undefined; first = told[0]) {
      if (atMs - first.atMs <= keptMs || number - first.number < answersMin) return;
      told.shift();
    }
  }

  /** Ms since 1970. */
  nowMs(): number {
    const nowMs = Math.floor(this.clock.monotonicMs() + (this.told[0]?.aheadMs ?? 0));
    if (nowMs > this.latestMs || this.latestMs - nowMs > clockLimits.heldMs) this.latestMs = nowMs;
    return this.latestMs;
  }
}
