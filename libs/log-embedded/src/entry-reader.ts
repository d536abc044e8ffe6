import { failureCode } from '@levee/kernel';
import { LogFailure, type StoredRecord } from '@levee/log';
import { decodeRecords, type EntryHead, readHead } from './entry';
import { type PartitionLog, placeOf } from './partition-log';
import type { FoundEntry, LogStore } from './store/log-store';

export interface ReadEntry {
  readonly head: EntryHead;
  readonly bytes: Buffer;
}

export interface Stretch {
  readonly records: StoredRecord[];
  readonly entries: ReadEntry[];
  readonly nextOffset: number;
  /** Epoch of the last entry. */
  readonly epoch: number;
  /** What the entry at `nextOffset` must take in. */
  readonly chain: number;
  /** Of the entries that were read. */
  readonly bytes: number;
}

/**
 * Reads records of `[from, until)`, at most about `bytesMax` bytes (one entry always passes), and checks every link:
 * RECORD_CORRUPT names the first offset that cannot be trusted. `chain` is what the entry at `from` must take in, if known.
 */
export async function readStretch(
  store: LogStore,
  partition: PartitionLog,
  range: {
    readonly from: number;
    readonly until: number;
    readonly bytesMax: number;
    readonly chain?: number | undefined;
    /** `entries`: they are not decoded, `records` stays empty; `links`: both stay empty. */
    readonly wants?: 'records' | 'entries' | 'links';
  },
): Promise<Stretch> {
  const records: StoredRecord[] = [];
  const entries: ReadEntry[] = [];
  let position = range.from;
  let { chain } = range;
  let epoch = -1;
  let lastBase = range.from;
  let bytes = 0;
  const visit = (entry: ReadEntry): boolean => {
    const { head } = entry;
    if (chain !== undefined && head.baseOffset === position && head.chainIn !== chain)
      throw corrupt(
        partition,
        position,
        `its entry takes in ${head.chainIn}, the one before gave out ${chain}`,
        head.nextOffset,
      );
    if (range.wants === 'entries') entries.push(entry);
    else if (range.wants !== 'links')
      for (const record of decodeRecords(entry.bytes, head)) if (record.offset >= range.from) records.push(record);
    lastBase = Math.max(head.baseOffset, range.from);
    position = head.nextOffset;
    chain = head.chainOut;
    epoch = head.epoch;
    bytes += entry.bytes.length;
    return bytes < range.bytesMax;
  };
  try {
    await forEachEntry(store, partition, range, visit);
  } catch (error) {
    // What lies before the damage is read; who asks for the next stretch is told.
    if (failureCode(error) !== 'RECORD_CORRUPT' || position === range.from) throw error;
  }
  // Both are set together when a batch was synced; so this holds the newest entry to what was confirmed.
  if (position === partition.end && chain !== partition.chain)
    throw corrupt(partition, lastBase, `its entry gives out ${chain}, confirmed was ${partition.chain}`, partition.end);
  return { records, entries, nextOffset: position, epoch, chain: chain as number, bytes };
}

/**
 * Visits the entries that cover `[from, until)`, checked and without holes, until `visit` returns false.
 * The first one may begin below `from`. `bytesMax`: about so much will be visited, so that not much more is read.
 */
export async function forEachEntry(
  store: LogStore,
  partition: PartitionLog,
  range: { readonly from: number; readonly until: number; readonly bytesMax?: number },
  visit: (entry: ReadEntry) => boolean | Promise<boolean>,
): Promise<void> {
  const { from, until } = range;
  if (from >= until) return;
  let position = await entryStart(store, partition, from);
  let seen = 0;
  let bytes = 0;
  const cursor = store.entries(placeOf(partition), position, until);
  try {
    for (;;) {
      const found = await cursor.next(
        seen === 0 ? 1 : entriesAhead((range.bytesMax ?? Infinity) - bytes, bytes / seen),
      );
      for (const each of found) {
        const entry = checked(partition, Math.max(position, from), each);
        if (entry.head.baseOffset !== position)
          throw corrupt(partition, Math.max(position, from), `the next entry begins at ${entry.head.baseOffset}`);
        position = entry.head.nextOffset;
        seen++;
        bytes += entry.bytes.length;
        // Most visitors answer at once, and then nobody waits: not for each entry.
        const goesOn = visit(entry);
        if (!(typeof goesOn === 'boolean' ? goesOn : await goesOn) || position >= until) return;
      }
      if (found.length === 0) throw corrupt(partition, Math.max(position, from), 'its entry is missing');
    }
  } finally {
    await cursor.close();
  }
}

/** How many entries to read at once: what is left of the bytes, by the size of those before. */
const entriesAhead = (bytesLeft: number, entryBytes: number): number =>
  Math.max(1, Math.min(64, Math.ceil(bytesLeft / entryBytes)));

/** Where the entry that should hold `offset` begins. */
async function entryStart(store: LogStore, partition: PartitionLog, offset: number): Promise<number> {
  const last = await store.lastBefore(placeOf(partition), offset + 1);
  if (last === undefined) return offset;
  if (last.base === offset) return offset;
  const head = readHead(last.bytes);
  if (typeof head === 'string') throw corrupt(partition, offset, `the entry at ${last.base} is damaged: ${head}`);
  return head.nextOffset > offset ? last.base : offset;
}

function checked(partition: PartitionLog, at: number, { base, bytes, head: known }: FoundEntry): ReadEntry {
  const head = known ?? readHead(bytes);
  if (typeof head === 'string') throw corrupt(partition, at, head);
  if (head.baseOffset !== base)
    throw corrupt(partition, at, `the entry under ${base} says it begins at ${head.baseOffset}`);
  return { head, bytes };
}

/** `to`, where it is known, is where reading can go on. */
export function corrupt(partition: PartitionLog, offset: number, why: string, to?: number): LogFailure {
  const { name: topic } = partition.topic.stored;
  const { number } = partition;
  const stretch = to === undefined ? `offset ${offset}` : `offset ${offset} to ${to}`;
  return new LogFailure(
    'RECORD_CORRUPT',
    `topic ${topic}, partition ${number}, ${stretch}: ${why}; restore the log's folder from a copy, see levee doctor`,
    { details: { topic, partition: number, offset, why, from: offset, ...(to === undefined ? {} : { to }) } },
  );
}
