import { checkSessions } from './session-consistency';
import { transcript } from './transcript';

const cases: ReadonlyArray<readonly [string, string, number]> = [
  [
    'an old value may be read by a session that has seen nothing newer',
    `a | 0..1 | set 1
     a | 2..3 | set 2
     b | 4..5 | get 1
     b | 6..7 | get 2`,
    0,
  ],
  [
    'a session reads backwards',
    `a | 0..1 | set 1
     a | 2..3 | set 2
     b | 4..5 | get 2
     b | 6..7 | get 1`,
    1,
  ],
  [
    'a session misses its own write',
    `a | 0..1 | set 1
     a | 2..3 | set 2
     a | 4..5 | get 1`,
    1,
  ],
  [
    'a session misses its own pending write',
    `a | 0..1 | set 1
     a | 2..3 | set 2 pending
     a | 4..5 | get 1`,
    1,
  ],
  [
    'a write that failed definitely binds nobody',
    `a | 0..1 | set 1
     a | 2..3 | set 2 definite
     a | 4..5 | get 1`,
    0,
  ],
  [
    'a write of unknown outcome binds nobody',
    `a | 0..1 | set 1
     a | 2..? | set 2
     a | 4..5 | get 1`,
    0,
  ],
  [
    'a write of unknown outcome may land on top of a newer one',
    `a | 0..? | set 1
     a | 2..3 | set 2
     b | 4..5 | get 2
     b | 6..7 | get 1`,
    0,
  ],
  [
    'what was seen of an unknown outcome binds too',
    `a | 0..1 | set 1
     a | 2..? | set 2
     b | 4..5 | get 2
     b | 6..7 | get 1`,
    1,
  ],
  [
    'a value is followed by the nothing from before it',
    `a | 0..1 | set 1
     b | 2..3 | get 1
     b | 4..5 | get -`,
    1,
  ],
  [
    'a delete explains nothing',
    `a | 0..1 | set 1
     b | 2..3 | get 1
     a | 2..3 | del
     b | 4..5 | get -`,
    0,
  ],
  [
    'a session misses its own delete',
    `a | 0..1 | set 1
     a | 2..3 | del
     a | 4..5 | get 1`,
    1,
  ],
  [
    'reads at the same time do not bind each other',
    `a | 0..1 | set 1
     a | 2..3 | set 2
     b | 4..9 | get 2
     b | 5..8 | get 1`,
    0,
  ],
  ['a value from nowhere', 'b | 0..1 | get 7', 1],
  [
    'a value from the future',
    `b | 0..1 | get 1
     a | 2..3 | set 1`,
    1,
  ],
  [
    'a value whose write failed definitely',
    `a | 0..1 | set 1 definite
     b | 2..3 | get 1`,
    1,
  ],
];

describe('a session never reads backwards', () => {
  it.each(cases)('%s', (_name, text, violations) => {
    expect(checkSessions('k', transcript(text))).toHaveLength(violations);
  });

  it('a new connection of the same client is a new session', () => {
    const [one, two, first, second] = transcript(
      `a | 0..1 | set 1
       a | 2..3 | set 2
       b | 4..5 | get 2
       b | 6..7 | get 1`,
    ).map((o) => ({ ...o, session: `${o.client}#1` }));
    if (!one || !two || !first || !second) throw new Error('four operations');
    expect(checkSessions('k', [one, two, first, second])).toHaveLength(1);
    expect(checkSessions('k', [one, two, first, { ...second, session: 'b#2' }])).toEqual([]);
  });

  it('shows both operations', () => {
    const [violation] = checkSessions('k', transcript(cases[1]?.[1] ?? ''));
    expect(violation?.text.split('\n')).toEqual([
      'k: b read backwards: it had read a newer version before',
      '   0.000..1.000 ms            b: get -> "2"',
      '   2.000..3.000 ms            b: get -> "1"',
    ]);
  });

  it('refuses a value that was written twice', () => {
    expect(() => checkSessions('k', transcript('a | 0..1 | set 1\na | 2..3 | set 1'))).toThrow(/written twice/);
  });
});
