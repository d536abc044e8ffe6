import fc from 'fast-check';
import { asOffset } from '@levee/kernel';
import { fastestMs } from '../../../../test/support/fastest';
import { CallbackAppend, CallbackRead } from '../callback-operations';
import { UnsettledReads } from './unsettled-reads';

const readOf = (hash: number, key: string): CallbackRead =>
  Object.assign(new CallbackRead(Buffer.from(key), 'session', undefined, () => undefined), { hash, slot: 0 });
const writeOf = (hash: number, key: string): CallbackAppend =>
  Object.assign(new CallbackAppend(Buffer.from(key), null, 'logged', undefined, () => undefined), { hash });

describe('reads that are not settled', () => {
  it('the last one of a key is found, whatever was settled in whatever order', () => {
    const step = fc.record({
      what: fc.constantFrom('read', 'read', 'settle', 'look'),
      key: fc.constantFrom('a', 'b', 'c', 'd', 'e'),
      which: fc.nat(),
    });
    fc.assert(
      fc.property(fc.nat(80), fc.array(step, { maxLength: 200 }), (before, steps) => {
        const reads = new UnsettledReads();
        let model: CallbackRead[] = [];
        const add = (key: string): void => {
          // Two keys of one hash.
          const read = readOf(key.charCodeAt(0) >> 1, key);
          reads.add(read);
          model.push(read);
        };
        for (let i = 0; i < before; i++) add(i % 2 === 0 ? 'a' : 'b');
        for (const { what, key, which } of steps) {
          const settled = model[which % Math.max(1, model.length)];
          if (what === 'read') add(key);
          else if (what === 'look') {
            const expected = model.findLast((read) => read.key.toString() === key);
            expect(reads.newestOf(writeOf(key.charCodeAt(0) >> 1, key))).toBe(expected);
          } else if (settled) {
            settled.missing(asOffset(0));
            model = model.filter((read) => read !== settled);
          }
          expect(reads.size).toBe(model.length);
        }
      }),
      { numRuns: 300 },
    );
  });

  it('costs no more for many writes behind many reads', () => {
    const work = (): void => {
      const reads = new UnsettledReads();
      for (let i = 0; i < 65_535; i++) reads.add(readOf(i, `k${i}`));
      let found = 0;
      for (let i = 0; i < 4_096; i++) if (reads.newestOf(writeOf(i, 'another'))) found++;
      expect(found).toBe(0);
    };
    // Each write looking at each read: a quarter of a billion looks.
    expect(fastestMs(1_000, work)).toBeLessThan(1_000);
  });

  it('a settled one is held by nobody, though its key is read again and again', () => {
    const reads = new UnsettledReads();
    for (let i = 0; i < 40; i++) reads.add(readOf(1, 'k'));
    reads.newestOf(writeOf(1, 'k'));
    let last = readOf(1, 'k');
    reads.add(last);
    for (let i = 0; i < 10_000; i++) {
      const next = readOf(1, 'k');
      reads.add(next);
      last.missing(0);
      last = next;
    }
    let held = 0;
    for (let read = reads.newestOf(writeOf(1, 'k')); read; read = read.olderOfHash) held++;
    expect(reads.size).toBe(41);
    expect(held).toBeLessThan(45);
  });
});
