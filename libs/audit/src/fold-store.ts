import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openLevelDb, readLong, type ReplicaDatabase, writeLong } from '@levee/chunk-store';

/** The last record of a key, as the log holds it: what it says, without the value. */
export interface FoldedRecord {
  readonly key: Buffer;
  readonly offset: number;
  readonly tombstone: boolean;
  /** Milliseconds since 1970, 0 = never. */
  readonly expiresAtMs: number;
  /** CRC-32C of the record's value. */
  readonly crc: number;
}

const prefix = 'k';
const prefixBytes = 1;
const nextKey = Buffer.from('n');
const recordBytes = 8 + 8 + 1 + 4;

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
    for (const { key, offset, tombstone, expiresAtMs, crc } of records) {
      const value = Buffer.allocUnsafe(recordBytes);
      writeLong(value, 0, offset);
      writeLong(value, 8, expiresAtMs);
      value[16] = tombstone ? 1 : 0;
      value.writeUInt32BE(crc, 17);
      batch.put(databaseKey(key), value);
    }
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
    for await (const [key, stored] of this.db.iterator({ gte: Buffer.from(prefix), lt: Buffer.from('l') }))
      yield decoded(key.subarray(prefixBytes), stored);
  }

  async close(): Promise<void> {
    await this.db.close();
    await this.remove();
  }
}

const databaseKey = (key: Buffer): Buffer => Buffer.concat([Buffer.from(prefix), key]);

function decoded(key: Buffer, stored: Buffer): FoldedRecord {
  return {
    key,
    offset: readLong(stored, 0),
    expiresAtMs: readLong(stored, 8),
    tombstone: stored[16] === 1,
    crc: stored.readUInt32BE(17),
  };
}
