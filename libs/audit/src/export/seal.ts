import { createHash, type Hash } from 'node:crypto';
import { crc32cNative } from '@levee/codec';
import type { CarriedRecord } from './exported-record';
import { damaged } from './avro-bytes';

/** Under it the last record of the file stands; no key of a namespace begins with 00 "levee" 00. */
const sealKey = Buffer.from('\0levee\0seal', 'latin1');
const sealPartition = -1;

/**
 * What the seal says: the SHA-256 of everything before it, then the CRC-32C (4 bytes, big endian) of the header and of
 * every block, as they stand in the file. A changed byte has a place, and a file that lost its end has no seal.
 */
export class SealSums {
  private readonly whole: Hash = createHash('sha256');
  private sums = Buffer.alloc(1024);
  private count = 0;

  /** The header, or the next block. */
  add(part: Buffer): void {
    this.whole.update(part);
    const end = 4 * this.count + 4;
    if (end > this.sums.length) this.sums = Buffer.concat([this.sums, Buffer.alloc(this.sums.length)]);
    this.sums.writeUInt32BE(crc32cNative(part) >>> 0, 4 * this.count);
    this.count++;
  }

  /** Of all that was added. */
  get value(): Buffer {
    return Buffer.concat([this.whole.copy().digest(), this.sums.subarray(0, 4 * this.count)]);
  }

  /** The first part, 0 being the header, that is not what the seal says; -1 when all are, and the parts are as many. */
  firstDifference(seal: Buffer): number {
    const own = this.value;
    if (own.equals(seal)) return -1;
    for (let part = 0; part < this.count; part++) {
      const at = sha256Bytes + 4 * part;
      if (at + 4 > seal.length || seal.readUInt32BE(at) !== own.readUInt32BE(at)) return part;
    }
    return this.count;
  }
}

const sha256Bytes = 32;

export function sealRecord(value: Buffer): CarriedRecord {
  return {
    ...{ partition: sealPartition, offset: 0, timestampMs: 0, expiresAtMs: 0, headers: [] },
    ...{ key: sealKey, raw: value },
  };
}

/** What the seal holds; `undefined`: it is another record. Fails with EXPORT_DAMAGED. */
export function sealIn({ partition, key, raw }: CarriedRecord): Buffer | undefined {
  if (partition !== sealPartition) return undefined;
  if (!key.equals(sealKey)) throw damaged('has a record without a partition that is no seal');
  return raw;
}
