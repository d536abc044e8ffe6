import { crc32cNative } from '@levee/codec';
import { asOffset, type Offset } from '@levee/kernel';
import { LogFailure, type LogHeader, noHeaders, type StoredRecord } from '@levee/log';
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
  /** Why the batch behind them can never be read: it is compressed. */
  readonly refused: LogFailure | undefined;
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
  let refused: LogFailure | undefined;
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
    const codec = fetched.readInt16BE(at + batchAt.attributes) & attributeBits.compression;
    if (codec !== 0) {
      refused = compressed(baseOffset, codec);
      break;
    }
    nextOffset = next;
    leaderEpoch = fetched.readInt32BE(at + batchAt.leaderEpoch);
    at += length;
  }
  const damagedAt = damaged ? asOffset(nextOffset) : undefined;
  const bytes = fetched.subarray(0, at);
  return { bytes, nextOffset: asOffset(nextOffset), leaderEpoch, damagedAt, refused, cutBatchBytes };
}

/**
 * Records of `scanned` from `from` on, without control batches and without what aborted transactions wrote (KIP-98:
 * `aborted` is the answer's list for this partition; one producer may be in it more than once).
 */
export function decodeRecords(
  scanned: ScannedBatches,
  from: Offset,
  aborted: readonly AbortedTransaction[] = [],
): StoredRecord[] {
  const { bytes } = scanned;
  const records: StoredRecord[] = [];
  const pending = aborted.length === 0 ? [] : [...aborted].sort((a, b) => a.firstOffset - b.firstOffset);
  const voidProducers = new Set<number>();
  for (let at = 0; at < bytes.length;) {
    const end = at + batchLengthOverhead + bytes.readInt32BE(at + batchAt.batchLength);
    const attributes = bytes.readInt16BE(at + batchAt.attributes);
    const lastOffset = readInt64(bytes, at) + bytes.readInt32BE(at + batchAt.lastOffsetDelta);
    while (pending.length > 0 && (pending[0] as AbortedTransaction).firstOffset <= lastOffset)
      voidProducers.add((pending.shift() as AbortedTransaction).producerId);
    if (attributes & attributeBits.control) {
      if (isAbortMarker(bytes, at, end)) voidProducers.delete(readInt64(bytes, at + batchAt.producerId));
    } else if (
      voidProducers.size === 0 ||
      !(attributes & attributeBits.transactional) ||
      !voidProducers.has(readInt64(bytes, at + batchAt.producerId))
    ) {
      decodeBatch(bytes, at, end, attributes, from, records);
    }
    at = end;
  }
  return records;
}

function decodeBatch(
  bytes: Buffer,
  start: number,
  end: number,
  attributes: number,
  from: number,
  records: StoredRecord[],
): void {
  const baseOffset = readInt64(bytes, start);
  const baseTimestamp = readInt64(bytes, start + batchAt.baseTimestamp);
  const appendTime = (attributes & attributeBits.logAppendTime) !== 0;
  const maxTimestamp = readInt64(bytes, start + batchAt.maxTimestamp);
  const cursor = new VarintCursor(bytes, start + batchAt.records, end, baseOffset);
  for (let left = bytes.readInt32BE(start + batchAt.count); left > 0; left--) {
    const length = cursor.varint();
    const recordEnd = cursor.at + length;
    if (length < 0 || recordEnd > end) throw cursor.malformed();
    cursor.at++;
    const timestampDelta = cursor.varint();
    const offset = baseOffset + cursor.varint();
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
  const cursor = new VarintCursor(bytes, start + batchAt.records, end, readInt64(bytes, start));
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
    private readonly baseOffset: number,
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
    return unreadable(this.baseOffset, 'has a sound checksum but malformed records', 'find out who produced it');
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

function compressed(baseOffset: number, codec: number): LogFailure {
  const name = compressionNames[codec] ?? `codec ${codec}`;
  const mend = 'set compression.type=uncompressed on the topic, so that the broker unpacks, and produce it again';
  return unreadable(baseOffset, `is compressed with ${name}`, mend);
}

function unreadable(baseOffset: number, what: string, mend: string): LogFailure {
  return new LogFailure('RECORD_CORRUPT', `the batch at offset ${baseOffset} ${what}: ${mend}`, {
    details: { offset: baseOffset },
  });
}
