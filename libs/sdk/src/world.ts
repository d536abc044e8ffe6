import type { Clock, NewId, Random, Timers } from '@levee/kernel';
import { systemClock, systemNewId, systemRandom, systemTimers } from '@levee/log';

/** Time and dice. */
export interface World {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
  readonly newId: NewId;
}

export const systemWorld: World = {
  clock: systemClock,
  timers: systemTimers,
  random: systemRandom,
  newId: systemNewId,
};
