import fc from 'fast-check';
import { keyShownBytesMax, shownKey } from './shown-key';

it.each([
  ['price', "'price'"],
  ['', "''"],
  ["it's \\ here", "'it\\'s \\\\ here'"],
  ['\0\r\n\xff', "'\\x00\\x0d\\x0a\\xff'"],
  ['k'.repeat(64), `'${'k'.repeat(64)}'`],
  ['k'.repeat(65), `'${'k'.repeat(64)}'… of 65 bytes`],
])('a key %j is quoted as %s', (key, shown) => {
  expect(shownKey(Buffer.from(key, 'latin1'))).toBe(shown);
});

it('whatever a key holds, it forges no line, and an error stays short', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 1_024 }), (key) => {
      const shown = shownKey(Buffer.from(key));
      expect(shown).toMatch(/^[ -~…]*$/);
      expect(shown.length).toBeLessThan(keyShownBytesMax * 4 + 24);
    }),
  );
});
