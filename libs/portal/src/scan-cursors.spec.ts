import fc from 'fast-check';
import { wholeScan } from '@levee/client';
import { dice } from '../../../test/support/seed';
import { ScanCursors } from './scan-cursors';

const somebody = {};
const here = { binlog: 'levee.binlog.ns', user: 'default' };

function setUp(but: object = {}, seed = 1) {
  let now = 0;
  const clock = { nowMs: () => now, monotonicMs: () => now };
  const limits = { cursorsMax: 2, cursorsOfOneMax: 2, cursorIdleMs: 1_000, ...but };
  const cursors = new ScanCursors(clock, { next: dice(seed) }, limits);
  return { cursors, pass: (ms: number) => (now += ms) };
}

const refusal = (message: RegExp) => ({
  code: 'LVCURSOR',
  message: expect.stringMatching(new RegExp(`${message.source}.*; start again at 0$`)) as string,
});

describe('cursors of SCAN', () => {
  it('are whole numbers that a double holds, and no two are the same', () => {
    const { cursors } = setUp({ cursorsMax: 1_000, cursorsOfOneMax: 1_000 });
    const given = Array.from({ length: 1_000 }, () => cursors.keep(here, wholeScan, somebody));
    expect(new Set(given).size).toBe(1_000);
    for (const cursor of given) {
      expect(cursor).toMatch(/^[1-9]\d*$/);
      expect([Number.isSafeInteger(Number(cursor)), String(Number(cursor))]).toEqual([true, cursor]);
      expect(cursors.find(here, cursor)).toBe(wholeScan);
    }
  });

  it('that were not given are refused, be they guessed, rounded, or next to one that was', () => {
    const { cursors } = setUp({ cursorsMax: 1_000, cursorsOfOneMax: 1_000 });
    const given = Array.from({ length: 500 }, () => cursors.keep(here, wholeScan, somebody));
    const known = new Set(given);
    const number = fc.oneof(
      fc.bigInt({ min: 1n, max: 2n ** 64n - 1n }),
      fc
        .constantFrom(...given)
        .chain((cursor) => fc.integer({ min: -1_000, max: 1_000 }).map((n) => BigInt(cursor) + BigInt(n))),
      fc.constantFrom(...given).map((cursor) => BigInt(Math.fround(Number(cursor)))),
      fc.constantFrom(...given).map((cursor) => BigInt(Number(Number(cursor).toPrecision(15)))),
    );
    fc.assert(
      fc.property(number, (n) => {
        if (!known.has(`${n}`)) expect(cursors.find(here, `${n}`)).toMatchObject({ code: 'LVCURSOR' });
      }),
      { numRuns: 2_000 },
    );
  });

  it('are refused with the reason, and held for whose they are', () => {
    const { cursors, pass } = setUp();
    const other = setUp({}, 2).cursors;
    const cursor = cursors.keep(here, wholeScan, somebody);
    expect(cursors.find({ ...here, binlog: 'levee.binlog.other' }, cursor)).toMatchObject(refusal(/another namespace/));
    expect(cursors.find({ ...here, user: 'shop' }, cursor)).toMatchObject(refusal(/another user/));
    expect(other.find(here, cursor)).toMatchObject(refusal(/^another portal gave this cursor, or this one before/));
    for (const none of ['1', '17', `${2n ** 53n}`, `${2n ** 64n - 1n}`])
      expect(cursors.find(here, none)).toMatchObject(refusal(/^no portal gives such a cursor/));
    expect(cursors.find(here, cursor)).toBe(wholeScan);
    pass(1_001);
    expect(cursors.find(here, cursor)).toMatchObject(refusal(/unknown, was idle for too long/));
  });

  it('are forgotten, the oldest first, where there are too many', () => {
    const { cursors } = setUp();
    const [first, second, third] = [1, 2, 3].map(() => cursors.keep(here, wholeScan, somebody));
    expect(cursors.find(here, first as string)).toMatchObject(refusal(/gave way to later ones/));
    expect([second, third].map((cursor) => cursors.find(here, cursor as string))).toEqual([wholeScan, wholeScan]);
    expect(cursors.size).toBe(2);
  });

  it('are of those who made them: one who makes many loses its own, and none of another', () => {
    const { cursors } = setUp({ cursorsMax: 8, cursorsOfOneMax: 3 });
    const another = {};
    const kept = cursors.keep(here, wholeScan, another);
    const own = Array.from({ length: 1_000 }, () => cursors.keep(here, wholeScan, somebody));
    expect(cursors.find(here, kept)).toBe(wholeScan);
    expect(own.map((cursor) => cursors.find(here, cursor)).filter((found) => found === wholeScan)).toHaveLength(3);
    // Many who make few each.
    for (let i = 0; i < 1_000; i++) cursors.keep(here, wholeScan, {});
    expect(cursors.size).toBe(8);
  });

  it('are used again and again, and forgotten when they are not', () => {
    const { cursors, pass } = setUp();
    const cursor = cursors.keep(here, wholeScan, somebody);
    pass(900);
    expect(cursors.find(here, cursor)).toBe(wholeScan);
    pass(900);
    expect(cursors.find(here, cursor)).toBe(wholeScan);
    pass(1_001);
    expect(cursors.find(here, cursor)).toMatchObject({ code: 'LVCURSOR' });
  });
});
