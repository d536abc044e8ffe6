import type { StoredBatch, StoredRecord } from '@levee/log';
import { asOffset } from '@levee/kernel';
import { Certainty } from '../src/repartition/certainty';
import { homeHeader, homeMark, readHomeMark } from '../src/repartition/home-mark';
import { isNewer, judgeKey, type Judgement, type Standing, type Stray } from '../src/repartition/judge-key';
import { KeyStandings } from '../src/repartition/key-standings';
import { unread } from '../src/repartition/read-on';

const atMs = 1_000_000;
const stray: Stray = {
  ...{ partition: 3, offset: 55, timeMs: atMs, is: 'value', problem: undefined, rivalMs: -Infinity },
};
const nothing: Standing = { own: undefined, home: undefined, unreadableMs: -Infinity, isLive: false };
const own = (timeMs: number, offset = 10) => ({ own: { offset, timeMs }, isLive: true });
const home = (from: { partition: number; offset: number; timeMs: number }, offset = 20) => ({
  home: { offset, from },
  isLive: true,
});
const homeOf5 = (timeMs: number) => home({ partition: 5, offset: 1, timeMs });
const itself = { partition: 3, offset: 55, timeMs: atMs };

describe('what becomes of a key with a record in a wrong partition', () => {
  it.each<[string, Partial<Stray>, Partial<Standing>, boolean, Judgement]>([
    ['the right partition holds nothing of it', {}, {}, true, 'bringHome'],
    ['a later record is there', {}, own(atMs + 1), true, 'later'],
    ['one of the same moment', {}, own(atMs), true, 'doubtful'],
    ['one that is older by 5 s', {}, own(atMs - 5_000), true, 'doubtful'],
    ['one that is older by more', {}, own(atMs - 5_001), true, 'bringHome'],
    ['a later one that deletes', {}, { ...own(atMs + 1), isLive: false }, true, 'later'],
    ['it is at home', {}, home(itself), true, 'atHome'],
    ['a newer one of another wrong partition is', {}, homeOf5(atMs + 5_001), true, 'atHome'],
    ['it is, and newer by 5 s', {}, homeOf5(atMs + 5_000), true, 'doubtful'],
    ['it is older by 5 s', {}, homeOf5(atMs - 5_000), true, 'doubtful'],
    ['it is older by more', {}, homeOf5(atMs - 5_001), true, 'bringHome'],
    ['another wrong partition holds one that is older by 5 s', { rivalMs: atMs - 5_000 }, {}, true, 'doubtful'],
    ['older by more', { rivalMs: atMs - 5_001 }, {}, true, 'bringHome'],
    ['of the same time', { rivalMs: atMs, is: 'deletion' }, own(1), true, 'doubtful'],
    ['and it is at home', { rivalMs: atMs - 1 }, home(itself), true, 'doubtful'],
    ['and a later one is in the right one', { rivalMs: atMs - 1 }, own(atMs + 1), true, 'later'],
    [
      'it came home over a later one, and has a rival',
      { rivalMs: atMs },
      { ...own(atMs + 9), ...home(itself) },
      true,
      'restore',
    ],
    ['an older one of the same partition is', {}, home({ ...itself, offset: 54 }), true, 'bringHome'],
    ['and its clock fell in between', {}, home({ ...itself, offset: 54, timeMs: atMs + 9 }), true, 'bringHome'],
    ['it is at home, and was written since', {}, { ...own(atMs + 9, 30), ...home(itself) }, true, 'later'],
    ['it came home over a later one', {}, { ...own(atMs + 9), ...home(itself) }, true, 'restore'],
    ['it came home over one in doubt', {}, { ...own(atMs - 5_000), ...home(itself) }, true, 'restore'],
    ['it came home over an older one, as it should', {}, { ...own(atMs - 5_001), ...home(itself) }, true, 'atHome'],
    ['it cannot be read', { problem: 'unreadable' }, {}, true, 'unreadable'],
    ['it cannot be read, and is outdone', { problem: 'unreadable' }, own(atMs + 1), true, 'later'],
    ['nobody knows when it was written', { problem: 'producerTime' }, own(atMs + 1), true, 'producerTime'],
    ['it deletes what is there', { is: 'deletion' }, own(1), true, 'bringHome'],
    ['it deletes, and nothing is there', { is: 'deletion' }, {}, true, 'nothingToDelete'],
    ['it deletes what is deleted', { is: 'deletion' }, { ...own(1), isLive: false }, true, 'nothingToDelete'],
    ['it has expired, and nothing is there', { is: 'expired' }, {}, true, 'expired'],
    ['it has expired, and an older value is there', { is: 'expired' }, own(1), true, 'bringHome'],
    ['a later deletion may be gone', {}, {}, false, 'beyondTombstones'],
    ['a batch there that nobody can unpack is older', {}, { unreadableMs: atMs - 5_001 }, true, 'bringHome'],
    ['it is not older', {}, { unreadableMs: atMs - 5_000 }, true, 'doubtful'],
  ])('%s', (_what, of, standing, isCertain, expected) => {
    expect(judgeKey({ ...stray, ...of }, { ...nothing, ...standing }, isCertain)).toBe(expected);
  });

  it('of two strays the newest by log time counts, and within a partition its order', () => {
    const at = (partition: number, offset: number, timeMs: number) => ({ partition, offset, timeMs });
    expect(isNewer(at(1, 1, 5), at(2, 9, 4))).toBe(true);
    expect(isNewer(at(2, 9, 4), at(1, 1, 5))).toBe(false);
    expect(isNewer(at(1, 2, 3), at(1, 1, 9))).toBe(true);
    expect([isNewer(at(1, 1, 5), at(2, 1, 5)), isNewer(at(2, 1, 5), at(1, 1, 5))]).toEqual([false, true]);
    expect(isNewer(at(1, 1, 5), at(1, 1, 5))).toBe(false);
  });
});

describe('whether a later deletion may have been compacted away', () => {
  const nowMs = 100 * 86_400_000;
  const dayMs = 86_400_000;
  const cleaning = { deleteRetentionMs: 7 * dayMs, earlier: [], clockMarginMs: 300_000 };
  const cleaned = (removedUntilMs: number) => ({ ...unread(), removedUntilMs });
  const beheaded = (removedUntilMs: number) => ({ ...cleaned(removedUntilMs), lostBeginning: true });
  it.each<[string, ReturnType<typeof unread>[], number, number[], boolean]>([
    ['nothing is missing anywhere', [unread(), unread()], 1, [1], true],
    ['something is, and it is older than the retention', [cleaned(nowMs), unread()], nowMs - 8 * dayMs, [1], false],
    ['it is not', [cleaned(nowMs), unread()], nowMs - 6 * dayMs, [1], true],
    ['what is missing was written before it', [cleaned(nowMs - 9 * dayMs), unread()], nowMs - 8 * dayMs, [1], true],
    ['nearly so: clocks may differ', [cleaned(nowMs - 8 * dayMs), unread()], nowMs - 8 * dayMs, [1], false],
    ['the partition holds the key', [cleaned(nowMs), unread()], nowMs - 8 * dayMs, [0, 1], true],
    [
      'a third partition may have held it',
      [cleaned(nowMs), unread(), cleaned(nowMs)],
      nowMs - 8 * dayMs,
      [0, 1],
      false,
    ],
    ['the beginning was deleted', [beheaded(nowMs - dayMs), unread()], nowMs - 6 * dayMs, [1], false],
    ['and clocks may differ', [beheaded(nowMs - dayMs), unread()], nowMs - dayMs + 300_000, [1], false],
    ['it is newer than all of that', [beheaded(nowMs - dayMs), unread()], nowMs - dayMs + 305_000, [1], true],
    ['the partition holds the key all the same', [beheaded(nowMs), unread()], nowMs - 6 * dayMs, [0, 1], true],
    ['times are of producers', [{ ...cleaned(1), hasProducerTimes: true }, unread()], nowMs, [1], false],
  ])('%s', (_what, progress, timeMs, held, expected) => {
    expect(new Certainty(progress, cleaning, nowMs).isCertain(timeMs, held)).toBe(expected);
  });

  it('a shorter window of the past counts for its time', () => {
    const earlier = [{ untilMs: nowMs - dayMs, lagMs: 3_600_000 }];
    const year = { deleteRetentionMs: 365 * dayMs, clockMarginMs: 300_000 };
    const of = (past: typeof earlier) => new Certainty([cleaned(nowMs), unread()], { ...year, earlier: past }, nowMs);
    expect(of(earlier).isCertain(nowMs - 9 * dayMs, [1])).toBe(false);
    expect(of(earlier).isCertain(nowMs - 7 * dayMs, [1])).toBe(true);
    expect(of([]).isCertain(nowMs - 9 * dayMs, [1])).toBe(true);
  });
});

describe('the header of a record that was brought home', () => {
  it('is read as it was written, and nothing else is one', () => {
    const mark = { partition: 999, offset: 123_456_789, timeMs: 1_700_000_000_000, producerId: 4_001 };
    expect(readHomeMark([{ key: 'x', value: Buffer.from('y') }, homeMark(mark)])).toEqual(mark);
    expect(readHomeMark([homeMark({ ...mark, producerId: -1 })])).toEqual({ ...mark, producerId: -1 });
    for (const text of [
      '',
      '1:2',
      '1:2@3',
      '1:2@3/x',
      '1:2@3/4 ',
      '-1:2@3/4',
      `1:${'9'.repeat(16)}@3/4`,
      '1:2@3/4'.repeat(20),
    ])
      expect([text, readHomeMark([{ key: homeHeader, value: Buffer.from(text) }])]).toEqual([text, undefined]);
  });

  const key = Buffer.from('k');
  const record = (offset: number, more: Partial<StoredRecord> = {}): StoredRecord => ({
    ...{ offset: asOffset(offset), timestampMs: atMs + offset, key, value: Buffer.from('v'), headers: [] },
    ...more,
  });
  const batch = (producerId: number, more: Partial<StoredBatch> = {}) =>
    ({ producerId, timestampType: 'append', ...more }) as StoredBatch;
  const binlog = { name: 'n', binlog: 'b', partitions: 4, hashAlgorithm: 'murmur2', recordFormat: 'raw' } as const;
  const standing = (namesProducers = true) => new KeyStandings(binlog, 0, { namesProducers, nowMs: () => atMs }, [key]);
  const from = { partition: 3, offset: 55, timeMs: atMs, producerId: 7 };

  it('counts where its producer wrote it, and is no more than a header where somebody copied it', () => {
    const of = standing();
    of.take([record(1, { headers: [homeMark(from)] })], batch(7));
    expect(of.of(key)).toMatchObject({ own: undefined, home: { offset: 1, from }, isLive: true });
    of.take([record(2, { headers: [homeMark(from)] })], batch(8));
    expect(of.of(key)).toMatchObject({ own: { offset: 2, timeMs: atMs + 2 }, home: { offset: 1 } });
    const unnamed = standing();
    unnamed.take([record(1, { headers: [homeMark(from)] })], batch(-1));
    expect(unnamed.of(key).own).toMatchObject({ offset: 1 });
    // Nobody but Levee writes to such a log.
    const alone = standing(false);
    alone.take([record(1, { headers: [homeMark(from)] })], batch(-1));
    expect(alone.of(key)).toMatchObject({ own: undefined, home: { offset: 1 } });
  });

  it('of what was put last again says when it was written first, unless something newer had come', () => {
    const of = standing();
    of.take([record(1), record(2, { headers: [homeMark(from)] })], batch(7));
    const again = { headers: [homeMark({ partition: 0, offset: 1, timeMs: atMs + 1, producerId: 7 })] };
    of.take([record(3, again)], batch(7));
    expect(of.of(key)).toMatchObject({ own: { offset: 3, timeMs: atMs + 1 }, home: { offset: 2 } });
    of.take([record(4), record(5, again)], batch(7));
    const { isHeld: _held, ...is } = of.of(key);
    expect(is).toMatchObject({ own: { offset: 4, timeMs: atMs + 4 }, home: { offset: 5 } });
    expect(judgeKey(stray, is, true)).toBe('restore');
    expect(of.ownPlace(key)).toMatchObject({ partition: 0, offset: 4 });
  });

  it('a clock that fell makes an own record no older, and one without a log time is the latest', () => {
    const of = standing();
    of.take([record(1, { key: Buffer.from('other'), timestampMs: atMs + 99 }), record(2)], batch(7));
    expect(of.of(key).own).toEqual({ offset: 2, timeMs: atMs + 99 });
    of.take([record(3)], batch(7, { timestampType: 'create' }));
    expect(of.of(key).own?.timeMs).toBeGreaterThan(1e14);
  });

  it('knows a value that can be read from what is deleted or has expired', () => {
    const of = standing();
    const isLive = (more: Partial<StoredRecord>): boolean => {
      of.take([record(1, more)], batch(7));
      return of.of(key).isLive;
    };
    const expires = (ms: number) => ({ headers: [{ key: 'levee-expires-at-ms', value: Buffer.from(String(ms)) }] });
    expect([isLive({}), isLive({ value: null }), isLive(expires(atMs)), isLive(expires(atMs + 1))]).toEqual([
      ...[true, false, false, true],
    ]);
  });
});
