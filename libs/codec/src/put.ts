import { longMax, longMin } from './bounded-check';
import { confluentFrameBytes, records } from './codec';
import { CodecFailure } from './codec-failure';
import { crc32cNative } from './crc32c-native';
import { frameBytes } from './record-type';

// The one record that is written and read a hundred thousand times a second: by hand, byte for byte what avsc writes
// and what the bounded check accepts (put.spec.ts holds both to it).

/** What `readPut` found; reuse one per reader. Undefined in meaning unless `readPut` answered `put`. */
export class PutView {
  /** Milliseconds since 1970; null = never expires. */
  expiresAtMs: number | null = null;
  /** CRC-32C as the writer computed it, signed; null = it did not. */
  crc: number | null = null;
  /** The value is `raw.subarray(valueStart, valueEnd)`. */
  valueStart = 0;
  valueEnd = 0;
}

/**
 * put: `view` is filled. unknownSchema: framed well, by a fingerprint unknown here: keep it raw and read it after an
 * upgrade. garbage: no Put, and never will be; `explainPut` says why.
 */
export type PutReading = 'put' | 'unknownSchema' | 'garbage';

const frame = records.typeOf('Put', 1).frame;
const frameLow = frame.readInt32LE(2);
const frameHigh = frame.readInt32LE(6);

/**
 * The value of a binlog record that sets `key` to `value`, with its crc. `expiresAtMs` is an integer from 0 to
 * 2^53 - 2, or null for never. Neither argument is kept.
 */
export function encodePut(key: Uint8Array, value: Uint8Array, expiresAtMs: number | null): Buffer {
  const crc = putCrc(key, value, expiresAtMs);
  const crcZigZag = ((crc << 1) ^ (crc >> 31)) >>> 0;
  const expiryBytes = expiresAtMs === null ? 0 : varintBytes(expiresAtMs * 2);
  // Two branch numbers of one byte each.
  const headBytes = frameBytes + 2 + expiryBytes + uint32Bytes(crcZigZag) + uint32Bytes(value.length * 2);
  const bytes = Buffer.allocUnsafe(headBytes + value.length);
  bytes.set(frame, 0);
  let at = frameBytes;
  if (expiresAtMs === null) bytes[at++] = 0;
  else {
    bytes[at++] = 2;
    at = writeVarint(bytes, at, expiresAtMs * 2);
  }
  bytes[at++] = 2;
  at = writeUint32(bytes, at, crcZigZag);
  at = writeUint32(bytes, at, value.length * 2);
  bytes.set(value, at);
  return bytes;
}

/**
 * Reads a binlog record's value without copying or allocating. Accepts our framing and Confluent's (see `decodeAs`).
 * Never throws, whatever the bytes.
 */
export function readPut(raw: Uint8Array, view: PutView): PutReading {
  const length = raw.length;
  let at: number;
  if (length >= frameBytes && raw[0] === 0xc3 && raw[1] === 0x01) {
    if (int32LE(raw, 2) !== frameLow || int32LE(raw, 6) !== frameHigh)
      return isKnown(raw) ? 'garbage' : 'unknownSchema';
    at = frameBytes;
  } else if (raw[0] === 0 && length >= confluentFrameBytes) at = confluentFrameBytes;
  else return 'garbage';

  cursor = at;
  const expiryBranch = readVarint(raw);
  if (expiryBranch === 0 && !odd) view.expiresAtMs = null;
  else {
    if (expiryBranch !== 2 || odd) return 'garbage';
    const half = readVarint(raw) / 2;
    const expiresAtMs = odd ? -half - 1 : half;
    if (half < 0 || expiresAtMs > longMax || expiresAtMs < longMin) return 'garbage';
    view.expiresAtMs = expiresAtMs;
  }
  const crcBranch = readVarint(raw);
  if (crcBranch === 0 && !odd) view.crc = null;
  else {
    if (crcBranch !== 2 || odd) return 'garbage';
    const start = cursor;
    const twice = readVarint(raw);
    if (twice < 0 || twice > 0xfffffffe || cursor - start > 5) return 'garbage';
    view.crc = odd ? ~(twice / 2) : twice / 2;
  }
  const valueLength = readVarint(raw);
  if (valueLength < 0 || odd || valueLength / 2 !== length - cursor) return 'garbage';
  view.valueStart = cursor;
  view.valueEnd = length;
  return 'put';
}

/** False when the record says a crc and it is not that of this key, expiry and value. */
export function putCrcMatches(key: Uint8Array, raw: Uint8Array, view: PutView): boolean {
  if (view.crc === null) return true;
  return view.crc === putCrc(key, raw.subarray(view.valueStart, view.valueEnd), view.expiresAtMs);
}

/** Why `readPut` did not answer `put`, in words for quarantine and errors; undefined when it did. */
export function explainPut(raw: Uint8Array): CodecFailure | undefined {
  try {
    if (raw[0] === 0 && raw.length >= confluentFrameBytes)
      records.decodeBodyAs('Put', raw, { start: confluentFrameBytes, version: 1 });
    else records.decodeAs('Put', raw);
    return undefined;
  } catch (error) {
    if (error instanceof CodecFailure) return error;
    throw error;
  }
}

function isKnown(raw: Uint8Array): boolean {
  return explainPut(raw)?.code !== 'UNKNOWN_SCHEMA';
}

/** CRC-32C, signed, over key, expiresAtMs as 8 bytes big-endian (0 when null), value. */
export function putCrc(key: Uint8Array, value: Uint8Array, expiresAtMs: number | null): number {
  let crc = crc32cNative(key);
  if (expiresAtMs === null) crc = crc32cNative(noExpiry, crc);
  else {
    // Two's complement, big-endian: the high half carries the sign.
    expiry.writeInt32BE(Math.floor(expiresAtMs / 2 ** 32), 0);
    expiry.writeInt32BE(expiresAtMs | 0, 4);
    crc = crc32cNative(expiry, crc);
  }
  return crc32cNative(value, crc) | 0;
}

const expiry = Buffer.alloc(8);
const noExpiry = Buffer.alloc(8);

const int32LE = (b: Uint8Array, at: number): number =>
  (b[at] as number) | ((b[at + 1] as number) << 8) | ((b[at + 2] as number) << 16) | ((b[at + 3] as number) << 24);

/** Bytes of a base-128 number from 0 to 2^32 - 1. */
function uint32Bytes(n: number): number {
  if (n < 0x80) return 1;
  if (n < 0x4000) return 2;
  if (n < 0x200000) return 3;
  return n < 0x10000000 ? 4 : 5;
}

/** Bytes of a base-128 number from 0 to 2^54. */
const varintBytes = (n: number): number =>
  n < 0x10000000 ? uint32Bytes(n) : 4 + uint32Bytes(Math.floor(n / 0x10000000));

/** Base-128, least significant group first; `n` from 0 to 2^32 - 1. Returns the offset behind it. */
function writeUint32(bytes: Buffer, start: number, n: number): number {
  let at = start;
  let rest = n | 0;
  while ((rest & ~0x7f) !== 0) {
    bytes[at++] = (rest & 0x7f) | 0x80;
    rest >>>= 7;
  }
  bytes[at++] = rest;
  return at;
}

/** The same for `n` from 0 to 2^54, without the slow division of large numbers. */
function writeVarint(bytes: Buffer, start: number, n: number): number {
  if (n < 0x10000000) return writeUint32(bytes, start, n);
  const high = Math.floor(n / 0x10000000);
  const low = n - high * 0x10000000;
  bytes[start] = (low & 0x7f) | 0x80;
  bytes[start + 1] = ((low >>> 7) & 0x7f) | 0x80;
  bytes[start + 2] = ((low >>> 14) & 0x7f) | 0x80;
  bytes[start + 3] = (low >>> 21) | 0x80;
  return writeUint32(bytes, start + 4, high);
}

/** Where `readVarint` stands, and the lowest bit of what it read: fields, so that nothing is allocated. */
let cursor = 0;
let odd = false;

/**
 * A base-128 number without its lowest bit, which is the sign in zig-zag form and goes into `odd`: even numbers are
 * exact up to 2^54. -1 when the bytes end in it, or it has more than 10 bytes.
 */
function readVarint(raw: Uint8Array): number {
  if (cursor >= raw.length) return -1;
  const first = raw[cursor++] as number;
  odd = (first & 1) === 1;
  if (first < 0x80) return first & 0x7e;
  let n = first & 0x7e;
  let scale = 0x80;
  for (let i = 1; i < 10; i++) {
    if (cursor >= raw.length) return -1;
    const byte = raw[cursor++] as number;
    n += (byte & 0x7f) * scale;
    if (byte < 0x80) return n;
    scale *= 0x80;
  }
  return -1;
}
