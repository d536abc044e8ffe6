import { failureCode } from '@levee/kernel';
import { LogFailure, type StoredRecord } from '@levee/log';
import { binary, type LogDatabase } from './database';
import { decodeRecords, type EntryHead, readHead } from './entry';
import { entryKey, entryKeyAfter, offsetOfEntryKey } from './keys';
import type { PartitionLog } from './partition-log';

/** classic-level fetches this much per call into LevelDB; its default of 16 KiB is a call per entry or two. */
const readAhead: object = { highWaterMarkBytes: 256 * 1024 };

export interface ReadEntry {
  readonly head: EntryHead;
  readonly bytes: Buffer;
}

export interface Stretch {
  readonly records: StoredRecord[];
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
  db: LogDatabase,
  partition: PartitionLog,
  range: {
    readonly from: number;
    readonly until: number;
    readonly bytesMax: number;
    readonly chain?: number | undefined;
  },
): Promise<Stretch> {
  const records: StoredRecord[] = [];
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
    for (const record of decodeRecords(entry.bytes, head)) if (record.offset >= range.from) records.push(record);
    lastBase = Math.max(head.baseOffset, range.from);
    position = head.nextOffset;
    chain = head.chainOut;
    epoch = head.epoch;
    bytes += entry.bytes.length;
    return bytes < range.bytesMax;
  };
  try {
    await forEachEntry(db, partition, range, visit);
  } catch (error) {
    // What lies before the damage is read; who asks for the next stretch is told.
    if (failureCode(error) !== 'RECORD_CORRUPT' || position === range.from) throw error;
  }
  // Both are set together when a batch was synced; so this holds the newest entry to what was confirmed.
  if (position === partition.end && chain !== partition.chain)
    throw corrupt(partition, lastBase, `its entry gives out ${chain}, confirmed was ${partition.chain}`, partition.end);
  return { records, nextOffset: position, epoch, chain: chain as number, bytes };
}

/**
 * Visits the entries that cover `[from, until)`, checked and without holes, until `visit` returns false.
 * The first one may begin below `from`.
 */
export async function forEachEntry(
  db: LogDatabase,
  partition: PartitionLog,
  range: { readonly from: number; readonly until: number },
  visit: (entry: ReadEntry) => boolean | Promise<boolean>,
): Promise<void> {
  const { from, until } = range;
  if (from >= until) return;
  const topic = partition.topic.stored.number;
  let position = await entryStart(db, partition, from);
  let first = true;
  const iterator = db.iterator<Buffer, Buffer>({
    gte: entryKey(topic, partition.number, position),
    lt: entryKey(topic, partition.number, until),
    ...binary,
    ...readAhead,
  });
  try {
    for (;;) {
      const found = await iterator.nextv(first ? 1 : 64);
      for (const [key, bytes] of found) {
        const entry = checked(partition, Math.max(position, from), key, bytes);
        if (entry.head.baseOffset !== position)
          throw corrupt(partition, Math.max(position, from), `the next entry begins at ${entry.head.baseOffset}`);
        position = entry.head.nextOffset;
        first = false;
        if (!(await visit(entry)) || position >= until) return;
      }
      if (found.length === 0) throw corrupt(partition, Math.max(position, from), 'its entry is missing');
    }
  } finally {
    await iterator.close();
  }
}

/** The last entry that begins below `until`, unchecked; `undefined` when there is none. */
export async function lastEntryBefore(
  db: LogDatabase,
  partition: PartitionLog,
  until: number,
): Promise<{ baseOffset: number; bytes: Buffer } | undefined> {
  const topic = partition.topic.stored.number;
  const iterator = db.iterator<Buffer, Buffer>({
    gte: entryKey(topic, partition.number, 0),
    lt: until === Infinity ? entryKeyAfter(topic, partition.number) : entryKey(topic, partition.number, until),
    reverse: true,
    limit: 1,
    ...binary,
  });
  try {
    const found = await iterator.next();
    return found === undefined ? undefined : { baseOffset: offsetOfEntryKey(found[0]), bytes: found[1] };
  } finally {
    await iterator.close();
  }
}

/** Where the entry that should hold `offset` begins. */
async function entryStart(db: LogDatabase, partition: PartitionLog, offset: number): Promise<number> {
  const last = await lastEntryBefore(db, partition, offset + 1);
  if (last === undefined) return offset;
  if (last.baseOffset === offset) return offset;
  const head = readHead(last.bytes);
  if (typeof head === 'string') throw corrupt(partition, offset, `the entry at ${last.baseOffset} is damaged: ${head}`);
  return head.nextOffset > offset ? last.baseOffset : offset;
}

function checked(partition: PartitionLog, at: number, key: Buffer, bytes: Buffer): ReadEntry {
  const head = readHead(bytes);
  if (typeof head === 'string') throw corrupt(partition, at, head);
  if (head.baseOffset !== offsetOfEntryKey(key))
    throw corrupt(partition, at, `the entry under ${offsetOfEntryKey(key)} says it begins at ${head.baseOffset}`);
  return { head, bytes };
}

/** `to`, where it is known, is where reading can go on. */
export function corrupt(partition: PartitionLog, offset: number, why: string, to?: number): LogFailure {
  const { name: topic } = partition.topic.stored;
  const { number } = partition;
  const stretch = to === undefined ? `offset ${offset}` : `offset ${offset} to ${to}`;
  return new LogFailure(
    'RECORD_CORRUPT',
    `topic ${topic}, partition ${number}, ${stretch}: ${why}; restore the log's folder from a copy, or see levee log repair`,
    { details: { topic, partition: number, offset, why, from: offset, ...(to === undefined ? {} : { to }) } },
  );
}
