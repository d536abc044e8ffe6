import { crc32c } from '@node-rs/crc32';
import { asOffset } from '@levee/kernel';
import { type LogHeader, type LogRecord, noHeaders, type StoredRecord } from '@levee/log';
import { readU53, writeU53 } from './slot';

/**
 * One stored entry: the records that a partition got in one group commit, or what compaction left of several entries.
 *
 * Entries of a partition form a chain without holes: each covers `[baseOffset, nextOffset)` and begins where the last
 * one ended, and names the chain value its predecessor gave out. A fresh entry gives out its own CRC, which covers the
 * value it took in, so an entry that was lost, torn, flipped or exchanged breaks the chain at its place. An entry
 * rewritten by compaction gives out what the entries it replaces gave out; so the chain holds across cleaned parts too.
 *
 * Little endian: 0 CRC-32C of the rest · 4 magic · 5 flags · 8 chainIn · 12 chainOut (rewritten only) · 16 epoch
 * · 20 baseOffset · 28 nextOffset · 36 first timestamp · 44 last timestamp · 52 delete horizon (0 = none) · 60 count
 * · 64 records: attributes (1 = headers, 2 = deltas), key length, value length (-1 = null), [offset delta, timestamp
 * delta], key, value, [header count u16, each: key length u16, value length u32, key, value].
 */
export interface EntryHead {
  readonly crc: number;
  readonly rewritten: boolean;
  readonly chainIn: number;
  readonly chainOut: number;
  readonly epoch: number;
  readonly baseOffset: number;
  readonly nextOffset: number;
  readonly firstTimestampMs: number;
  readonly lastTimestampMs: number;
  /** From this time on a cleaning may drop the tombstones in here; 0 while no cleaning has seen them. */
  readonly deleteHorizonMs: number;
  readonly count: number;
}

export const entryHeadBytes = 64;
const magic = 1;
const rewrittenFlag = 1;
const withHeaders = 1;
const withDeltas = 2;
const recordHeadBytes = 9;

/** Bytes of a record inside a fresh entry. */
export function recordBytes(record: LogRecord): number {
  let bytes = recordHeadBytes + (record.key === null ? 0 : record.key.length);
  if (record.value !== null) bytes += record.value.length;
  if (record.headers !== undefined && record.headers.length > 0) {
    bytes += 2;
    for (const header of record.headers) bytes += 6 + Buffer.byteLength(header.key) + header.value.length;
  }
  return bytes;
}

export interface FreshEntry {
  readonly chainIn: number;
  readonly epoch: number;
  readonly baseOffset: number;
  readonly timestampMs: number;
  /** Sum of {@link recordBytes}. */
  readonly bytes: number;
  readonly groups: ReadonlyArray<readonly LogRecord[]>;
}

export function encodeFreshEntry(fresh: FreshEntry): Buffer {
  const bytes = Buffer.allocUnsafe(entryHeadBytes + fresh.bytes);
  let at = entryHeadBytes;
  let count = 0;
  for (const records of fresh.groups) {
    count += records.length;
    for (const record of records) at = writeRecord(bytes, at, record, 0, 0, 0);
  }
  writeHead(bytes, {
    rewritten: false,
    chainIn: fresh.chainIn,
    chainOut: 0,
    epoch: fresh.epoch,
    baseOffset: fresh.baseOffset,
    nextOffset: fresh.baseOffset + count,
    firstTimestampMs: fresh.timestampMs,
    lastTimestampMs: fresh.timestampMs,
    deleteHorizonMs: 0,
    count,
  });
  return bytes;
}

/** Compaction's entry: `head` without what follows from `records`, which are in offset order and may be none. */
export function encodeRewrittenEntry(
  head: Omit<EntryHead, 'crc' | 'rewritten' | 'count'>,
  records: readonly StoredRecord[],
): Buffer {
  let size = entryHeadBytes;
  for (const record of records) size += recordBytes(record) + 8;
  const bytes = Buffer.allocUnsafe(size);
  let at = entryHeadBytes;
  for (const record of records) {
    const offsetDelta = record.offset - head.baseOffset;
    const timestampDelta = record.timestampMs - head.firstTimestampMs;
    at = writeRecord(bytes, at, record, withDeltas, offsetDelta, timestampDelta);
  }
  writeHead(bytes, { ...head, rewritten: true, count: records.length });
  return bytes;
}

function writeHead(bytes: Buffer, head: Omit<EntryHead, 'crc'>): void {
  bytes[4] = magic;
  bytes[5] = head.rewritten ? rewrittenFlag : 0;
  bytes[6] = 0;
  bytes[7] = 0;
  bytes.writeUInt32LE(head.chainIn, 8);
  bytes.writeUInt32LE(head.chainOut, 12);
  bytes.writeInt32LE(head.epoch, 16);
  writeU53(bytes, head.baseOffset, 20);
  writeU53(bytes, head.nextOffset, 28);
  writeU53(bytes, head.firstTimestampMs, 36);
  writeU53(bytes, head.lastTimestampMs, 44);
  writeU53(bytes, head.deleteHorizonMs, 52);
  bytes.writeUInt32LE(head.count, 60);
  bytes.writeUInt32LE(crc32c(bytes.subarray(4)), 0);
}

function writeRecord(
  bytes: Buffer,
  start: number,
  record: LogRecord,
  attributes: number,
  offsetDelta: number,
  timestampDelta: number,
): number {
  const { key, value, headers } = record;
  const headed = headers !== undefined && headers.length > 0;
  let at = start;
  bytes[at] = attributes | (headed ? withHeaders : 0);
  bytes.writeInt32LE(key === null ? -1 : key.length, at + 1);
  bytes.writeInt32LE(value === null ? -1 : value.length, at + 5);
  at += recordHeadBytes;
  if ((attributes & withDeltas) !== 0) {
    bytes.writeUInt32LE(offsetDelta, at);
    bytes.writeUInt32LE(timestampDelta, at + 4);
    at += 8;
  }
  if (key !== null) {
    bytes.set(key, at);
    at += key.length;
  }
  if (value !== null) {
    bytes.set(value, at);
    at += value.length;
  }
  return headed ? writeHeaders(bytes, at, headers) : at;
}

function writeHeaders(bytes: Buffer, start: number, headers: readonly LogHeader[]): number {
  let at = start;
  bytes.writeUInt16LE(headers.length, at);
  at += 2;
  for (const header of headers) {
    const keyBytes = bytes.write(header.key, at + 6);
    bytes.writeUInt16LE(keyBytes, at);
    bytes.writeUInt32LE(header.value.length, at + 2);
    at += 6 + keyBytes;
    bytes.set(header.value, at);
    at += header.value.length;
  }
  return at;
}

/** The head of an undamaged entry, or why it is none. */
export function readHead(bytes: Buffer): EntryHead | string {
  if (bytes.length < entryHeadBytes) return `it has ${bytes.length} bytes, fewer than its head`;
  const crc = bytes.readUInt32LE(0);
  const actual = crc32c(bytes.subarray(4));
  if (crc !== actual) return `its CRC is ${actual}, stored is ${crc}`;
  if (bytes[4] !== magic) return `its format is ${bytes[4]}, this version reads ${magic}`;
  const rewritten = ((bytes[5] as number) & rewrittenFlag) !== 0;
  return {
    crc,
    rewritten,
    chainIn: bytes.readUInt32LE(8),
    chainOut: rewritten ? bytes.readUInt32LE(12) : crc,
    epoch: bytes.readInt32LE(16),
    baseOffset: readU53(bytes, 20),
    nextOffset: readU53(bytes, 28),
    firstTimestampMs: readU53(bytes, 36),
    lastTimestampMs: readU53(bytes, 44),
    deleteHorizonMs: readU53(bytes, 52),
    count: bytes.readUInt32LE(60),
  };
}

/** The records of an entry whose head was checked; keys and values point into `bytes`. */
export function decodeRecords(bytes: Buffer, head: EntryHead): StoredRecord[] {
  const records: StoredRecord[] = new Array<StoredRecord>(head.count);
  let at = entryHeadBytes;
  for (let index = 0; index < head.count; index++) {
    const attributes = bytes[at] as number;
    const keyBytes = bytes.readInt32LE(at + 1);
    const valueBytes = bytes.readInt32LE(at + 5);
    at += recordHeadBytes;
    let offset = head.baseOffset + index;
    let timestampMs = head.firstTimestampMs;
    if ((attributes & withDeltas) !== 0) {
      offset = head.baseOffset + bytes.readUInt32LE(at);
      timestampMs += bytes.readUInt32LE(at + 4);
      at += 8;
    }
    const key = keyBytes < 0 ? null : bytes.subarray(at, (at += keyBytes));
    const value = valueBytes < 0 ? null : bytes.subarray(at, (at += valueBytes));
    let headers = noHeaders;
    if ((attributes & withHeaders) !== 0) {
      const read: LogHeader[] = [];
      const count = bytes.readUInt16LE(at);
      at += 2;
      for (let n = 0; n < count; n++) {
        const nameEnd = at + 6 + bytes.readUInt16LE(at);
        const valueEnd = nameEnd + bytes.readUInt32LE(at + 2);
        read.push({ key: bytes.toString('utf8', at + 6, nameEnd), value: bytes.subarray(nameEnd, valueEnd) });
        at = valueEnd;
      }
      headers = read;
    }
    records[index] = { offset: asOffset(offset), timestampMs, key, value, headers };
  }
  return records;
}
