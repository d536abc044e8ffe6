import { isReservedKey, namespaceNameLengthMax, namespaceNameProblem } from './names';

describe('a namespace name', () => {
  it.each(['default', 'shop.orders', 'com.example.product', 'a', 'a-1.b-2', 'a'.repeat(namespaceNameLengthMax)])(
    'may be %s',
    (name) => {
      expect(namespaceNameProblem(name)).toBeUndefined();
    },
  );

  it.each(['', '.', 'a.', '.a', 'a..b', 'Shop', '1a', '-a', 'a_b', 'a/b', 'a#1', 'ü', 'a\n'])(
    'may not be %p',
    (name) => {
      expect(namespaceNameProblem(name)).toContain('[a-z][a-z0-9-]*');
    },
  );

  it('has a longest length, which the problem names', () => {
    expect(namespaceNameProblem('a'.repeat(namespaceNameLengthMax + 1))).toContain(`${namespaceNameLengthMax}`);
  });
});

describe('a reserved key', () => {
  const levee = [0, ...new TextEncoder().encode('levee'), 0];

  it.each([
    ['the prefix alone', levee, true],
    ['the prefix and more', [...levee, 1, 2], true],
    ['less than the prefix', levee.slice(0, 6), false],
    ['another first byte', [1, ...levee.slice(1)], false],
    ['the word without zeros', levee.slice(1, 6), false],
    ['nothing', [], false],
  ])('%s', (_what, key, reserved) => {
    expect(isReservedKey(Uint8Array.from(key))).toBe(reserved);
  });
});
