import { asOffset, asPartition } from '@levee/kernel';
import { slotRangeOf } from '@levee/keyspace';
import fc from 'fast-check';
import { WriteMarks, WriteMarksTotal } from './write-marks';

const at = (partition: number, slotInPartition: number, nextOffset = 0) => ({
  partition: asPartition(partition),
  slot: slotRangeOf(asPartition(partition), 4).slotStart + slotInPartition,
  nextOffset: asOffset(nextOffset),
});
const size = { partitions: 4, ofNamespaceMax: 64, allMax: 1_000 };

describe('write marks', () => {
  it('of a key are never below a write of it, nor above every write of its partition', () => {
    const write = fc.record({ partition: fc.nat(3), slot: fc.nat(249_999), nextOffset: fc.integer({ min: 1 }) });
    fc.assert(
      fc.property(fc.array(write), fc.constantFrom(64, 4, 0), (writes, allMax) => {
        const marks = new WriteMarks({ ...size, allMax }, new WriteMarksTotal());
        for (const { partition, slot, nextOffset } of writes) marks.note(at(partition, slot, nextOffset));
        for (const { partition, slot, nextOffset } of writes) {
          const position = marks.positionOf(at(partition, slot));
          expect(position).toBeGreaterThanOrEqual(nextOffset);
          expect(marks.newestOf(asPartition(partition))).toBeGreaterThanOrEqual(position);
        }
        for (let partition = 0; partition < 4; partition++) {
          const newest = Math.max(0, ...writes.filter((of) => of.partition === partition).map((of) => of.nextOffset));
          expect(marks.newestOf(asPartition(partition))).toBe(newest);
        }
      }),
    );
  });

  it('of a partition let go of what its log lost, and of nothing else', () => {
    const marks = new WriteMarks(size, new WriteMarksTotal());
    marks.note(at(1, 0, 80));
    marks.note(at(1, 1, 120));
    marks.note(at(2, 0, 120));
    marks.letGo(asPartition(1), asOffset(90));
    expect([at(1, 0), at(1, 1), at(2, 0)].map((place) => marks.positionOf(place))).toEqual([80, 90, 120]);
    expect([0, 1, 2].map((partition) => marks.newestOf(asPartition(partition)))).toEqual([0, 90, 120]);
  });

  it('are few where there is no room: then a partition is one group, and room comes back with a namespace', () => {
    const total = new WriteMarksTotal();
    const open = (): WriteMarks => new WriteMarks({ ...size, allMax: 64 }, total);
    const [first, second] = [open(), open()];
    expect(total.marks).toBe(0);
    first.note(at(1, 0, 7));
    second.note(at(1, 0, 7));
    expect(total.marks).toBe(64 + 4);
    expect([first, second].map((marks) => marks.positionOf(at(1, 1)))).toEqual([0, 7]);
    first.release();
    second.release();
    expect(total.marks).toBe(0);
    const third = open();
    third.note(at(1, 0, 7));
    expect(third.positionOf(at(1, 1))).toBe(0);
  });
});
