import { crc32cNative } from '@levee/codec';
import type { ReplicaDatabase } from '../engine';
import { upperBound } from '../partition-log';
import type { CopyPosition } from './copy-position';

/**
 * What a copy leaves in the unit itself, so that no half one is ever taken for whole, whatever ended the process or
 * the power: `!c/state` says loading or sealed, and `!c/m/<number>` are its milestones, each written when all entries
 * up to it are in tables. For a database may lose a part from the middle of its write-ahead log without a word; what a
 * copy counts as done does not lie there. What came behind the last milestone is copied again.
 */
export interface CopyState {
  readonly kind: 'loading' | 'sealed';
  /** Milestones that must be there, 0 while loading. */
  readonly milestones: number;
}

export interface Milestone {
  /** `pieceName`. */
  readonly piece: string;
  /** Hexadecimal; the last key of the piece that is here; null = none yet. */
  readonly after: string | null;
  /** The piece is whole. */
  readonly last: boolean;
  /** Where the source stands in the snapshot that begins here; else empty. */
  readonly positions: readonly CopyPosition[];
  /** Of the whole copy up to here. */
  readonly records: number;
  readonly bytes: number;
}

export const copyStateKey = Buffer.from('!c/state');
const milestonePrefix = Buffer.from('!c/m/');

export function milestoneKey(number: number): Buffer {
  const key = Buffer.alloc(milestonePrefix.length + 4);
  key.set(milestonePrefix);
  key.writeUInt32BE(number, milestonePrefix.length);
  return key;
}

/** JSON behind its CRC-32C, which covers the key too. */
export function sealRecord(key: Buffer, record: CopyState | Milestone): Buffer {
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

/** In order; `undefined` when one is missing or damaged. */
export async function readMilestones(db: ReplicaDatabase): Promise<Milestone[] | undefined> {
  const found: Milestone[] = [];
  for await (const [key, value] of db.iterator({ gte: milestonePrefix, lt: upperBound(milestonePrefix) })) {
    const record = openRecord(key, value) as Milestone | undefined;
    if (record === undefined || !key.equals(milestoneKey(found.length))) return undefined;
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
  const found = await readMilestones(db);
  if (found?.length === state.milestones) return undefined;
  const lost = found === undefined ? 'one' : state.milestones - found.length;
  return `of the ${state.milestones} milestones of its copy ${lost} are lost`;
}
