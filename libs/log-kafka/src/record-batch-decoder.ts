import { crc32cNative } from '@levee/codec';
import { asOffset, messageOf, type Offset } from '@levee/kernel';
import { type BadStretch, LogFailure, type LogHeader, noHeaders, type StoredRecord } from '@levee/log';
import { unpack } from './compression/unpack';
import { readInt64 } from './protocol/byte-reader';
import { attributeBits, batchAt, batchLengthOverhead, compressionNames } from './record-batch';

/** No sound batch is longer: a length that says so is damaged, and must not make anybody ask for as much. */
const batchBytesMost = 64 * 1024 * 1024;

/** A transaction that was aborted: what this producer wrote from `firstOffset` up to its abort marker is void. */
export interface AbortedTransaction {
  readonly producerId: number;
  readonly firstOffset: number;
}

/** What a look at the headers and checksums of fetched bytes says; records are decoded later, when they are wanted. */
export interface ScannedBatches {
  /** The sound, whole batches at the front of what was given. */
  readonly bytes: Buffer;
  /** Behind the last of them; the first offset asked for when there is none. */
  readonly nextOffset: Offset;
  /** Of the last of them, -1 when there is none. */
  readonly leaderEpoch: number;
  /** The batch behind them is damaged: its offset. Reading it again may help. */
  readonly damagedAt: Offset | undefined;
  /** The batch behind them did not fit into the answer: its whole length in bytes. */
  readonly cutBatchBytes: number;
}

/** What the reader knows about the place it asked from. */
export interface ScanBounds {
  readonly from: Offset;
  /** A batch ends right before `from`, so none may begin below it; else `from` may lie inside of a batch. */
  readonly onBoundary: boolean;
  /** High watermark of the partition: no batch of the answer passes it. */
  readonly endOffset: Offset;
}

/**
 * Checks lengths, format, CRC-32C and the order of offsets of each batch of a fetch answer. A cut last batch is normal
 * (the broker fills up to the bytes asked for). Base offset and length are outside of the checksum: they have to fit
 * to what is known and to the batch behind.
 */
export function scanBatches(fetched: Buffer, { from, onBoundary, endOffset }: ScanBounds): ScannedBatches {
  let at = 0;
  let nextOffset: number = from;
  let leaderEpoch = -1;
  let damaged = false;
  let cutBatchBytes = 0;
  while (at + batchLengthOverhead < fetched.length) {
    const length = fetched.readInt32BE(at + batchAt.batchLength) + batchLengthOverhead;
    damaged = length < batchAt.records || length > batchBytesMost;
    if (damaged) break;
    if (at + length > fetched.length) {
      cutBatchBytes = length;
      break;
    }
    const baseOffset = readInt64(fetched, at);
    const next = baseOffset + fetched.readInt32BE(at + batchAt.lastOffsetDelta) + 1;
    const lowest = at > 0 || onBoundary ? nextOffset : 0;
    const highest = at + length + 8 <= fetched.length ? readInt64(fetched, at + length) : endOffset;
    damaged =
      fetched[at + batchAt.magic] !== 2 ||
      crc32cNative(fetched.subarray(at + batchAt.attributes, at + length)) !== fetched.readUInt32BE(at + batchAt.crc) ||
      baseOffset < lowest ||
      next <= nextOffset ||
      next > highest ||
      next > endOffset;
    if (damaged) break;
    nextOffset = next;
    leaderEpoch = fetched.readInt32BE(at + batchAt.leaderEpoch);
    at += length;
  }
  const damagedAt = damaged ? asOffset(nextOffset) : undefined;
  const bytes = fetched.subarray(0, at);
  return { bytes, nextOffset: asOffset(nextOffset), leaderEpoch, damagedAt, cutBatchBytes };
}

/**
 * Decodes the batches of one answer from front to back, as far as its reader wants: a compressed one may unpack to many
 * times its size. Leaves out control batches and what aborted transactions wrote (KIP-98: `aborted` is the answer's list
 * for this partition; one producer may be in it more than once), so it remembers whose transaction is void where it is.
 */
export class BatchReader {
  /** Behind the last batch that was read. */
  nextOffset: Offset;
  /** Of the last batch that was read, -1 before the first. */
  leaderEpoch = -1;
  /** Below it an offset is missing that some batch must have held: compaction removed it; -1 while none is. */
  missingBelow = -1;
  private at = 0;
  private readonly voids: VoidProducers;

  constructor(
    private readonly bytes: Buffer,
    private readonly from: Offset,
    aborted: readonly AbortedTransaction[] = [],
  ) {
    this.nextOffset = from;
    this.voids = new VoidProducers(aborted);
  }

  /** Packed, and not read yet. */
  get bytesLeft(): number {
    return this.bytes.length - this.at;
  }

  /**
   * Adds the records of the next batch; returns the bytes that were unpacked for it. Throws RECORD_CORRUPT when it
   * cannot be read, adds nothing then, and stays before it: {@link passBad} goes on.
   */
  readBatch(records: StoredRecord[]): number {
    const { bytes, at, end } = this;
    const isData = this.voids.pass(bytes, at, end) === 'data';
    const unpackedBytes = isData ? decodeBatch(bytes, at, end, this.from, records) : 0;
    this.moveTo(end);
    return unpackedBytes;
  }

  /** Goes on behind the batch that {@link readBatch} has just refused. */
  passBad(refusal: LogFailure): BadStretch {
    const { bytes, at, end } = this;
    const fromOffset = asOffset(Math.max(readInt64(bytes, at), this.from));
    this.moveTo(end);
    const timestampMs = readInt64(bytes, at + batchAt.maxTimestamp);
    return {
      fromOffset,
      toOffset: this.nextOffset,
      timestampMs,
      what: refusal.message,
      bytes: bytes.subarray(at, end),
    };
  }

  private get end(): number {
    return this.at + batchLengthOverhead + this.bytes.readInt32BE(this.at + batchAt.batchLength);
  }

  private moveTo(end: number): void {
    const { bytes, at } = this;
    const baseOffset = readInt64(bytes, at);
    if (baseOffset > this.nextOffset) this.missingBelow = baseOffset;
    const offsets = bytes.readInt32BE(at + batchAt.lastOffsetDelta) + 1;
    this.nextOffset = asOffset(baseOffset + offsets);
    if (bytes.readInt32BE(at + batchAt.count) < offsets) this.missingBelow = this.nextOffset;
    this.leaderEpoch = bytes.readInt32BE(at + batchAt.leaderEpoch);
    this.at = end;
  }
}

/** Tells of one batch after the other whether it is data, a control batch, or void: of an aborted transaction. */
export class VoidProducers {
  private readonly pending: AbortedTransaction[];
  private readonly now = new Set<number>();

  constructor(aborted: readonly AbortedTransaction[]) {
    this.pending = aborted.length === 0 ? [] : [...aborted].sort((a, b) => a.firstOffset - b.firstOffset);
  }

  pass(bytes: Buffer, at: number, end: number): 'data' | 'control' | 'void' {
    const { pending, now } = this;
    const attributes = bytes.readInt16BE(at + batchAt.attributes);
    const lastOffset = readInt64(bytes, at) + bytes.readInt32BE(at + batchAt.lastOffsetDelta);
    while (pending.length > 0 && (pending[0] as AbortedTransaction).firstOffset <= lastOffset)
      now.add((pending.shift() as AbortedTransaction).producerId);
    if (attributes & attributeBits.control) {
      if (isAbortMarker(bytes, at, end)) now.delete(readInt64(bytes, at + batchAt.producerId));
      return 'control';
    }
    if (now.size === 0 || !(attributes & attributeBits.transactional)) return 'data';
    return now.has(readInt64(bytes, at + batchAt.producerId)) ? 'void' : 'data';
  }
}

interface BatchBytes {
  readonly bytes: Buffer;
  readonly start: number;
  readonly end: number;
  readonly attributes: number;
  readonly lastOffset: number;
}

/** Adds the records of one batch from offset `from` on; returns the bytes that were unpacked for it. */
export function decodeBatch(bytes: Buffer, start: number, end: number, from: number, records: StoredRecord[]): number {
  const attributes = bytes.readInt16BE(start + batchAt.attributes);
  const lastOffset = readInt64(bytes, start) + bytes.readInt32BE(start + batchAt.lastOffsetDelta);
  const batch = { bytes, start, end, attributes, lastOffset };
  const codec = attributes & attributeBits.compression;
  if (codec === 0) {
    decodeInto(new VarintCursor(bytes, start + batchAt.records, end, batch), batch, from, records);
    return 0;
  }
  const unpacked = unpackedRecords(codec, batch);
  const cursor = new VarintCursor(unpacked, 0, unpacked.length, batch);
  decodeInto(cursor, batch, from, records);
  return unpacked.length;
}

function unpackedRecords(codec: number, batch: BatchBytes): Buffer {
  try {
    return unpack(codec, batch.bytes.subarray(batch.start + batchAt.records, batch.end));
  } catch (cause) {
    const name = compressionNames[codec] ?? `codec ${codec}`;
    throw unreadable(batch, `is compressed with ${name} and cannot be unpacked: ${messageOf(cause)}`, cause);
  }
}

function decodeInto(cursor: VarintCursor, batch: BatchBytes, from: number, records: StoredRecord[]): void {
  const { bytes, start, attributes, lastOffset } = batch;
  const { end } = cursor;
  const before = records.length;
  const baseOffset = readInt64(bytes, start);
  const baseTimestamp = readInt64(bytes, start + batchAt.baseTimestamp);
  const appendTime = (attributes & attributeBits.logAppendTime) !== 0;
  const maxTimestamp = readInt64(bytes, start + batchAt.maxTimestamp);
  let least = baseOffset;
  try {
    for (let left = bytes.readInt32BE(start + batchAt.count); left > 0; left--) {
      const length = cursor.varint();
      const recordEnd = cursor.at + length;
      if (length < 0 || recordEnd > end) throw cursor.malformed();
      cursor.at++;
      const timestampDelta = cursor.varint();
      const offset = baseOffset + cursor.varint();
      if (offset < least || offset > lastOffset) throw cursor.malformed();
      least = offset + 1;
      if (offset >= from) {
        const key = cursor.field();
        const value = cursor.field();
        const headerCount = cursor.varint();
        const headers = headerCount === 0 ? noHeaders : decodeHeaders(cursor, headerCount);
        if (cursor.at !== recordEnd) throw cursor.malformed();
        const timestampMs = appendTime ? maxTimestamp : baseTimestamp + timestampDelta;
        records.push({ offset: asOffset(offset), timestampMs, key, value, headers });
      } else {
        cursor.at = recordEnd;
      }
    }
  } catch (error) {
    records.length = before;
    throw error;
  }
}

function decodeHeaders(cursor: VarintCursor, count: number): LogHeader[] {
  if (count < 0 || count > cursor.end - cursor.at) throw cursor.malformed();
  const headers: LogHeader[] = [];
  for (let i = 0; i < count; i++) {
    const key = cursor.field();
    const value = cursor.field();
    if (key === null) throw cursor.malformed();
    headers.push({ key: key.toString(), value: value ?? Buffer.alloc(0) });
  }
  return headers;
}

/** A control record's key is `version i16, type i16`; type 0 aborts, 1 commits. */
function isAbortMarker(bytes: Buffer, start: number, end: number): boolean {
  if (bytes.readInt32BE(start + batchAt.count) === 0) return false;
  const lastOffset = readInt64(bytes, start) + bytes.readInt32BE(start + batchAt.lastOffsetDelta);
  const cursor = new VarintCursor(bytes, start + batchAt.records, end, { bytes, start, lastOffset });
  cursor.varint();
  cursor.at++;
  cursor.varint();
  cursor.varint();
  const key = cursor.field();
  return key !== null && key.length >= 4 && key.readInt16BE(2) === 0;
}

/** Zigzag varints inside one batch. Timestamps' deltas may pass 32 bits, so the slow path is exact up to 2^53. */
class VarintCursor {
  constructor(
    private readonly bytes: Buffer,
    public at: number,
    readonly end: number,
    private readonly of: Pick<BatchBytes, 'bytes' | 'start' | 'lastOffset'>,
  ) {}

  varint(): number {
    const byte = this.bytes[this.at++] as number;
    if (byte < 0x80) return (byte >>> 1) ^ -(byte & 1);
    const second = this.bytes[this.at] as number;
    if (second >= 0x80) return this.longVarint(byte);
    this.at++;
    const zigzag = (byte & 0x7f) | (second << 7);
    return (zigzag >>> 1) ^ -(zigzag & 1);
  }

  field(): Buffer | null {
    const length = this.varint();
    if (length === -1) return null;
    const start = this.at;
    const end = start + length;
    if (length < 0 || end > this.end) throw this.malformed();
    this.at = end;
    return this.bytes.subarray(start, end);
  }

  malformed(): LogFailure {
    return unreadable(this.of, 'has a sound checksum but malformed records: find out who produced it');
  }

  private longVarint(first: number): number {
    let value = first & 0x7f;
    let scale = 0x80;
    for (let i = 1; i < 10; i++) {
      if (this.at >= this.end) throw this.malformed();
      const byte = this.bytes[this.at++] as number;
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
      scale *= 0x80;
    }
    throw this.malformed();
  }
}

function unreadable(
  { bytes, start, lastOffset }: Pick<BatchBytes, 'bytes' | 'start' | 'lastOffset'>,
  what: string,
  cause?: unknown,
): LogFailure {
  const from = readInt64(bytes, start);
  const details = { offset: from, from, to: lastOffset + 1 };
  return new LogFailure('RECORD_CORRUPT', `the batch at offset ${from} ${what}`, { details, cause });
}
