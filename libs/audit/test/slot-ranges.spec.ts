import { slotRanges } from '@levee/audit';
import type { WitnessFacts } from '@levee/wire';

const witness = (name: string, slotStart: number, slotEnd: number): WitnessFacts =>
  ({ unitId: name, slotStart, slotEnd }) as WitnessFacts;

describe('the slots that witnesses hold', () => {
  it.each<[string, readonly WitnessFacts[], readonly string[]]>([
    ['one chunk', [witness('a', 0, 9), witness('b', 0, 9)], ['0-9 a b']],
    ['two chunks', [witness('a', 0, 5), witness('b', 5, 9)], ['0-5 a', '5-9 b']],
    ['a gap between them', [witness('a', 0, 4), witness('b', 5, 9)], ['0-4 a', '5-9 b']],
    ['a split that was lost', [witness('a', 0, 9), witness('l', 0, 3)], ['0-3 a l', '3-9 a']],
    [
      'a shift that was lost',
      [witness('a', 0, 5), witness('b', 5, 9), witness('l', 3, 7)],
      ['0-3 a', '3-5 a l', '5-7 b l', '7-9 b'],
    ],
    ['nothing', [], []],
  ])('of %s are divided so that whoever knows of a key is asked at once', (_, witnesses, expected) => {
    const found = slotRanges(witnesses).map(
      ({ slotStart, slotEnd, witnesses: of }) => `${slotStart}-${slotEnd} ${of.map(({ unitId }) => unitId).join(' ')}`,
    );
    expect(found).toEqual(expected);
  });
});
