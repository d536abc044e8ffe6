import { asPartition, asSlot, type Partition, type Slot } from '@levee/kernel';

/** Slots of every namespace: the unit of placement is a millionth of the key space. */
export const slotsTotal = 1_000_000;

/**
 * More partitions than this are refused, of topics that others made too: the token of a session that has touched them
 * all must fit into a header of HTTP (`sessionTokenLengthMax`), and a chunk over all of them has as many digests.
 */
export const partitionsMax = 1_000;

/** True for any count that a topic may have whose keys we place. */
export function isPartitionCount(partitions: number): boolean {
  return Number.isInteger(partitions) && partitions >= 1 && partitions <= partitionsMax;
}

/** Partition counts of the topics that we make: the divisors of a million up to {@link partitionsMax}, ascending. */
export const allowedPartitions: readonly number[] = Array.from({ length: partitionsMax }, (_, i) => i + 1).filter(
  (n) => slotsTotal % n === 0,
);

export function isAllowedPartitions(partitions: number): boolean {
  return isPartitionCount(partitions) && slotsTotal % partitions === 0;
}

/** Slots `[slotStart, slotEnd)`. */
export interface SlotRange {
  readonly slotStart: number;
  readonly slotEnd: number;
}

/** Log partition of the hash `h` (see `hashOf`): what the clients' partitioners compute. */
export function partitionOf(h: number, partitions: number): Partition {
  return asPartition(h % partitions);
}

/**
 * Slot of the hash `h`: in the block of its partition (see {@link slotRangeOf}) the place of `floor(h / partitions)`,
 * modulo the size of the block. `partitions` is 1 to 1,000,000; where it divides a million, this is a permutation of
 * `h mod 1,000,000` (DESIGN sections 4 and 11).
 */
export function slotOf(h: number, partitions: number): Slot {
  const partition = h % partitions;
  const nth = (h - partition) / partitions;
  if (slotsTotal % partitions === 0) {
    const width = slotsTotal / partitions;
    return asSlot(partition * width + (nth % width));
  }
  const slotStart = firstSlot(partition, partitions);
  return asSlot(slotStart + (nth % (firstSlot(partition + 1, partitions) - slotStart)));
}

/** The partition that owns `slot` for ever. */
export function partitionOfSlot(slot: number, partitions: number): Partition {
  return asPartition(Math.floor((slot * partitions) / slotsTotal));
}

/** The block of slots that `partition` owns; the sizes of two blocks differ by one slot at most. */
export function slotRangeOf(partition: number, partitions: number): SlotRange {
  return { slotStart: firstSlot(partition, partitions), slotEnd: firstSlot(partition + 1, partitions) };
}

function firstSlot(partition: number, partitions: number): number {
  return Math.ceil((partition * slotsTotal) / partitions);
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
