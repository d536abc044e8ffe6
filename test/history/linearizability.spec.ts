import fc from 'fast-check';
import { bound, full } from '../support/seed';
import { bruteForceLinearizable } from './brute-force';
import { explain } from './explanation';
import { checkKey } from './linearizability';
import { historyLimits, type Operation, type Outcome } from './operation';
import { transcript } from './transcript';

const tinyHistories = full ? 20_000 : 5_000;
const keys = full ? 10_000 : 1_500;

const legal: ReadonlyArray<readonly [string, string]> = [
  ['nothing was ever written', 'a | 0..1 | get -'],
  [
    'one after the other',
    `a | 0..1 | set 1
     b | 2..3 | get 1
     a | 4..5 | del
     b | 6..7 | get -`,
  ],
  [
    'a read beside a write finds either',
    `a | 0..1 | set 1
     a | 2..9 | set 2
     b | 3..4 | get 1
     c | 5..6 | get 2
     b | 7..8 | get 2`,
  ],
  [
    'two writes at once, two readers in one order',
    `a | 0..9 | set 1
     b | 0..9 | set 2
     c | 1..2 | get 2
     d | 3..4 | get 1
     c | 5..6 | get 1`,
  ],
  [
    'touching intervals overlap',
    `a | 0..1 | set 1
     b | 1..2 | get -
     c | 1..1 | get 1`,
  ],
  [
    'a write of unknown outcome is seen much later',
    `a | 0..? | set 1
     b | 1..2 | get -
     c | 3..4 | get 1
     b | 5..6 | get 1`,
  ],
  [
    'a write of unknown outcome never happens',
    `a | 0..? | set 1
     b | 1..2 | get -
     c | 3..4 | get -`,
  ],
  [
    'a write of unknown outcome lands after a later acknowledged one',
    `a | 0..? | set 1
     b | 1..2 | set 2
     c | 3..4 | get 2
     c | 5..6 | get 1
     b | 7..8 | get 1`,
  ],
  [
    'a write of unknown outcome is seen, then overwritten for good',
    `a | 0..? | set 1
     c | 1..2 | get 1
     b | 3..4 | set 2
     c | 5..6 | get 2`,
  ],
  [
    'a delete of unknown outcome happens late',
    `a | 0..1 | set 1
     b | 2..? | del
     c | 3..4 | get 1
     c | 5..6 | get -`,
  ],
  [
    'a read that timed out promises nothing',
    `a | 0..1 | set 1
     b | 2..? | get 7`,
  ],
  [
    'a pending write counts as applied',
    `a | 0..1 | set 1
     a | 2..3 | set 2 pending
     b | 4..5 | get 2`,
  ],
  [
    'a definite failure is as if it had never been',
    `a | 0..1 | set 1
     a | 2..3 | set 2 definite
     b | 4..5 | get 1`,
  ],
];

const illegal: ReadonlyArray<readonly [string, string]> = [
  [
    'a stale read',
    `a | 0..1 | set 1
     a | 2..3 | set 2
     b | 4..5 | get 1`,
  ],
  [
    'a lost write',
    `a | 0..1 | set 1
     b | 2..3 | get -`,
  ],
  [
    'a lost pending write',
    `a | 0..1 | set 1 pending
     b | 2..3 | get -`,
  ],
  [
    'a deleted key comes back',
    `a | 0..1 | set 1
     a | 2..3 | del
     b | 4..5 | get -
     b | 6..7 | get 1`,
  ],
  [
    'two readers see two writes in opposite orders',
    `a | 0..9 | set 1
     b | 0..9 | set 2
     c | 1..2 | get 1
     c | 3..4 | get 2
     d | 1..2 | get 2
     d | 3..4 | get 1`,
  ],
  ['a value that nobody wrote', 'b | 0..1 | get 7'],
  [
    'a definite failure is seen',
    `a | 0..1 | set 1 definite
     b | 2..3 | get 1`,
  ],
  [
    'a write of unknown outcome is seen, and then it is not',
    `a | 0..1 | set 1
     a | 2..? | set 2
     b | 3..4 | get 2
     b | 5..6 | get 1`,
  ],
  [
    'a write of unknown outcome is seen before it was asked for',
    `b | 0..1 | get 1
     a | 2..? | set 1`,
  ],
  [
    'a write of unknown outcome happens twice',
    `a | 0..? | set 1
     b | 1..2 | get 1
     b | 3..4 | set 2
     c | 5..6 | get 1`,
  ],
  [
    'a read beside a write goes back',
    `a | 0..1 | set 1
     a | 2..9 | set 2
     b | 3..4 | get 2
     c | 5..6 | get 1`,
  ],
];

describe('linearizability of one register', () => {
  it.each(legal)('legal: %s', (_name, text) => {
    expect(checkKey('k', transcript(text))).toEqual({ kind: 'linearizable' });
    expect(bruteForceLinearizable(transcript(text))).toBe(true);
  });

  it.each(illegal)('illegal: %s', (_name, text) => {
    expect(checkKey('k', transcript(text)).kind).toBe('violation');
    expect(bruteForceLinearizable(transcript(text))).toBe(false);
  });

  it('agrees with trying every order, on tiny histories of every kind', () => {
    const operation = fc.record({
      client: fc.constantFrom('a', 'b', 'c'),
      op: fc.constantFrom('set', 'set', 'del', 'get', 'get', 'get'),
      value: fc.constantFrom('1', '2', '3', null),
      from: fc.integer({ min: 0, max: 8 }),
      lasts: fc.integer({ min: 0, max: 4 }),
      outcome: fc.constantFrom<Outcome>('ok', 'ok', 'ok', 'pending', 'definite', 'indefinite'),
    });
    const seen = { legal: 0, illegal: 0 };
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 7 }), (drawn) => {
        const operations = drawn.map(({ client, op, value, from, lasts, outcome }): Operation => {
          const kind = op as Operation['op'];
          const ended = kind === 'get' && outcome === 'pending' ? 'ok' : outcome;
          return {
            client,
            key: 'k',
            op: kind,
            ...(kind === 'del' ? {} : { value: kind === 'set' ? (value ?? '4') : value }),
            invokedAtNs: from,
            completedAtNs: ended === 'indefinite' ? undefined : from + lasts,
            outcome: ended,
          };
        });
        const expected = bruteForceLinearizable(operations);
        seen[expected ? 'legal' : 'illegal'] += 1;
        expect(checkKey('k', operations).kind).toBe(expected ? 'linearizable' : 'violation');
      }),
      { numRuns: tinyHistories },
    );
    expect(Math.min(seen.legal, seen.illegal)).toBeGreaterThan(tinyHistories / 20);
  }, 60_000);

  it(`judges ${keys} keys of 100 operations, with concurrency and unknown outcomes, in 2 ms each`, () => {
    const random = pseudoRandom(7);
    const histories = Array.from({ length: keys }, () => simulated(100, 8, random));
    const started = process.cpuUsage();
    for (const history of histories) expect(checkKey('k', history).kind).toBe('linearizable');
    expect(process.cpuUsage(started).user / 1_000).toBeLessThan(bound(2 * keys));
  }, 120_000);

  it('judges the largest allowed history: 300 operations of 22 clients, 8 writes of unknown outcome, all read', () => {
    const random = pseudoRandom(11);
    for (let round = 0; round < 20; round++)
      expect(checkKey('k', simulated(historyLimits.operationsPerKeyMax, 22, random)).kind).toBe('linearizable');
  });

  it('finds one wrong read in a large history', () => {
    const random = pseudoRandom(13);
    let found = 0;
    for (let round = 0; round < 50; round++) {
      const history = simulated(200, 8, random);
      const wrong = history.findLastIndex((o) => o.op === 'get' && o.outcome === 'ok' && o.value !== null);
      const spoiled = history.with(wrong, { ...(history[wrong] as Operation), value: '0' });
      if (checkKey('k', spoiled).kind === 'violation') found += 1;
    }
    expect(found).toBe(50);
  });

  it('a check that runs into its deadline is no pass', () => {
    let now = 0;
    const history = simulated(300, 22, pseudoRandom(5));
    expect(checkKey('k', history, { deadlineMs: 5, nowMs: () => (now += 4) })).toEqual({ kind: 'timeout', afterMs: 8 });
  });

  it.each([
    ['more than 300 operations', () => simulated(301, 4, pseudoRandom(1)), /301 operations, at most 300/],
    [
      'more than 8 unresolved writes',
      () => transcript(Array.from({ length: 9 }, (_, i) => `a | 0..? | set ${i}`).join('\n')),
      /9 unresolved writes, at most 8/,
    ],
    [
      'more than 30 operations open at once',
      () => transcript(Array.from({ length: 31 }, (_, i) => `a | 0..1 | set ${i}`).join('\n')),
      /more than 30 operations open at once/,
    ],
    ['an answer before its question', () => transcript('a | 5..4 | set 1'), /answered before it was asked/],
    ['a read without what it found', () => transcript('a | 0..1 | get 1').map(withoutValue), /without what it read/],
  ])('refuses %s', (_name, history, message) => {
    expect(() => checkKey('k', history())).toThrow(message);
  });
});

describe('the explanation of a violation', () => {
  it('keeps only the operations that contradict each other', () => {
    const noise = Array.from({ length: 40 }, (_, i) => `n | ${i * 10}..${i * 10 + 5} | set n${i}`);
    const operations = transcript(
      [
        ...noise,
        'a | 500..501 | set old',
        'a | 510..511 | set new',
        'c | 512..513 | get new',
        'b | 520..522 | get old',
        'c | 530..531 | get new',
      ].join('\n'),
    );
    const verdict = checkKey('k', operations);
    if (verdict.kind !== 'violation') throw new Error(verdict.kind);
    expect(explain('k', operations, verdict).split('\n')).toEqual([
      'k: not linearizable; 3 of its 45 operations contradict each other',
      '   0.000..1.000 ms            a: set "old"',
      '   10.000..11.000 ms          a: set "new"',
      '-> 20.000..22.000 ms          b: get -> "old"',
      '   before the answer marked -> it could hold "new"',
    ]);
  });

  it.each([
    ['nobody wrote it', 'b | 0..1 | get 7', /nobody wrote "7"/],
    ['its write failed definitely', 'a | 0..1 | set 7 definite\nb | 2..3 | get 7', /"7" failed definitely/],
  ])('says of a read that %s', (_name, text, message) => {
    const operations = transcript(text);
    const verdict = checkKey('k', operations);
    if (verdict.kind !== 'violation') throw new Error(verdict.kind);
    expect(explain('k', operations, verdict)).toMatch(message);
  });
});

function withoutValue({ value: _value, ...rest }: Operation): Operation {
  return rest;
}

function pseudoRandom(seed: number): () => number {
  let state = seed;
  return () => (state = (state * 48_271) % 2_147_483_647) / 2_147_483_647;
}

/**
 * A register that really is one, used by concurrent clients: each operation takes effect at some moment inside its
 * interval. A twelfth of the writes, at most eight, never answer; half of those happen, some of them late.
 */
function simulated(count: number, clients: number, random: () => number): Operation[] {
  interface Step {
    readonly atNs: number;
    readonly run: () => void;
  }
  const steps: Step[] = [];
  const operations: Operation[] = [];
  const freeAt = new Array<number>(clients).fill(0);
  let content: string | null = null;
  let unresolved = 0;
  for (let i = 0; i < count; i++) {
    const client = i % clients;
    const invokedAtNs = (freeAt[client] as number) + 1 + Math.floor(random() * 50);
    const completedAtNs = invokedAtNs + 1 + Math.floor(random() * 200);
    const effectAtNs = invokedAtNs + random() * (completedAtNs - invokedAtNs);
    freeAt[client] = completedAtNs;
    const base = { client: `c${client}`, key: 'k', invokedAtNs };
    const dice = random();
    if (dice < 0.5) {
      steps.push({
        atNs: effectAtNs,
        run: () => operations.push({ ...base, op: 'get', value: content, completedAtNs, outcome: 'ok' }),
      });
      continue;
    }
    const written = dice < 0.6 ? null : `v${i}`;
    const set =
      written === null ? ({ ...base, op: 'del' } as const) : ({ ...base, op: 'set', value: written } as const);
    const unknown = unresolved < historyLimits.unresolvedWritesPerKeyMax && random() < 1 / 12;
    if (unknown) unresolved += 1;
    operations.push({
      ...set,
      completedAtNs: unknown ? undefined : completedAtNs,
      outcome: unknown ? 'indefinite' : 'ok',
    });
    if (!unknown || random() < 0.5)
      steps.push({ atNs: unknown ? effectAtNs + random() * 2_000 : effectAtNs, run: () => (content = written) });
  }
  for (const step of steps.sort((a, b) => a.atNs - b.atNs)) step.run();
  return operations;
}
