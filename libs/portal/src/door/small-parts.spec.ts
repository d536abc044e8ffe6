import fc from 'fast-check';
import { prefixEnd, type StoreErrorCode, storeErrors, StoreFailure } from '@levee/client';
import { fastestMs } from '../../../../test/support/fastest';
import { summarize, type KeyFailure } from './failure-summary';
import { Glob, globMatches, literalPrefix } from './glob';

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
    // Looked for from each place anew, each of these takes a quarter of a million steps.
    const key = bytes(`${'a'.repeat(1_020)}b`);
    const hostile = [
      ['*a'.repeat(400), false],
      [`*${'a'.repeat(500)}b*`, true],
      [`*${'a?'.repeat(250)}b*`, true],
      [`*${'[a-y]'.repeat(500)}z*`, false],
    ] as const;
    for (const [pattern, expected] of hostile) {
      const glob = new Glob(bytes(pattern));
      const match = (): void => expect(glob.matches(key)).toBe(expected);
      expect(fastestMs(2, match)).toBeLessThan(2);
    }
  });

  it('says what one that tries everything says', () => {
    const part = fc.constantFrom('*', '?', 'a', 'b', '[ab]', '[^a]', '[a-b]', '\\a', '\\*', '[', ']', '^', '-', '\\');
    const pattern = fc.array(part, { maxLength: 12 }).map((parts) => parts.join(''));
    const long = fc.tuple(pattern, fc.nat(40), pattern).map(([from, n, to]) => `${from}${'a'.repeat(n)}${to}`);
    const key = fc
      .tuple(fc.string({ unit: fc.constantFrom('a', 'b', '*', ']') }), fc.nat(70))
      .map(([rest, n]) => 'a'.repeat(n) + rest);
    fc.assert(
      fc.property(
        fc.oneof(pattern, long, fc.string({ unit: 'binary' })),
        fc.oneof(key, fc.string({ unit: 'binary' })),
        (p, k) => expect([p, k, globMatches(bytes(p), bytes(k))]).toEqual([p, k, matchesByTrying(bytes(p), bytes(k))]),
      ),
      { numRuns: 3_000 },
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

it('says of several failed keys how many failed in which way, under the worst', () => {
  const failed = (code: StoreErrorCode): KeyFailure => ({
    key: Buffer.from(`of ${code}`),
    failure: new StoreFailure(code, `why ${code}`),
  });
  const text = summarize('set', 5, [failed('LVPENDING'), failed('LVINDEFINITE'), failed('LVPENDING')]);
  expect(text).toBe(
    "LVINDEFINITE 2 of 5 keys set, failed: 2 LVPENDING, 1 LVINDEFINITE; the first: why LVINDEFINITE (key 'of LVINDEFINITE')",
  );
  expect(Object.keys(storeErrors)).toContain('LVINDEFINITE');
});

/** Glob as Redis defines it, byte by byte; what was tried once is not tried again. */
function matchesByTrying(pattern: Buffer, key: Buffer, tried = new Map<string, boolean>()): boolean {
  const place = `${pattern.length}/${key.length}`;
  const known = tried.get(place);
  if (known !== undefined) return known;
  const found = tryOnce(pattern, key, tried);
  tried.set(place, found);
  return found;
}

function tryOnce(pattern: Buffer, key: Buffer, tried: Map<string, boolean>): boolean {
  const [c, ...more] = pattern;
  if (c === undefined) return key.length === 0;
  const rest = Buffer.from(more);
  const [byte] = key;
  const behind = key.subarray(1);
  if (c === 0x2a)
    return matchesByTrying(rest, key, tried) || (byte !== undefined && matchesByTrying(pattern, behind, tried));
  if (byte === undefined) return false;
  if (c === 0x3f) return matchesByTrying(rest, behind, tried);
  if (c === 0x5c && rest.length > 0) return rest[0] === byte && matchesByTrying(rest.subarray(1), behind, tried);
  if (c !== 0x5b) return c === byte && matchesByTrying(rest, behind, tried);
  let p = 1;
  const negated = pattern[p] === 0x5e;
  if (negated) p++;
  let found = false;
  for (; p < pattern.length && pattern[p] !== 0x5d; p++) {
    if (pattern[p] === 0x5c && p + 1 < pattern.length) p++;
    const low = pattern[p] as number;
    if (pattern[p + 1] === 0x2d && p + 2 < pattern.length && pattern[p + 2] !== 0x5d) {
      const high = pattern[p + 2] as number;
      found ||= byte >= Math.min(low, high) && byte <= Math.max(low, high);
      p += 2;
    } else found ||= byte === low;
  }
  return found !== negated && matchesByTrying(pattern.subarray(Math.min(p + 1, pattern.length)), behind, tried);
}
