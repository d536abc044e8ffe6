import { parseEntryError } from '@levee/wire';
import type { PointRead } from '../operations';
import type { ReadNamespace } from '../routes/read-namespace';
import { StoreFailure } from '../store-errors';
import type { StoreLimits } from '../store-limits';

/** One for all of them: thousands at once are dropped, and each would tell where it was made. */
export const unread = new StoreFailure('LVSTOPPING', 'nobody reads it any more');

export const stopping = (): StoreFailure => new StoreFailure('LVSTOPPING', 'this process is shutting down');

export const unreachable = ({ problem }: ReadNamespace): StoreFailure =>
  new StoreFailure('LVUNAVAILABLE', problem ?? 'no replica of the key can be reached');

export const noRoom = (): StoreFailure =>
  new StoreFailure('LVUNAVAILABLE', "the value found no room in its node's replies in time");

/** It has waited for its first turn, or for one that it needs since its value found no room. */
export function tooLate(read: PointRead, { readTurnMs }: StoreLimits): StoreFailure {
  if (read.routeSeq >= 0) return noRoom();
  return new StoreFailure('LVLIMIT', `too many reads were before this one for ${readTurnMs} ms: read less at a time`);
}

const unreadableMend = 'the next write heals it: set the key again, or delete it';

const unreadable = (detail: string): StoreFailure => new StoreFailure('LVUNREADABLE', `${detail}; ${unreadableMend}`);

/** The error of a key whose last record cannot be interpreted; `detail`: `partition:offset`, and the reason in a word. */
export const unreadableText = (detail: string): string => unreadable(detail).text;

/** What a node says of one key of a batch, as a failure of its read. */
export function entryFailure({ partition, minOffset }: PointRead, text: string): StoreFailure {
  const error = parseEntryError(text);
  switch (error?.code) {
    case 'LVUNREADABLE':
      return unreadable(error.detail);
    case 'LVBEHIND':
      return new StoreFailure('LVBEHIND', `${partition}:${minOffset} is not applied yet`);
    case 'LVLIMIT':
    case 'LVSTOPPED':
      return new StoreFailure(error.code, error.detail);
    case 'LVSTALE':
      return new StoreFailure('LVSTALE', `the replica is ${error.detail} ms old`);
    default:
      return new StoreFailure('LVUNAVAILABLE', text);
  }
}
