import fc from 'fast-check';
import { fastestMs } from '../../../test/support/fastest';
import { globMatches, literalPrefix } from './door/glob';
import { prefixEnd } from './ordered-scan';
import { ScanCursors } from './scan-cursors';
import { wholeScan } from './slot-scan';
import { storeErrors, StoreFailure, type StoreErrorCode } from './store-errors';
import { summarize } from './door/failure-summary';

const bytes = (text: string): Buffer => Buffer.from(text, 'latin1');

describe('globMatches', () => {
  it.each([
    ['*', '', true],
    ['h?llo', 'hello', true],
    ['h?llo', 'hllo', false],
    ['h*llo', 'heeello', true],
    ['h[ae]llo', 'hallo', true],
    ['h[ae]llo', 'hillo', false],
    ['h[^e]llo', 'hallo', true],
    ['h[^e]llo', 'hello', false],
    ['h[a-b]llo', 'hbllo', true],
    ['h[b-a]llo', 'hallo', true],
    ['a\\*', 'a*', true],
    ['a\\*', 'ab', false],
    ['*:user:*', '12:user:x', true],
    ['a', 'ab', false],
    ['[', '[', false],
    ['a*b*c', 'axxbyyc', true],
    ['a*b*c', 'axxbyy', false],
  ])('%s matches %s: %s', (pattern, key, expected) => {
    expect(globMatches(bytes(pattern), bytes(key))).toBe(expected);
  });

  it('is quick for every pattern', () => {
    const hostile = bytes('*a'.repeat(400));
    const match = (): void => expect(globMatches(hostile, bytes('a'.repeat(399) + 'b'))).toBe(false);
    expect(fastestMs(50, match)).toBeLessThan(50);
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' }), (pattern, key) => {
        globMatches(bytes(pattern), bytes(key));
      }),
    );
  });

  it('knows what every match begins with', () => {
    expect(literalPrefix(bytes('user:*')).toString()).toBe('user:');
    expect(literalPrefix(bytes('[a]')).toString()).toBe('');
  });
});

it('prefixEnd is the first key after a prefix', () => {
  const some = fc.uint8Array({ minLength: 1, maxLength: 4 }).map((array) => Buffer.from(array));
  fc.assert(
    fc.property(some, some, (prefix, key) => {
      const end = prefixEnd(prefix);
      const inRange = key.compare(prefix) >= 0 && (end.length === 0 || key.compare(end) < 0);
      const hasPrefix = key.subarray(0, prefix.length).equals(prefix);
      // Without an end the range also holds what comes after a prefix of nothing but ff.
      expect(inRange && end.length > 0 ? hasPrefix : true).toBe(true);
      if (hasPrefix) expect(inRange).toBe(true);
    }),
  );
});

describe('ScanCursors', () => {
  const setUp = () => {
    let now = 0;
    const clock = { nowMs: () => now, monotonicMs: () => now };
    const cursors = new ScanCursors(clock, { next: () => 0.5 }, { cursorsMax: 2, cursorIdleMs: 1_000 });
    return { cursors, pass: (ms: number) => (now += ms) };
  };

  it('keeps the newest, and tells the others to start again', () => {
    const { cursors } = setUp();
    const [first, second, third] = [1, 2, 3].map(() => cursors.keep('ns', wholeScan)) as [string, string, string];
    expect(cursors.find('ns', first)).toMatchObject({
      code: 'LVCURSOR',
      message: expect.stringContaining('start again at 0'),
    });
    expect(cursors.find('ns', second)).toBe(wholeScan);
    expect(cursors.find('other', third)).toBeInstanceOf(StoreFailure);
    expect(cursors.size).toBe(2);
  });

  it('forgets one that was not used', () => {
    const { cursors, pass } = setUp();
    const cursor = cursors.keep('ns', wholeScan);
    pass(900);
    expect(cursors.find('ns', cursor)).toBe(wholeScan);
    pass(1_001);
    expect(cursors.find('ns', cursor)).toBeInstanceOf(StoreFailure);
  });
});

it('says of several failed keys how many failed in which way, under the worst', () => {
  const failed = (code: StoreErrorCode): StoreFailure => new StoreFailure(code, `why ${code}`);
  const text = summarize('set', 5, [failed('LVPENDING'), failed('LVINDEFINITE'), failed('LVPENDING')]);
  expect(text).toBe('LVINDEFINITE 2 of 5 keys set, failed: 2 LVPENDING, 1 LVINDEFINITE; the first: why LVINDEFINITE');
  expect(Object.keys(storeErrors)).toContain('LVINDEFINITE');
});
