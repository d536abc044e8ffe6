import { isoTime } from './iso-time';

describe('isoTime', () => {
  it.each([
    [0, '1970-01-01T00:00:00.000Z'],
    [-1, '1969-12-31T23:59:59.999Z'],
    [8.64e15, '+275760-09-13T00:00:00.000Z'],
    [8.64e15 + 1, '8640000000000001 ms since 1970'],
    [-8.64e15 - 1, '-8640000000000001 ms since 1970'],
    [Infinity, 'Infinity ms since 1970'],
    [NaN, 'NaN ms since 1970'],
  ])('says %d as %s, and throws at nothing', (ms, text) => {
    expect(isoTime(ms)).toBe(text);
  });
});
