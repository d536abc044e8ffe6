import { asOffset } from '@levee/kernel';
import type { StoredBatch, StoredRecord } from '@levee/log';
import { readInt64 } from './protocol/byte-reader';
import { attributeBits, batchAt, batchLengthOverhead, compressionNames } from './record-batch';
import { type AbortedTransaction, decodeBatch, type ScannedBatches, VoidProducers } from './record-batch-decoder';

/** The batches of a fetch answer as they are, for auditors; their records are decoded when they are asked for. */
export function storedBatches({ bytes }: ScannedBatches, aborted: readonly AbortedTransaction[]): StoredBatch[] {
  const found: StoredBatch[] = [];
  const voids = new VoidProducers(aborted);
  for (let at = 0; at < bytes.length;) {
    const end = at + batchLengthOverhead + bytes.readInt32BE(at + batchAt.batchLength);
    found.push(new KafkaBatch(bytes, at, end, voids.pass(bytes, at, end)));
    at = end;
  }
  return found;
}

class KafkaBatch implements StoredBatch {
  readonly baseOffset;
  readonly nextOffset;
  readonly leaderEpoch;
  readonly recordCount;
  readonly timestampType: StoredBatch['timestampType'];
  readonly timestampMs;
  readonly oneTime;
  readonly compression;
  readonly crc;
  readonly bytes;
  readonly producerId;
  readonly producerEpoch;
  private readonly attributes: number;

  constructor(
    private readonly answer: Buffer,
    private readonly at: number,
    private readonly end: number,
    readonly kind: StoredBatch['kind'],
  ) {
    const bytes = answer;
    this.bytes = end - at;
    this.baseOffset = asOffset(readInt64(bytes, at));
    this.nextOffset = asOffset(this.baseOffset + bytes.readInt32BE(at + batchAt.lastOffsetDelta) + 1);
    this.leaderEpoch = bytes.readInt32BE(at + batchAt.leaderEpoch);
    this.recordCount = bytes.readInt32BE(at + batchAt.count);
    this.attributes = bytes.readInt16BE(at + batchAt.attributes);
    this.timestampType = (this.attributes & attributeBits.logAppendTime) === 0 ? 'create' : 'append';
    this.timestampMs = readInt64(bytes, at + batchAt.maxTimestamp);
    this.oneTime = this.timestampType === 'append' || this.nextOffset === this.baseOffset + 1;
    const codec = this.attributes & attributeBits.compression;
    this.compression = compressionNames[codec] ?? `codec ${codec}`;
    this.crc = bytes.readUInt32BE(at + batchAt.crc);
    this.producerId = readInt64(bytes, at + batchAt.producerId);
    this.producerEpoch = bytes.readInt16BE(at + batchAt.producerEpoch);
  }

  records(key?: Buffer): readonly StoredRecord[] {
    const { answer: bytes, at, end, attributes } = this;
    const plain = (attributes & attributeBits.compression) === 0;
    if (key !== undefined && plain && !mayHold(bytes, at + batchAt.records, end, key)) return none;
    const records: StoredRecord[] = [];
    decodeBatch(bytes, at, end, 0, records);
    return key === undefined ? records : records.filter((record) => record.key?.equals(key) === true);
  }
}

const none: readonly StoredRecord[] = Object.freeze([]);

/** Looks for the key's bytes, which is many times as quick as looking at each record. */
function mayHold(bytes: Buffer, from: number, end: number, key: Buffer): boolean {
  return bytes.subarray(from, end).includes(key);
}
