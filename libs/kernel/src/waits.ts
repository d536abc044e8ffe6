import type { Timers } from './clock';
import { Failure } from './failure';

interface Wait {
  /** True once it is over. */
  readonly poll: () => boolean;
  readonly fail: (error: Error) => void;
}

const waitsMax = 100_000;

/** Callers waiting for something to become true; whoever changes what they wait for calls `poll`. */
export class Waits {
  private readonly waiting = new Set<Wait>();

  constructor(private readonly timers: Timers) {}

  /** Resolves with the first value of `look` that is not `undefined`; fails with DEADLINE, naming `what`. */
  async until<T>(look: () => T | undefined, deadlineMs: number, what: string): Promise<T> {
    const now = look();
    if (now !== undefined) return now;
    if (this.waiting.size >= waitsMax)
      throw new Failure('LIMIT', `${waitsMax} callers wait already for decisions; try again later`);
    return new Promise<T>((resolve, reject) => {
      const end = (): void => {
        cancel();
        this.waiting.delete(wait);
      };
      const wait: Wait = {
        poll: () => {
          const value = look();
          if (value === undefined) return false;
          end();
          resolve(value);
          return true;
        },
        fail: (error) => {
          end();
          reject(error);
        },
      };
      const cancel = this.timers.after(deadlineMs, () => {
        wait.fail(new Failure('DEADLINE', `${what} did not happen within ${deadlineMs} ms`));
      });
      this.waiting.add(wait);
    });
  }

  poll(): void {
    for (const wait of [...this.waiting]) wait.poll();
  }

  failAll(error: Error): void {
    for (const wait of [...this.waiting]) wait.fail(error);
  }
}
