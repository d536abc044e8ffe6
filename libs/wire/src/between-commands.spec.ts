import { isBetweenCommands } from './between-commands';

const client = { outstanding: 0, holdBytes: 0, lastActiveMs: 0 };

it.each([
  ['rests for 2 s, and begins to', 2_000, 100, false],
  ['rests for 2 s, and is early in it', 2_000, 300, true],
  ['rests for 2 s, and is about to ask', 2_000, 1_900, false],
  ['rests for 2 s, and has rested for far longer', 2_000, 3_100, true],
  ['hardly rests', 15, 15, false],
  ['hardly rests, and does now', 15, 25, true],
  ['never rests', 0, 5, false],
])('a client that %s', (_what, longestRestMs, nowMs, isOne) => {
  expect(isBetweenCommands({ ...client, longestRestMs }, nowMs)).toBe(isOne);
  expect(isBetweenCommands({ ...client, longestRestMs, outstanding: 1 }, nowMs)).toBe(false);
  expect(isBetweenCommands({ ...client, longestRestMs, holdBytes: 1 }, nowMs)).toBe(false);
});
