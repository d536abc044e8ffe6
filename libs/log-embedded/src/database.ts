import type { AbstractBatchOperation, AbstractBatchOptions, AbstractLevel } from 'abstract-level';
import type { KeyRange } from './keys';

/** What the log needs of its database: classic-level, memory-level, or anything that keeps abstract-level's words. */
export type LogDatabase = AbstractLevel<string | Buffer | Uint8Array, Buffer, Buffer>;

export type DatabaseWrite =
  | { readonly type: 'put'; readonly key: Buffer; readonly value: Buffer }
  | { readonly type: 'del'; readonly key: Buffer };

export const put = (key: Buffer, value: Buffer): DatabaseWrite => ({ type: 'put', key, value });
export const del = (key: Buffer): DatabaseWrite => ({ type: 'del', key });

/** `sync` is classic-level's word; abstract-level passes it on without knowing it. */
const synced: object = { sync: true, keyEncoding: 'buffer', valueEncoding: 'buffer' };

/** One atomic write, durable when it resolves. Every write of the log goes through here. */
export function writeSynced(db: LogDatabase, writes: DatabaseWrite[]): Promise<void> {
  return db.batch(
    writes as Array<AbstractBatchOperation<LogDatabase, Buffer, Buffer>>,
    synced as AbstractBatchOptions<Buffer, Buffer>,
  );
}

export const binary = { keyEncoding: 'buffer', valueEncoding: 'buffer' } as const;

export function get(db: LogDatabase, key: Buffer): Promise<Buffer | undefined> {
  return db.get<Buffer, Buffer>(key, binary);
}

export async function entriesIn(db: LogDatabase, range: KeyRange): Promise<Array<[Buffer, Buffer]>> {
  return db.iterator<Buffer, Buffer>({ ...range, ...binary }).all();
}
