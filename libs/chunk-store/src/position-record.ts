import { crc32cNative } from '@levee/codec';
import { readLong, writeLong } from './stored-value';

/** A place in a partition with what is needed to go on from it. */
export interface Mark {
  readonly nextOffset: number;
  /** Leader epoch of the last record batch applied, -1 when unknown. */
  readonly leaderEpoch: number;
  /** Log time (ms since 1970) at which the replica last stood at the partition's end, 0 = never. */
  readonly completeAtMs: number;
}

/** `!p/<partition>`: where the replica stands, and where its chain of journal keys begins. */
export interface PositionRecord extends Mark {
  /** Not readable below this offset (I13): a rewound replica has seen records up to here already. */
  readonly unreadableBelow: number;
  /** The mark that the oldest journal key kept names as its predecessor. */
  readonly chainFrom: Mark;
}

/** `!j/<partition>/<nextOffset>`: one per write, naming the one before. */
export interface JournalEntry extends Mark {
  readonly previousOffset: number;
  /** Bytes of the write, to know how far back the chain must reach. */
  readonly bytes: number;
}

const freshMark: Mark = { nextOffset: 0, leaderEpoch: -1, completeAtMs: 0 };
export const freshPosition: PositionRecord = { ...freshMark, unreadableBelow: 0, chainFrom: freshMark };

const markBytes = 20;

function writeMark(buffer: Buffer, at: number, mark: Mark): number {
  writeLong(buffer, at, mark.nextOffset);
  buffer.writeInt32BE(mark.leaderEpoch, at + 8);
  return writeLong(buffer, at + 12, mark.completeAtMs);
}

function readMark(buffer: Buffer, at: number): Mark {
  return {
    nextOffset: readLong(buffer, at),
    leaderEpoch: buffer.readInt32BE(at + 8),
    completeAtMs: readLong(buffer, at + 12),
  };
}

function sealed(buffer: Buffer, key: Buffer): Buffer {
  buffer.writeUInt32BE(crc32cNative(buffer.subarray(0, buffer.length - 4), crc32cNative(key)), buffer.length - 4);
  return buffer;
}

function holds(buffer: Buffer, key: Buffer, length: number): boolean {
  return (
    buffer.length === length &&
    crc32cNative(buffer.subarray(0, length - 4), crc32cNative(key)) === buffer.readUInt32BE(length - 4)
  );
}

export function positionKey(partition: number): Buffer {
  return Buffer.from(`!p/${String(partition).padStart(5, '0')}`);
}

const positionBytes = 2 * markBytes + 8 + 4;

export function encodePosition(key: Buffer, position: PositionRecord): Buffer {
  const buffer = Buffer.allocUnsafe(positionBytes);
  let p = writeMark(buffer, 0, position);
  p = writeMark(buffer, p, position.chainFrom);
  writeLong(buffer, p, position.unreadableBelow);
  return sealed(buffer, key);
}

/** `undefined` when the bytes are not what was written under this key. */
export function decodePosition(key: Buffer, buffer: Buffer): PositionRecord | undefined {
  if (!holds(buffer, key, positionBytes)) return undefined;
  return {
    ...readMark(buffer, 0),
    chainFrom: readMark(buffer, markBytes),
    unreadableBelow: readLong(buffer, 2 * markBytes),
  };
}

export function journalPrefix(partition: number): Buffer {
  return Buffer.from(`!j/${String(partition).padStart(5, '0')}/`);
}

export function journalKey(prefix: Buffer, nextOffset: number): Buffer {
  const key = Buffer.allocUnsafe(prefix.length + 8);
  key.set(prefix, 0);
  writeLong(key, prefix.length, nextOffset);
  return key;
}

const journalBytes = markBytes + 8 + 4 + 4;

export function encodeJournal(key: Buffer, entry: JournalEntry): Buffer {
  const buffer = Buffer.allocUnsafe(journalBytes);
  const p = writeLong(buffer, writeMark(buffer, 0, entry), entry.previousOffset);
  buffer.writeUInt32BE(entry.bytes, p);
  return sealed(buffer, key);
}

export function decodeJournal(key: Buffer, buffer: Buffer): JournalEntry | undefined {
  if (!holds(buffer, key, journalBytes)) return undefined;
  return {
    ...readMark(buffer, 0),
    previousOffset: readLong(buffer, markBytes),
    bytes: buffer.readUInt32BE(markBytes + 8),
  };
}
