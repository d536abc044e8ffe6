import type { Timers } from '@levee/kernel';

/** Pauses that end early when `signal` aborts. */
export class Pause {
  constructor(
    private readonly timers: Timers,
    readonly signal: AbortSignal,
  ) {}

  /** Resolves after `ms`, or at once when stopping. */
  for(ms: number): Promise<void> {
    if (this.signal.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const end = (): void => {
        cancel();
        this.signal.removeEventListener('abort', end);
        resolve();
      };
      const cancel = this.timers.after(ms, end);
      this.signal.addEventListener('abort', end);
    });
  }
}
