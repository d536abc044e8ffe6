import type { Timers } from './clock';

/** What ends a wait early: as much of an AbortSignal as pure code needs. */
export interface Cancellation {
  readonly aborted: boolean;
  addEventListener(event: 'abort', listener: () => void): void;
  removeEventListener(event: 'abort', listener: () => void): void;
}

/** Resolves after `ms`, or when `signal` is aborted. */
export function pause(timers: Timers, ms: number, signal?: Cancellation): Promise<void> {
  if (signal?.aborted === true) return Promise.resolve();
  return new Promise((resolve) => {
    const end = (): void => {
      cancel();
      signal?.removeEventListener('abort', end);
      resolve();
    };
    const cancel = timers.after(ms, end);
    signal?.addEventListener('abort', end);
  });
}

/** The pauses of one loop: all of them end early when its `signal` aborts. */
export class Pause<S extends Cancellation = Cancellation> {
  constructor(
    private readonly timers: Timers,
    readonly signal: S,
  ) {}

  /** Resolves after `ms`, or at once when stopping. */
  for(ms: number): Promise<void> {
    return pause(this.timers, ms, this.signal);
  }
}
