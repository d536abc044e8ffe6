import type { PointRead } from '../operations';
import { StoreFailure } from '../store-errors';
import type { StoreLimits } from '../store-limits';

/** One for all of them: thousands at once are dropped, and each would tell where it was made. */
export const unread = new StoreFailure('LVSTOPPING', 'nobody reads it any more');

export const noRoom = (): StoreFailure =>
  new StoreFailure('LVUNAVAILABLE', "the value found no room in its node's replies in time");

/** It has waited for its first turn, or for one that it needs since its value found no room. */
export function tooLate(read: PointRead, { readTurnMs }: StoreLimits): StoreFailure {
  if (read.routeSeq >= 0) return noRoom();
  return new StoreFailure('LVLIMIT', `too many reads were before this one for ${readTurnMs} ms: read less at a time`);
}

export const unreadableMend = 'the next write heals it: set the key again, or delete it';
