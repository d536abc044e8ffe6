import type { JournalEntry, Mark, PositionRecord } from './position-record';

/**
 * LevelDB can lose a damaged block of its write-ahead log without an error: writes in the middle are gone, later ones
 * are there. So every write leaves a journal key that names the position before it, and opening follows the chain.
 */
export type ChainVerdict =
  | { readonly kind: 'intact'; readonly position: PositionRecord; readonly kept: readonly JournalEntry[] }
  | {
      readonly kind: 'rewound';
      /** The last proven mark, unreadable until past everything the database has ever seen (I13). */
      readonly position: PositionRecord;
      readonly kept: readonly JournalEntry[];
      readonly problem: string;
    };

/**
 * `entries` are the readable journal keys of one partition by ascending offset; those at or below `chainFrom` are
 * leftovers of a trim and do not count. `seenBelow` is the highest offset any journal key names, readable or not.
 */
export function checkChain(position: PositionRecord, entries: readonly JournalEntry[], seenBelow = 0): ChainVerdict {
  const kept: JournalEntry[] = [];
  let proven: Mark = position.chainFrom;
  let highest = Math.max(seenBelow, position.nextOffset, position.unreadableBelow);
  let broken: string | undefined;
  for (const entry of entries) {
    highest = Math.max(highest, entry.nextOffset);
    if (entry.nextOffset <= position.chainFrom.nextOffset || broken !== undefined) continue;
    if (entry.nextOffset > position.nextOffset) {
      broken = `a write up to ${entry.nextOffset} was seen, the position is ${position.nextOffset}`;
      continue;
    }
    if (entry.previousOffset !== proven.nextOffset) {
      broken = `the write before ${entry.previousOffset} is missing after ${proven.nextOffset}`;
      continue;
    }
    proven = entry;
    kept.push(entry);
  }
  if (broken === undefined && proven.nextOffset !== position.nextOffset)
    broken = `the chain ends at ${proven.nextOffset}, the position is ${position.nextOffset}`;
  if (broken === undefined) return { kind: 'intact', position, kept };
  return {
    kind: 'rewound',
    position: {
      nextOffset: proven.nextOffset,
      leaderEpoch: proven.leaderEpoch,
      completeAtMs: proven.completeAtMs,
      chainFrom: position.chainFrom,
      unreadableBelow: highest,
    },
    kept,
    problem: broken,
  };
}
