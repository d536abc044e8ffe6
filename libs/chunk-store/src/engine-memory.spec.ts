import fc from 'fast-check';
import type { EngineBudget } from './engine';
import { EngineMemory } from './engine-memory';

const KiB = 1024;
const MiB = 1024 * KiB;
const sizeOf = ({ writeBufferBytes, blockCacheBytes }: EngineBudget): number => writeBufferBytes * 2 + blockCacheBytes;

describe('memory that databases divide', () => {
  it.each([
    [64 * MiB, 4, 4 * MiB],
    [64 * MiB, 16, Math.floor((64 * MiB) / 48)],
    [64 * MiB, 1_000, Math.floor((64 * MiB) / 48)],
    [1, 1_000, 64 * KiB],
  ])('%d bytes for %d units: none gets parts larger than %d', (bytesMax, units, largest) => {
    expect(new EngineMemory(bytesMax, units).largest).toEqual({ writeBufferBytes: largest, blockCacheBytes: largest });
  });

  it('the sum stays within the pool but for the least that each needs, whatever is opened and closed', () => {
    const pools = fc.record({
      bytesMax: fc.integer({ min: 1, max: 256 * MiB }),
      units: fc.integer({ min: 1, max: 80 }),
    });
    fc.assert(
      fc.property(pools, fc.array(fc.nat(79), { maxLength: 200 }), ({ bytesMax, units }, touched) => {
        const memory = new EngineMemory(bytesMax, units);
        const open = new Map<number, EngineBudget>();
        for (const unit of touched.map((n) => n % units)) {
          const budget = open.get(unit);
          if (budget === undefined) open.set(unit, memory.take(units - open.size));
          else {
            memory.giveBack(budget);
            open.delete(unit);
          }
          const budgets = [...open.values()];
          expect(memory.usedBytes).toBe(budgets.reduce((sum, each) => sum + sizeOf(each), 0));
          const beyond = budgets
            .filter((each) => each.writeBufferBytes > 64 * KiB)
            .reduce((sum, each) => sum + sizeOf(each), 0);
          expect(beyond).toBeLessThanOrEqual(bytesMax);
          expect(memory.usedBytes).toBeLessThanOrEqual(bytesMax + units * 3 * 64 * KiB);
          for (const each of budgets)
            expect(each.writeBufferBytes).toBeLessThanOrEqual(memory.largest.writeBufferBytes);
        }
      }),
      { numRuns: 200 },
    );
  });

  it('what is given back is taken again', () => {
    const memory = new EngineMemory(12 * MiB, 1);
    const budget = memory.take(1);
    expect(memory.usedBytes).toBe(12 * MiB);
    memory.giveBack(budget);
    expect(memory.usedBytes).toBe(0);
    expect(memory.take(1)).toEqual(budget);
  });
});
