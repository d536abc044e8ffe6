/** So many at a time, the others in the order in which they came. */
export class Semaphore {
  private taken = 0;
  private waiting: (() => void)[] = [];

  constructor(private readonly max: number) {}

  /** `undefined`: at once. Give every turn back. */
  take(): Promise<void> | undefined {
    if (this.taken < this.max) {
      this.taken++;
      return undefined;
    }
    return new Promise((resolve) => this.waiting.push(resolve));
  }

  giveBack(): void {
    const next = this.waiting.shift();
    if (next) next();
    else this.taken--;
  }
}
