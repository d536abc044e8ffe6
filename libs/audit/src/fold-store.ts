import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openLevelDb, readLong, type ReplicaDatabase, writeLong } from '@levee/chunk-store';
import type { LogHeader } from '@levee/log';

/** The last record of a key, as the log holds it: what it says, without the value. */
export interface FoldedRecord {
  readonly key: Buffer;
  readonly offset: number;
  readonly tombstone: boolean;
  /** Milliseconds since 1970, 0 = never. */
  readonly expiresAtMs: number;
  /** CRC-32C of the record's value. */
  readonly crc: number;
  /** The record's value as it stands in the log, in stores that keep it. */
  readonly raw?: Buffer | null;
  /** What stood beside the value, in stores that keep whole records. */
  readonly beside?: BesideValue;
}

/** What a record says beside its key and value. */
interface BesideValue {
  /** Append time, ms since 1970. */
  readonly timestampMs: number;
  readonly headers: readonly LogHeader[];
}

const prefix = 'k';
const prefixByte = prefix.charCodeAt(0);
const prefixBytes = 1;
const nextKey = Buffer.from('n');
const ofKeys = { gte: Buffer.from(prefix), lt: Buffer.from('l') };
/** Read at a time, one of both at most: each page is work of another thread that is waited for. */
const pageEntries = 1_024;
const pageBytes = { highWaterMarkBytes: 256 * 1024 };
const recordBytes = 8 + 8 + 1 + 4;
const flags = { tombstone: 1, beside: 2 } as const;

/**
 * The fold of one partition: the last record of each key, in key order, in a database of its own, so that memory is
 * bounded whatever the partition holds. Progress is written with the records: a fold that ended in the middle goes on.
 */
export class FoldStore {
  private constructor(
    private readonly db: ReplicaDatabase,
    private next: number,
    private readonly remove: () => Promise<void>,
  ) {}

  static async open(db: ReplicaDatabase, remove: () => Promise<void> = () => Promise.resolve()): Promise<FoldStore> {
    const stored = await db.get(nextKey);
    return new FoldStore(db, stored === undefined ? 0 : readLong(stored, 0), remove);
  }

  /** In a folder for temporary files; gone with `close`. */
  static async temporary(): Promise<FoldStore> {
    const folder = await mkdtemp(join(tmpdir(), 'levee-fold-'));
    return FoldStore.open(await openLevelDb(join(folder, 'fold')), () => rm(folder, { recursive: true, force: true }));
  }

  /** Everything below is folded. */
  get nextOffset(): number {
    return this.next;
  }

  /** Records of increasing offset, and where the fold stands then, in one write. */
  async write(records: readonly FoldedRecord[], nextOffset: number): Promise<void> {
    const batch = this.db.batch();
    // One buffer for all of it: two small ones for each record are a fifth of the work of a fold.
    const besides = records.map(({ beside }) => (beside === undefined ? noBytes : encodedBeside(beside)));
    let bytes = 0;
    records.forEach((record, i) => (bytes += sizeOf(record, besides[i] as Buffer)));
    const room = Buffer.allocUnsafe(bytes);
    let at = 0;
    records.forEach((record, i) => {
      const { key, raw } = record;
      const beside = besides[i] as Buffer;
      const valueAt = at + prefixBytes + key.length;
      const besideAt = valueAt + recordBytes;
      const rawAt = besideAt + beside.length;
      const end = rawAt + (raw?.length ?? 0);
      room[at] = prefixByte;
      room.set(key, at + prefixBytes);
      writeHead(room, valueAt, record);
      if (beside.length > 0) room.set(beside, besideAt);
      if (raw) room.set(raw, rawAt);
      batch.put(room.subarray(at, valueAt), room.subarray(valueAt, end));
      at = end;
    });
    const next = Buffer.allocUnsafe(8);
    writeLong(next, 0, nextOffset);
    batch.put(nextKey, next);
    await batch.write();
    this.next = nextOffset;
  }

  async get(key: Buffer): Promise<FoldedRecord | undefined> {
    const stored = await this.db.get(databaseKey(key));
    return stored === undefined ? undefined : decoded(key, stored);
  }

  /** By ascending key. */
  async *all(): AsyncGenerator<FoldedRecord> {
    for await (const page of pagesOf(this.db.iterator({ ...ofKeys, ...pageBytes })))
      for (const [key, stored] of page) yield decoded(key.subarray(prefixBytes), stored);
  }

  /** How many keys have a value at that time, and how many are deleted or expired. */
  async count(atMs: number): Promise<{ readonly keys: number; readonly deleted: number }> {
    let [keys, deleted] = [0, 0];
    for await (const page of pagesOf(this.db.values({ ...ofKeys, ...pageBytes })))
      for (const stored of page) {
        const expiresAtMs = readLong(stored, 8);
        const isGone = ((stored[16] as number) & flags.tombstone) !== 0 || (expiresAtMs > 0 && expiresAtMs <= atMs);
        if (isGone) deleted++;
        else keys++;
      }
    return { keys, deleted };
  }

  async close(): Promise<void> {
    await this.db.close();
    await this.remove();
  }
}

async function* pagesOf<T>(entries: {
  nextv(size: number): Promise<T[]>;
  close(): Promise<void>;
}): AsyncGenerator<T[]> {
  try {
    for (let page = await entries.nextv(pageEntries); page.length > 0; page = await entries.nextv(pageEntries))
      yield page;
  } finally {
    await entries.close();
  }
}

const sizeOf = ({ key, raw }: FoldedRecord, beside: Buffer): number =>
  prefixBytes + key.length + recordBytes + beside.length + (raw?.length ?? 0);

const databaseKey = (key: Buffer): Buffer => Buffer.concat([Buffer.from(prefix), key]);

function writeHead(into: Buffer, at: number, { offset, tombstone, expiresAtMs, crc, beside }: FoldedRecord): void {
  writeLong(into, at, offset);
  writeLong(into, at + 8, expiresAtMs);
  into[at + 16] = (tombstone ? flags.tombstone : 0) | (beside === undefined ? 0 : flags.beside);
  into.writeUInt32BE(crc, at + 17);
}

const noBytes = Buffer.alloc(0);

/** The time, the number of headers (4 bytes), and of each the lengths of its key and value (4 bytes each), and both. */
function encodedBeside({ timestampMs, headers }: BesideValue): Buffer {
  const head = Buffer.allocUnsafe(12);
  writeLong(head, 0, Math.max(0, timestampMs));
  head.writeUInt32BE(headers.length, 8);
  return Buffer.concat([
    head,
    ...headers.flatMap(({ key, value }) => {
      const name = Buffer.from(key);
      const lengths = Buffer.allocUnsafe(8);
      lengths.writeUInt32BE(name.length, 0);
      lengths.writeUInt32BE(value.length, 4);
      return [lengths, name, value];
    }),
  ]);
}

function decoded(key: Buffer, stored: Buffer): FoldedRecord {
  const mark = stored[16] as number;
  const record = {
    key,
    offset: readLong(stored, 0),
    expiresAtMs: readLong(stored, 8),
    tombstone: (mark & flags.tombstone) !== 0,
    crc: stored.readUInt32BE(17),
  };
  if ((mark & flags.beside) === 0)
    return stored.length > recordBytes ? { ...record, raw: stored.subarray(recordBytes) } : record;
  const headers: LogHeader[] = [];
  let at = recordBytes + 12;
  for (let left = stored.readUInt32BE(recordBytes + 8); left > 0; left--) {
    const keyEnd = at + 8 + stored.readUInt32BE(at);
    const end = keyEnd + stored.readUInt32BE(at + 4);
    headers.push({ key: stored.toString('utf8', at + 8, keyEnd), value: stored.subarray(keyEnd, end) });
    at = end;
  }
  const beside = { timestampMs: readLong(stored, recordBytes), headers };
  return { ...record, beside, raw: record.tombstone ? null : stored.subarray(at) };
}
