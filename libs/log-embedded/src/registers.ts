import { encodeSlot, readU53, type Slot, slotOf, writeU53 } from './slot';
import { endKey, epochKey, startKey } from './keys';
import type { PartitionLog } from './partition-log';
import { put, type StoreWrite } from './store/log-store';

/** The writes that keep a partition's end, start and epochs, beside its entries. */

export function endWrite(partition: PartitionLog, end: number, chain: number, timestampMs: number): StoreWrite {
  const payload = Buffer.allocUnsafe(20);
  writeU53(payload, end, 0);
  payload.writeUInt32LE(chain, 8);
  writeU53(payload, timestampMs, 12);
  const count = partition.endCount + 1;
  partition.endCount = count;
  return put(endKey(partition.topic.stored.number, partition.number, slotOf(count)), encodeSlot(count, payload));
}

export interface StoredEnd {
  readonly count: number;
  readonly end: number;
  readonly chain: number;
  readonly lastTimestampMs: number;
}

export function decodeEnd({ count, payload }: Slot): StoredEnd {
  return {
    count,
    end: readU53(payload, 0),
    chain: payload.readUInt32LE(8),
    lastTimestampMs: readU53(payload, 12),
  };
}

export function startWrite(partition: PartitionLog, stored: Omit<StoredStart, 'count' | 'boundTo'>): StoreWrite {
  const payload = Buffer.allocUnsafe(40);
  writeU53(payload, stored.start, 0);
  writeU53(payload, stored.cleanedTo, 8);
  writeU53(payload, stored.cleanBytes, 16);
  writeU53(payload, stored.nextHorizonMs, 24);
  writeU53(payload, partition.boundTo, 32);
  const count = partition.startCount + 1;
  partition.startCount = count;
  return put(startKey(partition.topic.stored.number, partition.number, slotOf(count)), encodeSlot(count, payload));
}

export interface StoredStart {
  readonly count: number;
  readonly start: number;
  /** Where compaction has been; entries above are as they were appended. */
  readonly cleanedTo: number;
  /** Bytes of entries that compaction left below `cleanedTo`. */
  readonly cleanBytes: number;
  /** When the first stamped tombstones may go, ms since 1970; 2^53 - 1 while there are none. */
  readonly nextHorizonMs: number;
  /** Below here compaction may have dropped records, also where it was interrupted. */
  readonly boundTo: number;
}

export function decodeStart({ count, payload }: Slot): StoredStart {
  return {
    count,
    start: readU53(payload, 0),
    cleanedTo: readU53(payload, 8),
    cleanBytes: readU53(payload, 16),
    nextHorizonMs: readU53(payload, 24),
    // Not told by what older versions wrote.
    boundTo: payload.length >= 40 ? readU53(payload, 32) : readU53(payload, 8),
  };
}

export function epochWrite(partition: PartitionLog, epoch: number, startOffset: number): StoreWrite {
  const payload = Buffer.allocUnsafe(8);
  writeU53(payload, startOffset, 0);
  return put(epochKey(partition.topic.stored.number, partition.number, epoch), encodeSlot(0, payload));
}

export const decodeEpochStart = ({ payload }: Slot): number => readU53(payload, 0);

export function encodeCounter(value: number, count: number): Buffer {
  const payload = Buffer.allocUnsafe(8);
  writeU53(payload, value, 0);
  return encodeSlot(count, payload);
}

export const decodeCounter = ({ payload }: Slot): number => readU53(payload, 0);
