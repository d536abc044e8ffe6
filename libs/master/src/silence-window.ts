/** Milliseconds of a monotonic clock throughout. */
export interface SilenceLimits {
  /** Silence that makes an observer doubt. */
  readonly silenceMs: number;
  /** Two looks at the end further apart than this prove nothing about the time between them. */
  readonly gapMsMax: number;
}

/**
 * How long nothing was heard of the active master, counted only while the observer stood at the end of the heartbeats:
 * one that was paused, or cut off, or is catching up, has not heard silence.
 */
export class SilenceWindow {
  private silent = 0;
  private lastAtEndMs: number | undefined;

  constructor(private readonly limits: SilenceLimits) {}

  /** Time of proven silence. */
  get silentMs(): number {
    return this.silent;
  }

  /** A sign of life: the window begins anew. */
  heard(): void {
    this.silent = 0;
    this.lastAtEndMs = undefined;
  }

  /** The observer stands at the end now, and has read everything before it. */
  atEnd(nowMs: number): void {
    const sinceMs = this.lastAtEndMs === undefined ? Infinity : nowMs - this.lastAtEndMs;
    if (sinceMs <= this.limits.gapMsMax) this.silent += sinceMs;
    this.lastAtEndMs = nowMs;
  }

  /** The observer fell behind: what is read next may be old. */
  behind(): void {
    this.lastAtEndMs = undefined;
  }

  /** True when the silence is long enough, plus `backoffMs` that keeps candidates apart. */
  isOver(backoffMs: number): boolean {
    return this.silent >= this.limits.silenceMs + backoffMs;
  }
}
