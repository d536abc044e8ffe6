import type { Clock, Timers } from '@levee/kernel';

/** Time that a test moves. */
export class ManualTime implements Clock, Timers {
  private now = 1_000;
  private due: { atMs: number; action: () => void }[] = [];
  nowMs = (): number => this.now;
  monotonicMs = (): number => this.now;

  after(delayMs: number, action: () => void): () => void {
    const entry = { atMs: this.now + delayMs, action };
    this.due.push(entry);
    return () => (this.due = this.due.filter((each) => each !== entry));
  }

  pass(ms: number): void {
    const end = this.now + ms;
    for (;;) {
      const next = this.due.filter(({ atMs }) => atMs <= end).sort((a, b) => a.atMs - b.atMs)[0];
      if (!next) break;
      this.due = this.due.filter((each) => each !== next);
      this.now = next.atMs;
      next.action();
    }
    this.now = end;
  }

  /** As `pass`, in small steps between which everything that is ready runs. */
  async flow(ms: number): Promise<void> {
    const stepMs = 5;
    for (let left = ms; left > 0; left -= stepMs) {
      await settled();
      this.pass(Math.min(stepMs, left));
    }
    await settled();
  }
}

/** What was set off by callbacks, and by theirs. */
async function settled(): Promise<void> {
  for (let i = 0; i < 3; i++) await new Promise<void>((resolve) => setImmediate(resolve));
}
