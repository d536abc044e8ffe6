import { crc32cNative } from '@levee/codec';
import { assert } from '@levee/kernel';
import type { LogRecord } from '@levee/log';
import { writeInt64 } from './protocol/byte-writer';
import { batchAt, batchLengthOverhead } from './record-batch';

/** What makes a batch idempotent: the broker stores each (producer id, epoch, sequence) of a partition once. */
export interface BatchIdentity {
  readonly producerId: number;
  readonly epoch: number;
  readonly baseSequence: number;
}

/** Records that share a batch with their neighbours. */
export interface RecordGroup {
  readonly records: readonly LogRecord[];
}

/**
 * One uncompressed batch of all records of `calls`, in order. `timeMs` is what the producer says, ms since 1970; under
 * LogAppendTime the broker puts its own in place of it. The result is never changed: a retry resends the same bytes.
 */
export function encodeBatch(calls: readonly RecordGroup[], timeMs: number, identity: BatchIdentity): Buffer {
  let count = 0;
  let size: number = batchAt.records;
  for (const { records } of calls) {
    for (const record of records) {
      const body = bodyBytes(record, count++);
      size += varintBytes(body) + body;
    }
  }
  assert(count > 0, 'a record batch holds at least one record');
  const batch = Buffer.allocUnsafe(size);
  writeInt64(batch, 0, batchAt.baseOffset);
  batch.writeInt32BE(size - batchLengthOverhead, batchAt.batchLength);
  batch.writeInt32BE(-1, batchAt.leaderEpoch);
  batch[batchAt.magic] = 2;
  batch.writeInt16BE(0, batchAt.attributes);
  batch.writeInt32BE(count - 1, batchAt.lastOffsetDelta);
  writeInt64(batch, timeMs, batchAt.baseTimestamp);
  writeInt64(batch, timeMs, batchAt.maxTimestamp);
  writeInt64(batch, identity.producerId, batchAt.producerId);
  batch.writeInt16BE(identity.epoch, batchAt.producerEpoch);
  batch.writeInt32BE(identity.baseSequence, batchAt.baseSequence);
  batch.writeInt32BE(count, batchAt.count);
  let at: number = batchAt.records;
  let delta = 0;
  for (const { records } of calls) for (const record of records) at = writeRecord(batch, at, record, delta++);
  assert(at === size, 'the batch is as long as it was reckoned');
  batch.writeUInt32BE(crc32cNative(batch.subarray(batchAt.attributes)), batchAt.crc);
  return batch;
}

/** Bytes a record takes in a batch, at most: for limits, before its place in the batch is known. */
export function recordBytesMost(record: LogRecord): number {
  return bodyBytes(record, 0x7fff_ffff) + 5;
}

/** attributes, timestamp delta (always 0), offset delta, key, value, headers; without the length in front. */
function bodyBytes({ key, value, headers }: LogRecord, delta: number): number {
  let bytes = 2 + varintBytes(delta) + fieldBytes(key) + fieldBytes(value);
  if (headers === undefined || headers.length === 0) return bytes + 1;
  bytes += varintBytes(headers.length);
  for (const header of headers) {
    const nameBytes = Buffer.byteLength(header.key);
    bytes += varintBytes(nameBytes) + nameBytes + fieldBytes(header.value);
  }
  return bytes;
}

function writeRecord(batch: Buffer, at: number, record: LogRecord, delta: number): number {
  const { headers } = record;
  at = writeVarint(batch, at, bodyBytes(record, delta));
  batch[at++] = 0;
  batch[at++] = 0;
  at = writeVarint(batch, at, delta);
  at = writeField(batch, at, record.key);
  at = writeField(batch, at, record.value);
  if (headers === undefined || headers.length === 0) {
    batch[at++] = 0;
    return at;
  }
  at = writeVarint(batch, at, headers.length);
  for (const header of headers) {
    at = writeVarint(batch, at, Buffer.byteLength(header.key));
    at += batch.write(header.key, at);
    at = writeField(batch, at, header.value);
  }
  return at;
}

function fieldBytes(bytes: Buffer | null): number {
  return bytes === null ? 1 : varintBytes(bytes.length) + bytes.length;
}

function writeField(batch: Buffer, at: number, bytes: Buffer | null): number {
  if (bytes === null) {
    batch[at] = 1; // -1 in zigzag
    return at + 1;
  }
  at = writeVarint(batch, at, bytes.length);
  batch.set(bytes, at);
  return at + bytes.length;
}

/** Zigzag doubles a number that is not negative. */
function varintBytes(value: number): number {
  return value < 0x40 ? 1 : value < 0x2000 ? 2 : value < 0x10_0000 ? 3 : value < 0x800_0000 ? 4 : 5;
}

function writeVarint(batch: Buffer, at: number, value: number): number {
  let rest = (value << 1) >>> 0;
  for (; rest >= 0x80; rest >>>= 7) batch[at++] = (rest & 0x7f) | 0x80;
  batch[at++] = rest;
  return at;
}
