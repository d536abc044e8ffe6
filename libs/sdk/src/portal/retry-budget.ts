/** Second attempts cost a token; every operation brings a part of one. So a broken cluster is asked little more often. */
export class RetryBudget {
  private tokens: number;
  readonly counts = { taken: 0, refused: 0 };

  constructor(
    private readonly share: number,
    private readonly atOnceMax: number,
  ) {
    this.tokens = atOnceMax;
  }

  operation(): void {
    this.tokens = Math.min(this.atOnceMax, this.tokens + this.share);
  }

  /** `reserve`: so many are left for what matters more. */
  take(reserve = 0): boolean {
    if (this.tokens < 1 + reserve) {
      this.counts.refused++;
      return false;
    }
    this.tokens--;
    this.counts.taken++;
    return true;
  }
}
