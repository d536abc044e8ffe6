import { type DatabaseWrite, put } from './database';
import { encodeSlot, readU53, type Slot, slotOf, writeU53 } from './slot';
import { endKey, epochKey, startKey } from './keys';
import type { PartitionLog } from './partition-log';

/** The writes that keep a partition's end, start and epochs, beside its entries. */

export function endWrite(partition: PartitionLog, end: number, chain: number, timestampMs: number): DatabaseWrite {
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

export function startWrite(partition: PartitionLog, start: number, cleanedTo: number): DatabaseWrite {
  const payload = Buffer.allocUnsafe(16);
  writeU53(payload, start, 0);
  writeU53(payload, cleanedTo, 8);
  const count = partition.startCount + 1;
  partition.startCount = count;
  return put(startKey(partition.topic.stored.number, partition.number, slotOf(count)), encodeSlot(count, payload));
}

export interface StoredStart {
  readonly count: number;
  readonly start: number;
  readonly cleanedTo: number;
}

export function decodeStart({ count, payload }: Slot): StoredStart {
  return { count, start: readU53(payload, 0), cleanedTo: readU53(payload, 8) };
}

export function epochWrite(partition: PartitionLog, epoch: number, startOffset: number): DatabaseWrite {
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
