import { crc32c } from '@node-rs/crc32';
import { readU53, writeU53 } from '../slot';
import type { StoreWrite } from './log-store';

/**
 * A journal file: a head, then frames, each one change of the store. Little endian.
 * Head: 0 magic · 4 format · 8 number of the journal · 16 sequence of its first frame · 24 salt · 28 CRC-32C of 0 to 28.
 * Frame: 0 magic · 4 length of the body · 8 CRC-32C, begun with the salt, of 4 to 8, 12 to 20 and the body
 * · 12 sequence · 20 body: for each
 * write its kind (1 put, 2 delete, 3 clear from key to value), 0, key length u16, value length u32, key, value.
 * Sequences have no gaps, so a lost frame is known by the next one. Nobody can write a value that looks like a frame when
 * the one around it is damaged: that would need the salt, which is drawn anew for each journal.
 */
export type JournalWrite = StoreWrite | { readonly type: 'clear'; readonly key: Buffer; readonly value: Buffer };

export interface Frame {
  readonly sequence: number;
  readonly body: Buffer;
}

export interface JournalHead {
  readonly number: number;
  readonly firstSequence: number;
  readonly salt: number;
}

export const journalHeadBytes = 32;
const headMagic = 0x4a4c564c;
const frameMagic = 0x464c564c;
const format = 1;
const frameHeadBytes = 20;
const kinds = { put: 1, del: 2, clear: 3 } as const;
const writeHeadBytes = 8;
const nothing = Buffer.alloc(0);

export function encodeJournalHead({ number, firstSequence, salt }: JournalHead): Buffer {
  const bytes = Buffer.alloc(journalHeadBytes);
  bytes.writeUInt32LE(headMagic, 0);
  bytes.writeUInt32LE(format, 4);
  writeU53(bytes, number, 8);
  writeU53(bytes, firstSequence, 16);
  bytes.writeUInt32LE(salt, 24);
  bytes.writeUInt32LE(crc32c(bytes.subarray(0, 28)), 28);
  return bytes;
}

/** `undefined` when it is damaged; the frames tell their sequence themselves. */
export function readJournalHead(bytes: Buffer): JournalHead | undefined {
  if (bytes.length < journalHeadBytes || crc32c(bytes.subarray(0, 28)) !== bytes.readUInt32LE(28)) return undefined;
  if (bytes.readUInt32LE(0) !== headMagic || bytes.readUInt32LE(4) !== format) return undefined;
  return { number: readU53(bytes, 8), firstSequence: readU53(bytes, 16), salt: bytes.readUInt32LE(24) };
}

/** The frame as pieces that are written one after the other; large values are not copied. */
export function encodeFrame(salt: number, sequence: number, writes: readonly JournalWrite[]): Buffer[] {
  let length = 0;
  let copied = 0;
  for (const write of writes) {
    const valueBytes = write.type === 'del' ? 0 : write.value.length;
    const size = writeHeadBytes + write.key.length;
    length += size + valueBytes;
    copied += valueBytes <= copyMax ? size + valueBytes : size;
  }
  // One piece for all that is copied: pieces cost more than their bytes, and so do calls for their checksums.
  const bytes = Buffer.allocUnsafe(frameHeadBytes + copied);
  const pieces: Buffer[] = [];
  let from = 0;
  let at = frameHeadBytes;
  for (const write of writes) {
    const { type, key } = write;
    const value = type === 'del' ? nothing : write.value;
    bytes.writeUInt16LE(kinds[type], at);
    bytes.writeUInt16LE(key.length, at + 2);
    bytes.writeUInt32LE(value.length, at + 4);
    bytes.set(key, at + writeHeadBytes);
    at += writeHeadBytes + key.length;
    if (value.length > copyMax) {
      pieces.push(bytes.subarray(from, at), value);
      from = at;
    } else {
      bytes.set(value, at);
      at += value.length;
    }
  }
  if (from < at) pieces.push(bytes.subarray(from, at));
  bytes.writeUInt32LE(frameMagic, 0);
  bytes.writeUInt32LE(length, 4);
  writeU53(bytes, sequence, 12);
  let crc = crc32c(bytes.subarray(4, 8), salt);
  for (const [index, piece] of pieces.entries()) crc = crc32c(index === 0 ? piece.subarray(12) : piece, crc);
  bytes.writeUInt32LE(crc, 8);
  return pieces;
}

/** Smaller values are cheaper copied than written as a piece of their own. */
const copyMax = 16 * 1024;

/** Every whole frame of a journal file, in order, also behind damage. */
export function framesOf(bytes: Buffer, salt: number): Frame[] {
  const frames: Frame[] = [];
  let at = journalHeadBytes;
  while (at + frameHeadBytes <= bytes.length) {
    const frame = frameAt(bytes, at, salt);
    if (frame !== undefined) {
      frames.push(frame);
      at += frameHeadBytes + frame.body.length;
      continue;
    }
    // A search for the next magic; its CRC tells a frame from bytes that only look like one.
    const next = bytes.indexOf(magicBytes, at + 1);
    if (next < 0) break;
    at = next;
  }
  return frames;
}

const magicBytes = Buffer.alloc(4);
magicBytes.writeUInt32LE(frameMagic);

function frameAt(bytes: Buffer, at: number, salt: number): Frame | undefined {
  if (bytes.readUInt32LE(at) !== frameMagic) return undefined;
  const length = bytes.readUInt32LE(at + 4);
  const end = at + frameHeadBytes + length;
  if (end > bytes.length) return undefined;
  const crc = crc32c(bytes.subarray(at + 12, end), crc32c(bytes.subarray(at + 4, at + 8), salt));
  if (crc !== bytes.readUInt32LE(at + 8)) return undefined;
  return { sequence: readU53(bytes, at + 12), body: bytes.subarray(at + frameHeadBytes, end) };
}

/** The writes of a frame whose CRC was right. */
export function writesOf(body: Buffer): JournalWrite[] {
  const writes: JournalWrite[] = [];
  for (let at = 0; at < body.length;) {
    const kind = body.readUInt16LE(at);
    const keyEnd = at + writeHeadBytes + body.readUInt16LE(at + 2);
    const end = keyEnd + body.readUInt32LE(at + 4);
    const key = body.subarray(at + writeHeadBytes, keyEnd);
    const value = body.subarray(keyEnd, end);
    if (kind === kinds.del) writes.push({ type: 'del', key });
    else writes.push({ type: kind === kinds.put ? 'put' : 'clear', key, value });
    at = end;
  }
  return writes;
}
