import type { Clock, Timers } from '@levee/kernel';
import { followLimits } from './follow-limits';

/** How many LevelDB writes feeds may still make: shared by whatever shares processors and databases' threads. */
export class ApplyBudget {
  /** Writes that may still follow at once; negative: a debt, worked off by lingering. */
  private allowance: number = followLimits.appliesAtOnce;
  private refilledAtMs: number;

  constructor(private readonly clock: Clock) {
    this.refilledAtMs = clock.monotonicMs();
  }

  /** For how long nothing more should be written after so many `writes`; 0 = not at all. */
  spend(writes: number): number {
    const nowMs = this.clock.monotonicMs();
    const { appliesPerSecond, appliesAtOnce, lingerMsMax } = followLimits;
    const refilled = this.allowance + ((nowMs - this.refilledAtMs) * appliesPerSecond) / 1000;
    this.refilledAtMs = nowMs;
    this.allowance = Math.max(Math.min(refilled, appliesAtOnce) - writes, (-appliesPerSecond * lingerMsMax) / 1000);
    return this.allowance >= 0 ? 0 : Math.max(1, (-this.allowance * 1000) / appliesPerSecond);
  }
}

/**
 * How often feeds at the end of their partitions write what comes in. A LevelDB write costs nearly the same for one
 * record as for fifty, so beyond `appliesPerSecond` a feed lingers before it asks for more: the same records then take
 * fewer writes. Below that rate, and while anybody waits for a position, nothing is held back.
 */
export class ApplyPace {
  private readonly lingering = new Set<() => void>();

  constructor(
    private readonly budget: ApplyBudget,
    private readonly timers: Timers,
    private readonly isAwaited: () => boolean,
  ) {}

  /** Somebody began to wait for a position: everything that lingers goes on at once. */
  hurry(): void {
    for (const goOn of [...this.lingering]) goOn();
  }

  /** After `writes` writes: what to wait for before reading on, or `undefined`; `signal` ends the wait. */
  linger(writes: number, signal: AbortSignal): Promise<void> | undefined {
    const delayMs = this.budget.spend(writes);
    if (delayMs === 0 || this.isAwaited() || signal.aborted) return undefined;
    return new Promise((resolve) => {
      const goOn = (): void => {
        this.lingering.delete(goOn);
        signal.removeEventListener('abort', goOn);
        cancel();
        resolve();
      };
      const cancel = this.timers.after(delayMs, goOn);
      signal.addEventListener('abort', goOn);
      this.lingering.add(goOn);
    });
  }
}
