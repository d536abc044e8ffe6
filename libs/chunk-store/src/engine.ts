import type { AbstractLevel } from 'abstract-level';
import { ClassicLevel, type OpenOptions } from 'classic-level';
import { MemoryLevel } from 'memory-level';
import { messageOf } from '@levee/kernel';
import { ChunkStoreFailure } from './chunk-store-failure';
import { diskRefusal } from './disk-refusal';

/** A replica's database: keys and values are bytes. */
export type ReplicaDatabase = AbstractLevel<string | Buffer | Uint8Array, Buffer, Buffer>;

export type EngineName = 'leveldb' | 'memory';

export interface EngineBudget {
  /** One memtable; LevelDB holds two of them. */
  readonly writeBufferBytes: number;
  readonly blockCacheBytes: number;
}

/** Small, because a node opens dozens of databases: cache + 2 write buffers each. */
export const engineBudgetDefault: EngineBudget = { writeBufferBytes: 2 << 20, blockCacheBytes: 2 << 20 };

/**
 * Opens the LevelDB database of `folder`, creating it when it is missing unless `create` is false: LevelDB takes any
 * folder without CURRENT for an empty one and deletes what is in it. A damaged one fails with REPLICA_DAMAGED, one that
 * cannot be written for now with DISK_FULL or DISK_REFUSES.
 */
export async function openLevelDb(
  folder: string,
  budget: EngineBudget = engineBudgetDefault,
  create = true,
): Promise<ReplicaDatabase> {
  return openClassic(folder, {
    multithreading: true,
    createIfMissing: create,
    writeBufferSize: budget.writeBufferBytes,
    cacheSize: budget.blockCacheBytes,
    maxOpenFiles: 128,
  });
}

/**
 * Opens what this process has open already, in another of its threads; that must be closed before the first is. Both
 * see the same state at every moment.
 */
export function openLevelDbAgain(location: string): Promise<ReplicaDatabase> {
  return openClassic(location, { multithreading: true, createIfMissing: false, cacheSize: 0 });
}

/** A database of no content, open as long as this process holds the folder: its lock ends with the process, whatever ends it. */
export function openFolderLock(folder: string): Promise<ReplicaDatabase> {
  return openClassic(folder, { writeBufferSize: 64 * 1024, cacheSize: 0 });
}

/** By which another thread finds the database; `undefined` when none can. */
export function locationOf(db: ReplicaDatabase): string | undefined {
  return db instanceof ClassicLevel ? db.location : undefined;
}

async function openClassic(folder: string, options: OpenOptions): Promise<ReplicaDatabase> {
  const db = new ClassicLevel<Buffer, Buffer>(folder, {
    keyEncoding: 'buffer',
    valueEncoding: 'buffer',
    ...options,
  });
  try {
    await db.open();
  } catch (cause) {
    if (codeOf(causeOf(cause)) === 'LEVEL_LOCKED')
      throw new ChunkStoreFailure('DISK_IN_USE', `${folder} is open in another process`, { cause });
    const refusal = diskRefusal(cause);
    if (refusal !== undefined) throw refusal;
    throw new ChunkStoreFailure('REPLICA_DAMAGED', `cannot open ${folder}: ${messageOf(causeOf(cause))}`, { cause });
  }
  // ClassicLevel is an AbstractLevel; only the types of hooks that nobody here uses keep the compiler from seeing it.
  return db as unknown as ReplicaDatabase;
}

/** A database that lives and ends with this process. */
export async function openMemory(): Promise<ReplicaDatabase> {
  const db = new MemoryLevel<Buffer, Buffer>({ keyEncoding: 'buffer', valueEncoding: 'buffer' });
  await db.open();
  return db;
}

/** True when the engine copies what it is given before `put` returns, so that buffers may be reused at once. */
export function copiesAtOnce(db: ReplicaDatabase): boolean {
  return db instanceof ClassicLevel;
}

/** Below every key that anything of ours has. */
const nothing = { from: Buffer.from([0]), to: Buffer.from([1]) };

/** Resolves when everything written before is in tables, synced; an engine without a write-ahead log has none. */
export async function intoTables(db: ReplicaDatabase): Promise<void> {
  // Compacting a range writes the memtable out first, whatever lies in the range.
  if (db instanceof ClassicLevel) await db.compactRange(nothing.from, nothing.to);
}

function causeOf(error: unknown): unknown {
  return typeof error === 'object' && error !== null && 'cause' in error ? error.cause : error;
}

function codeOf(error: unknown): unknown {
  return typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined;
}
