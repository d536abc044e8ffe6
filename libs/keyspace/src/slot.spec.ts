import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { hashAlgorithms, hashOf, hasPlace, type HashAlgorithm } from './hash';
import {
  allowedPartitions,
  evenSplit,
  isAllowedPartitions,
  isPartitionCount,
  partitionOf,
  partitionOfSlot,
  partitionsOf,
  slotOf,
  slotRangeOf,
  slotsTotal,
} from './slot';

interface Golden {
  readonly vectors: readonly {
    readonly keyHex: string;
    readonly algorithm: HashAlgorithm;
    readonly hash: number;
    readonly at: readonly { readonly partitions: number; readonly partition: number; readonly slot: number }[];
  }[];
}
const golden = JSON.parse(readFileSync(join(__dirname, '../../../test/golden/keyspace.json'), 'utf8')) as Golden;

/** From the partitioners of real clients: see test/interop/partitioners. */
const partitioners = JSON.parse(readFileSync(join(__dirname, '../../../test/golden/partitioners.json'), 'utf8')) as {
  readonly vectors: readonly {
    readonly keyHex: string;
    readonly algorithm: HashAlgorithm;
    readonly hash: number;
    readonly at: readonly (readonly [partitions: number, partition: number, slot: number])[];
  }[];
};

const partitionCount = fc.constantFrom(...allowedPartitions);
/** Of any topic, beyond what is allowed too: the formula has no limit but the slots. */
const anyCount = fc.oneof(fc.constantFrom(1, 3, 6, 7, 12, 24, 1000, 1001, 4096), fc.integer({ min: 1, max: 1_000 }));
const hash = fc.integer({ min: 0, max: 0xffffffff });

describe('keys, slots and partitions', () => {
  it.each(golden.vectors)('key $keyHex by $algorithm', ({ keyHex, algorithm, hash: expected, at }) => {
    const h = hashOf(Uint8Array.from(Buffer.from(keyHex, 'hex')), algorithm);
    expect(h).toBe(expected);
    for (const { partitions, partition, slot } of at)
      expect([partitionOf(h, partitions), slotOf(h, partitions)]).toEqual([partition, slot]);
  });

  it('every key lies where its client put it', () => {
    const found = partitioners.vectors.map(({ keyHex, algorithm, hash: _, at, ...rest }) => {
      const h = hashOf(Buffer.from(keyHex, 'hex'), algorithm);
      return { ...rest, keyHex, algorithm, hash: h, at: at.map(([n]) => [n, partitionOf(h, n), slotOf(h, n)]) };
    });
    expect(found).toEqual(partitioners.vectors);
    for (const algorithm of ['murmur2', 'crc32', 'fnv1a'])
      expect(found.filter((one) => one.algorithm === algorithm).length).toBeGreaterThan(50);
  });

  it('has a place for every key, but for the empty one by crc32', () => {
    for (const algorithm of hashAlgorithms) {
      expect(hasPlace(Buffer.from('a'), algorithm)).toBe(true);
      expect(hasPlace(Buffer.alloc(0), algorithm)).toBe(algorithm !== 'crc32');
    }
  });

  it.each([1, 8, 64, 625, 1000])(
    'with %d partitions slots are a permutation of the hashes modulo a million',
    (partitions) => {
      const seen = new Uint8Array(slotsTotal);
      for (let h = 0; h < slotsTotal; h++) seen[slotOf(h, partitions)] = 1;
      expect(seen.indexOf(0)).toBe(-1);
    },
  );

  it('with a count that divides a million the slot is the permutation of DESIGN section 4', () => {
    fc.assert(
      fc.property(partitionCount, hash, (partitions, h) => {
        const x = h % slotsTotal;
        const slot = (x % partitions) * (slotsTotal / partitions) + Math.floor(x / partitions);
        expect(slotOf(h, partitions)).toBe(slot);
        expect(partitionOf(h, partitions)).toBe(x % partitions);
      }),
    );
  });

  it.each([1, 3, 7, 12, 24, 999, 4096])('with %d partitions each slot has a key, and one partition', (partitions) => {
    const owners = new Int32Array(slotsTotal).fill(-1);
    let end = 0;
    for (let partition = 0; partition < partitions; partition++) {
      const { slotStart, slotEnd } = slotRangeOf(partition, partitions);
      expect(slotStart).toBe(end);
      expect([Math.floor(slotsTotal / partitions), Math.ceil(slotsTotal / partitions)]).toContain(slotEnd - slotStart);
      end = slotEnd;
      for (let nth = 0; nth < slotEnd - slotStart; nth++)
        owners[slotOf(nth * partitions + partition, partitions)] = partition;
    }
    expect(end).toBe(slotsTotal);
    expect(owners.every((partition, slot) => partition === partitionOfSlot(slot, partitions))).toBe(true);
  });

  it('each partition owns one contiguous block of slots', () => {
    fc.assert(
      fc.property(anyCount, hash, (partitions, h) => {
        const slot = slotOf(h, partitions);
        const partition = partitionOf(h, partitions);
        const { slotStart, slotEnd } = slotRangeOf(partition, partitions);
        expect(slot).toBeGreaterThanOrEqual(slotStart);
        expect(slot).toBeLessThan(slotEnd);
        expect(partitionOfSlot(slot, partitions)).toBe(partition);
      }),
    );
  });

  it('the partitions of a slot range are those that own any of its slots', () => {
    const range = fc.tuple(fc.integer({ min: 0, max: slotsTotal - 1 }), fc.integer({ min: 1, max: slotsTotal }));
    fc.assert(
      fc.property(anyCount, range, (partitions, [slotStart, slotEnd]) => {
        const touching = Array.from({ length: partitions }, (_, p) => p).filter((p) => {
          const block = slotRangeOf(p, partitions);
          return Math.max(block.slotStart, slotStart) < Math.min(block.slotEnd, slotEnd);
        });
        expect(partitionsOf(slotStart, slotEnd, partitions)).toEqual(touching);
      }),
    );
  });

  it('partition counts are the divisors of a million up to a thousand', () => {
    expect(allowedPartitions.slice(0, 13)).toEqual([1, 2, 4, 5, 8, 10, 16, 20, 25, 32, 40, 50, 64]);
    for (const bad of [0, -1, 3, 1.5, 2000, NaN, Infinity]) expect(isAllowedPartitions(bad)).toBe(false);
    for (const good of allowedPartitions) expect(isAllowedPartitions(good)).toBe(true);
    for (const bad of [0, -1, 1.5, 1001, NaN, Infinity]) expect(isPartitionCount(bad)).toBe(false);
    for (const good of [1, 3, 12, 1000]) expect(isPartitionCount(good)).toBe(true);
  });

  it('an even split covers every slot once, in sizes that differ by one at most', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 5_000 }), (count) => {
        const ranges = evenSplit(count);
        expect(ranges).toHaveLength(count);
        expect(ranges.at(-1)?.slotEnd).toBe(slotsTotal);
        // One look for all: thousands of them take seconds.
        expect(ranges.map(({ slotStart }) => slotStart)).toEqual([
          0,
          ...ranges.slice(0, -1).map(({ slotEnd }) => slotEnd),
        ]);
        const sizes = ranges.map(({ slotStart, slotEnd }) => slotEnd - slotStart);
        expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1);
      }),
      { numRuns: 30 },
    );
    expect(() => evenSplit(0)).toThrow(RangeError);
    expect(() => evenSplit(slotsTotal + 1)).toThrow(RangeError);
  });
});
