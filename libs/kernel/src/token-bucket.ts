/** Allows `perSecond` requests a second on average and as many at once. */
export class TokenBucket {
  private tokens: number;
  private filledAtMs: number;

  constructor(
    readonly perSecond: number,
    /** Monotonic. */
    private readonly nowMs: () => number,
  ) {
    this.tokens = perSecond;
    this.filledAtMs = nowMs();
  }

  take(): boolean {
    const now = this.nowMs();
    this.tokens = Math.min(this.perSecond, this.tokens + ((now - this.filledAtMs) * this.perSecond) / 1000);
    this.filledAtMs = now;
    if (this.tokens < 1) return false;
    this.tokens--;
    return true;
  }
}
