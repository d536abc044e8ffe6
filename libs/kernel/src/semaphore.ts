/** Lets at most `limit` pieces of work run at a time; the others wait for their turn, in order. */
export class Semaphore {
  private running = 0;
  private readonly waiting: (() => void)[] = [];

  constructor(private readonly limit: number) {}

  async run(work: () => Promise<void>): Promise<void> {
    if (this.running < this.limit) this.running++;
    else await new Promise<void>((resolve) => this.waiting.push(resolve));
    try {
      await work();
    } finally {
      // Its place goes to who waits first: whoever comes just now comes after those.
      const next = this.waiting.shift();
      if (next === undefined) this.running--;
      else next();
    }
  }
}
