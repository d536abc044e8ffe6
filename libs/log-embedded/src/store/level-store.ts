import type { AbstractBatchOperation, AbstractBatchOptions, AbstractLevel } from 'abstract-level';
import { entryKey, entryKeyAfter, type KeyRange, offsetOfEntryKey } from '../keys';
import { embeddedLimits } from '../limits';
import {
  del,
  type EntryCursor,
  type FoundEntry,
  type LogStore,
  type Place,
  put,
  type Rewrite,
  type StoreWrite,
} from './log-store';

/** classic-level, memory-level, or anything that keeps abstract-level's words. */
export type LogDatabase = AbstractLevel<string | Buffer | Uint8Array, Buffer, Buffer>;

const binary = { keyEncoding: 'buffer', valueEncoding: 'buffer' } as const;
/** `sync` is classic-level's word; abstract-level passes it on without knowing it. */
const synced: object = { sync: true, ...binary };
/** classic-level fetches this much per call into LevelDB; its default of 16 KiB is a call per entry or two. */
const readAhead: object = { highWaterMarkBytes: 256 * 1024 };

/** The log on an abstract-level database. */
export class LevelStore implements LogStore {
  constructor(private readonly db: LogDatabase) {}

  open(): Promise<void> {
    return this.db.open();
  }

  close(): Promise<void> {
    return this.db.close();
  }

  write(writes: readonly StoreWrite[]): Promise<void> {
    return this.db.batch(
      writes as Array<AbstractBatchOperation<LogDatabase, Buffer, Buffer>>,
      synced as AbstractBatchOptions<Buffer, Buffer>,
    );
  }

  get(key: Buffer): Promise<Buffer | undefined> {
    return this.db.get<Buffer, Buffer>(key, binary);
  }

  valuesIn(range: KeyRange): Promise<Array<[Buffer, Buffer]>> {
    return this.db.iterator<Buffer, Buffer>({ ...range, ...binary }).all();
  }

  entries(place: Place, from: number, until: number): EntryCursor {
    const iterator = this.db.iterator<Buffer, Buffer>({ ...entryKeys(place, from, until), ...binary, ...readAhead });
    return {
      next: async (count) =>
        (await iterator.nextv(count)).map(([key, bytes]) => ({ base: offsetOfEntryKey(key), bytes })),
      close: () => iterator.close(),
    };
  }

  async lastBefore(place: Place, until: number): Promise<FoundEntry | undefined> {
    const range = { ...entryKeys(place, 0, until), reverse: true, limit: 1 };
    const iterator = this.db.iterator<Buffer, Buffer>({ ...range, ...binary });
    try {
      const found = await iterator.next();
      return found === undefined ? undefined : { base: offsetOfEntryKey(found[0]), bytes: found[1] };
    } finally {
      await iterator.close();
    }
  }

  clear(range: KeyRange): Promise<void> {
    return this.db.clear({ ...range, keyEncoding: 'buffer' });
  }

  /** Every put is one atomic batch of its own, or part of one: both before and after it the partition is whole. */
  rewrite({ topic, partition }: Place): Rewrite {
    let writes: StoreWrite[] = [];
    let bytesWaiting = 0;
    const flush = async (): Promise<void> => {
      const now = writes;
      writes = [];
      bytesWaiting = 0;
      if (now.length > 0) await this.write(now);
    };
    return {
      put: async (bytes, sources) => {
        const [first, ...others] = sources;
        writes.push(put(entryKey(topic, partition, first as number), bytes));
        for (const source of others) writes.push(del(entryKey(topic, partition, source)));
        bytesWaiting += bytes.length;
        if (bytesWaiting >= embeddedLimits.entryBytesMax) await flush();
      },
      commit: async (more) => {
        writes.push(...more);
        await flush();
      },
      abandon: () => Promise.resolve(),
    };
  }

  reclaim(): Promise<void> {
    return Promise.resolve();
  }

  troubles(): readonly string[] {
    return [];
  }

  suspects(): [] {
    return [];
  }
}

/** Keys of the entries that begin in `[from, until)`. */
const entryKeys = ({ topic, partition }: Place, from: number, until: number): KeyRange => ({
  gte: entryKey(topic, partition, from),
  lt: until === Infinity ? entryKeyAfter(topic, partition) : entryKey(topic, partition, until),
});
