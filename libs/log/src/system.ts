import { randomUUID } from 'node:crypto';
import type { Clock, NewId, Random, Timers } from '@levee/kernel';

/** The process's real clock, timers and dice, for composition roots and adapters' defaults. */
export const systemClock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
};

export const systemTimers: Timers = {
  after(delayMs, action) {
    const timer = setTimeout(action, delayMs);
    return () => clearTimeout(timer);
  },
};

export const systemRandom: Random = { next: () => Math.random() };

export const systemNewId: NewId = () => randomUUID();
