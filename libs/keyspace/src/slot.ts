import { asPartition, asSlot, type Partition, type Slot } from '@levee/kernel';

/** Slots of every namespace: the unit of placement is a millionth of the key space. */
export const slotsTotal = 1_000_000;

/** More partitions than this in one binlog cost brokers and sessions more than they bring. */
export const partitionsMax = 1_000;

/** Every partition count a namespace may have: the divisors of a million up to {@link partitionsMax}, ascending. */
export const allowedPartitions: readonly number[] = Array.from({ length: partitionsMax }, (_, i) => i + 1).filter(
  (n) => slotsTotal % n === 0,
);

export function isAllowedPartitions(partitions: number): boolean {
  return (
    Number.isInteger(partitions) && partitions >= 1 && partitions <= partitionsMax && slotsTotal % partitions === 0
  );
}

/** Slots `[slotStart, slotEnd)`. */
export interface SlotRange {
  readonly slotStart: number;
  readonly slotEnd: number;
}

/** Log partition of the hash `h` (31 bits, see `hashOf`): what Kafka's default partitioner computes. */
export function partitionOf(h: number, partitions: number): Partition {
  return asPartition(h % partitions);
}

/**
 * Slot of the hash `h`: a permutation of `h mod 1,000,000` in which each partition owns one contiguous block
 * (DESIGN section 4). `partitions` must divide a million.
 */
export function slotOf(h: number, partitions: number): Slot {
  const x = h % slotsTotal;
  const partition = x % partitions;
  return asSlot(partition * (slotsTotal / partitions) + (x - partition) / partitions);
}

/** The partition that owns `slot` for ever. */
export function partitionOfSlot(slot: number, partitions: number): Partition {
  return asPartition(Math.floor(slot / (slotsTotal / partitions)));
}

/** The block of slots that `partition` owns. */
export function slotRangeOf(partition: number, partitions: number): SlotRange {
  const width = slotsTotal / partitions;
  return { slotStart: partition * width, slotEnd: (partition + 1) * width };
}

/** The partitions whose slots touch `[slotStart, slotEnd)`, ascending; empty for an empty range. */
export function partitionsOf(slotStart: number, slotEnd: number, partitions: number): Partition[] {
  if (slotEnd <= slotStart) return [];
  const first = partitionOfSlot(slotStart, partitions);
  const last = partitionOfSlot(slotEnd - 1, partitions);
  return Array.from({ length: last - first + 1 }, (_, i) => asPartition(first + i));
}

/** All slots in `count` ranges, ascending, whose sizes differ by one slot at most. `count` is 1..1,000,000. */
export function evenSplit(count: number): SlotRange[] {
  if (!Number.isInteger(count) || count < 1 || count > slotsTotal)
    throw new RangeError(`${count} ranges: a namespace has 1 to ${slotsTotal}`);
  const edge = (i: number): number => Math.floor((i * slotsTotal) / count);
  return Array.from({ length: count }, (_, i) => ({ slotStart: edge(i), slotEnd: edge(i + 1) }));
}
