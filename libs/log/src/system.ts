import { randomUUID } from 'node:crypto';
import type { Clock, NewId, Random, Timers } from '@levee/kernel';

/** The process's real clock, timers and dice, for composition roots and adapters' defaults. */
export const systemClock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
};

/** Node takes a longer time for 1 ms. */
const timerMsMax = 2 ** 31 - 1;

export const systemTimers: Timers = {
  after(delayMs, action) {
    if (!(delayMs > timerMsMax)) {
      const timer = setTimeout(action, delayMs);
      return () => clearTimeout(timer);
    }
    let leftMs = delayMs;
    let timer: NodeJS.Timeout;
    const step = (): void => {
      const stepMs = Math.min(leftMs, timerMsMax);
      leftMs -= stepMs;
      timer = setTimeout(leftMs > 0 ? step : action, stepMs);
    };
    step();
    return () => clearTimeout(timer);
  },
};

export const systemRandom: Random = { next: () => Math.random() };

export const systemNewId: NewId = () => randomUUID();
