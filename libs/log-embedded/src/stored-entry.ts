import { asOffset } from '@levee/kernel';
import type { StoredBatch, StoredRecord } from '@levee/log';
import { decodeRecords } from './entry';
import type { ReadEntry } from './entry-reader';

/** An entry as the log stores it, for auditors. */
export class StoredEntry implements StoredBatch {
  readonly kind = 'data';
  readonly timestampType = 'append';
  readonly compression = 'none';
  readonly producerId = -1;
  readonly producerEpoch = -1;
  readonly baseOffset;
  readonly nextOffset;
  readonly leaderEpoch;
  readonly recordCount;
  readonly timestampMs;
  readonly oneTime;
  readonly crc;
  readonly bytes;

  constructor(private readonly entry: ReadEntry) {
    const { head } = entry;
    this.baseOffset = asOffset(head.baseOffset);
    this.nextOffset = asOffset(head.nextOffset);
    this.leaderEpoch = head.epoch;
    this.recordCount = head.count;
    this.timestampMs = head.lastTimestampMs;
    this.oneTime = head.firstTimestampMs === head.lastTimestampMs;
    this.crc = head.crc;
    this.bytes = entry.bytes.length;
  }

  records(key?: Buffer): readonly StoredRecord[] {
    const { bytes, head } = this.entry;
    if (key === undefined) return decodeRecords(bytes, head);
    if (!bytes.includes(key)) return none;
    return decodeRecords(bytes, head).filter((record) => record.key?.equals(key) === true);
  }
}

const none: readonly StoredRecord[] = Object.freeze([]);
