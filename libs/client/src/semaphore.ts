import type { Timers } from '@levee/kernel';
import { StoreFailure } from './store-errors';

export interface SemaphoreLimits {
  readonly atOnceMax: number;
  /** More than so many do not wait. */
  readonly waitingMax: number;
  /** Nor does any wait longer. */
  readonly waitMsMax: number;
}

/** So many at a time, the others in the order in which they came, of which neither the number nor the wait is unbounded. */
export class Semaphore {
  private taken = 0;
  private readonly waiting = new Set<() => void>();

  constructor(
    /** For messages: "pages of scans". */
    private readonly what: string,
    private readonly limits: SemaphoreLimits,
    private readonly timers: Timers,
  ) {}

  get underWay(): number {
    return this.taken;
  }

  /** `undefined`: at once; else rejects with LVLIMIT when the turn does not come. Give every turn back. */
  take(): Promise<void> | undefined {
    const { atOnceMax, waitingMax, waitMsMax } = this.limits;
    if (this.taken < atOnceMax) {
      this.taken++;
      return undefined;
    }
    if (this.waiting.size >= waitingMax)
      return Promise.reject(
        new StoreFailure('LVLIMIT', `${waitingMax} ${this.what} wait for their turn, no more may: ask again later`),
      );
    return new Promise((resolve, reject) => {
      const goOn = (): void => {
        this.waiting.delete(goOn);
        cancel();
        resolve();
      };
      const cancel = this.timers.after(waitMsMax, () => {
        this.waiting.delete(goOn);
        reject(new StoreFailure('LVLIMIT', `too many ${this.what} were before this one for ${waitMsMax} ms`));
      });
      this.waiting.add(goOn);
    });
  }

  giveBack(): void {
    const [next] = this.waiting;
    if (next) next();
    else this.taken--;
  }
}
