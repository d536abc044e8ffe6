import { asOffset, type Offset } from '@levee/kernel';
import { decodeRecords, readHead } from './entry';
import { corrupt, forEachEntry } from './entry-reader';
import { type PartitionLog, placeOf } from './partition-log';
import type { LogStore } from './store/log-store';

/** Offset of the first record appended at or after `timeMs`, or the end. Binary search: append times never fall. */
export async function offsetAtTime(store: LogStore, partition: PartitionLog, timeMs: number): Promise<Offset> {
  const { end } = partition;
  let low = partition.start;
  let high = end;
  // Invariant: entries that end at or below `low` are too old; the entry at `high`, if any, is young enough.
  while (low < high) {
    const middle = low + Math.floor((high - low) / 2);
    const last = await store.lastBefore(placeOf(partition), middle + 1);
    const head = last === undefined ? 'it is missing' : readHead(last.bytes);
    if (typeof head === 'string') throw corrupt(partition, middle, head);
    if (head.lastTimestampMs < timeMs) low = Math.max(middle + 1, head.nextOffset);
    else high = Math.max(partition.start, Math.min(middle, head.baseOffset));
  }
  let found = end;
  await forEachEntry(store, partition, { from: low, until: end }, ({ head, bytes }) => {
    const first = decodeRecords(bytes, head).find((record) => record.timestampMs >= timeMs && record.offset >= low);
    if (first !== undefined) found = first.offset;
    return first === undefined;
  });
  return asOffset(found);
}
