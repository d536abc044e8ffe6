import { crc32cNative } from '@levee/codec';
import type { ReplicaDatabase } from '../engine';
import { upperBound } from '../partition-log';
import type { CopyPosition } from './copy-position';

/**
 * What a copy leaves in the unit itself, so that no half one is ever taken for whole, whatever ended the process or
 * the power: `!c/state` says loading or sealed, and each block lands in one write with its own `!c/b/<number>`. A
 * database that lost a block from the middle of its write-ahead log lacks that key (the databases do lose such).
 */
export interface CopyState {
  readonly kind: 'loading' | 'sealed';
  /** Blocks that must be there, 0 while loading. */
  readonly blocks: number;
}

export interface BlockRecord {
  /** `pieceName`. */
  readonly piece: string;
  /** Hexadecimal; the last key of the block, or of the one before it when it is empty; null = none yet. */
  readonly after: string | null;
  readonly last: boolean;
  /** Where the source stands in the snapshot that begins here; empty in a block of entries. */
  readonly positions: readonly CopyPosition[];
  /** Of the whole copy up to here. */
  readonly records: number;
  readonly bytes: number;
}

export const copyStateKey = Buffer.from('!c/state');
const blockPrefix = Buffer.from('!c/b/');

export function blockKey(number: number): Buffer {
  const key = Buffer.alloc(blockPrefix.length + 4);
  key.set(blockPrefix);
  key.writeUInt32BE(number, blockPrefix.length);
  return key;
}

/** JSON behind its CRC-32C, which covers the key too. */
export function sealRecord(key: Buffer, record: CopyState | BlockRecord): Buffer {
  const text = Buffer.from(JSON.stringify(record));
  const crc = Buffer.alloc(4);
  crc.writeUInt32BE(crc32cNative(text, crc32cNative(key)));
  return Buffer.concat([crc, text]);
}

function openRecord(key: Buffer, bytes: Buffer): unknown {
  const text = bytes.subarray(4);
  if (bytes.length < 4 || crc32cNative(text, crc32cNative(key)) !== bytes.readUInt32BE(0)) return undefined;
  return JSON.parse(text.toString());
}

/** `undefined` when no copy was ever begun here, 'unreadable' when its record is damaged. */
export async function readCopyState(db: ReplicaDatabase): Promise<CopyState | 'unreadable' | undefined> {
  const stored = await db.get(copyStateKey);
  if (stored === undefined) return undefined;
  return (openRecord(copyStateKey, stored) as CopyState | undefined) ?? 'unreadable';
}

/** Blocks in order; `undefined` when one is missing or damaged. */
export async function readBlocks(db: ReplicaDatabase): Promise<BlockRecord[] | undefined> {
  const found: BlockRecord[] = [];
  for await (const [key, value] of db.iterator({ gte: blockPrefix, lt: upperBound(blockPrefix) })) {
    const record = openRecord(key, value) as BlockRecord | undefined;
    if (record === undefined || !key.equals(blockKey(found.length))) return undefined;
    found.push(record);
  }
  return found;
}

/** Why what is here is no whole copy, in words; `undefined` when it is one, or never was a copy. */
export async function copyProblem(db: ReplicaDatabase): Promise<string | undefined> {
  const state = await readCopyState(db);
  if (state === undefined) return undefined;
  if (state === 'unreadable') return 'the record of its copy is damaged';
  if (state.kind === 'loading') return 'its copy never ended';
  const blocks = await readBlocks(db);
  if (blocks?.length === state.blocks) return undefined;
  return `of the ${state.blocks} blocks of its copy ${blocks === undefined ? 'one' : state.blocks - blocks.length} are lost`;
}
