import { Attempts } from '../src/attempts';

/** Time that passes when it is told to. */
function world() {
  let nowMs = 0;
  const due: { atMs: number; run: () => void }[] = [];
  return {
    clock: { nowMs: () => nowMs, monotonicMs: () => nowMs },
    timers: {
      after(ms: number, run: () => void) {
        due.push({ atMs: nowMs + ms, run });
        return () => undefined;
      },
    },
    async pass(ms: number): Promise<void> {
      nowMs += ms;
      for (const each of due.splice(0)) {
        if (each.atMs <= nowMs) each.run();
        else due.push(each);
      }
      for (let i = 0; i < 10; i++) await Promise.resolve();
    },
    /** Of the one that waits longest. */
    waitsMs: () => Math.max(0, ...due.map(({ atMs }) => atMs - nowMs)),
  };
}

const settled = async (promise: Promise<unknown>): Promise<string> =>
  Promise.race([
    promise.then(
      () => 'done',
      (error: Error) => error.message,
    ),
    new Promise<string>((resolve) => setImmediate(() => resolve('waits'))),
  ]);

test('an address that fails waits twice as long each time, up to 5 s, and is forgiven after a minute of silence', async () => {
  const time = world();
  const attempts = new Attempts(time.clock, time.timers);
  const waits: number[] = [];
  for (let i = 0; i < 12; i++) {
    const admitted = attempts.admit('10.0.0.1');
    waits.push(time.waitsMs());
    await time.pass(time.waitsMs());
    await admitted;
    attempts.failed('10.0.0.1', 'ann');
  }
  expect(waits).toEqual([0, 0, 0, 0, 100, 200, 400, 800, 1_600, 3_200, 5_000, 5_000]);
  expect(await settled(attempts.admit('10.0.0.2'))).toBe('done');
  await time.pass(60_001);
  expect(await settled(attempts.admit('10.0.0.1'))).toBe('done');
  expect(attempts.counts).toEqual({ failed: 12, slowed: 8, refused: 0 });
});

test.each<readonly [what: string, failed: readonly (string | undefined)[], right: string, then: string]>([
  ['whoever mistyped his own password and then is right is not slowed any more', ['ann'], 'ann', 'done'],
  ['a right password of another user proves nothing', ['ann'], 'bob', 'waits'],
  ['where several failed, one of them proves nothing', ['ann', 'bob'], 'bob', 'waits'],
  ['nor where somebody failed who is not known', ['ann', undefined], 'ann', 'waits'],
  ['in whatever order', [undefined, 'ann'], 'ann', 'waits'],
])('%s', async (_what, failed, right, then) => {
  const time = world();
  const attempts = new Attempts(time.clock, time.timers);
  for (let i = 0; i < 8; i++) attempts.failed('a', failed[i % failed.length]);
  expect(await settled(attempts.admit('a'))).toBe('waits');
  attempts.succeeded('a', right);
  expect(await settled(attempts.admit('a'))).toBe(then);
});

test('an address that waits is not forgotten, neither by a right password nor for those that come later', async () => {
  const time = world();
  const attempts = new Attempts(time.clock, time.timers);
  for (let i = 0; i < 8; i++) attempts.failed('a', 'ann');
  const waiting = Array.from({ length: 4 }, () => settled(attempts.admit('a')));
  attempts.succeeded('a', 'ann');
  for (let i = 0; i < 8; i++) attempts.failed('a', 'ann');
  for (let i = 0; i < 10_001; i++) attempts.failed(`b${i}`, 'ann');
  expect(new Set(await Promise.all(waiting))).toEqual(new Set(['waits']));
  expect(await settled(attempts.admit('a'))).toBe('waits');
  expect(attempts.counts.refused).toBe(1);
});

/** Hashes that end when they are told to. */
function hashes(attempts: Attempts) {
  let [under, most] = [0, 0];
  const order: string[] = [];
  const ends: (() => void)[] = [];
  return {
    of: (address: string): Promise<void> =>
      attempts.hashed(address, async () => {
        most = Math.max(most, ++under);
        order.push(address);
        await new Promise<void>((resolve) => ends.push(resolve));
        under--;
      }),
    async endAll(): Promise<void> {
      for (let next = ends.shift(); next !== undefined; next = ends.shift()) {
        next();
        await new Promise((resolve) => setImmediate(resolve));
      }
    },
    order,
    most: () => most,
  };
}

test('one password is hashed at a time, and more than a few of one address, or of all, are refused', async () => {
  const time = world();
  const attempts = new Attempts(time.clock, time.timers);
  const hash = hashes(attempts);
  const same = Array.from({ length: 7 }, () => hash.of('a'));
  const others = Array.from({ length: 70 }, (_, i) => hash.of(`b${i}`));
  const all = [...same, ...others];
  for (const each of all) each.catch(() => undefined);
  // Those that are refused wait as well, so that nobody gains anything by asking again at once.
  expect(new Set(await Promise.all(all.map(settled)))).toEqual(new Set(['waits']));
  await time.pass(1_000);
  const texts = await Promise.all(all.map(settled));
  const refused = (of: readonly string[]): number => of.filter((each) => /too many attempts/.test(each)).length;
  expect([refused(texts.slice(0, 7)), refused(texts.slice(7))]).toEqual([2, 10]);
  expect(attempts.counts.refused).toBe(12);
  await hash.endAll();
  expect([hash.order.length, hash.most()]).toEqual([65, 1]);
  expect(await settled(hash.of('c'))).toBe('waits');
});

test('an address that has not failed goes before those that have, and they take no room from it', async () => {
  const time = world();
  const attempts = new Attempts(time.clock, time.timers);
  const hash = hashes(attempts);
  const guessers = Array.from({ length: 100 }, (_, i) => `g${i}`);
  for (const guesser of guessers) attempts.failed(guesser, 'ann');
  for (const guesser of guessers) hash.of(guesser).catch(() => undefined);
  const right = hash.of('right');
  await time.pass(1_000);
  expect(await settled(right)).toBe('waits');
  await hash.endAll();
  expect(hash.order.slice(0, 2)).toEqual(['g0', 'right']);
  expect(hash.order).toHaveLength(1 + 64 + 1);
});

test('guesses that are put back because others of theirs were wrong wait in no longer line than who comes so', async () => {
  const time = world();
  const attempts = new Attempts(time.clock, time.timers);
  let [asked, wrong, refused] = [0, 0, 0];
  let end = (): void => undefined;
  const guess = (address: string): void => {
    asked++;
    const hash = (): Promise<void> =>
      new Promise((done) => (end = () => (attempts.failed(address, undefined), done())));
    attempts.hashed(address, hash).then(
      () => wrong++,
      () => refused++,
    );
  };
  // Ever new addresses, of each four at once, of which the first is known to be wrong before the others have their turn.
  for (let i = 0; i < 250; i++) {
    for (let j = 0; j < 4; j++) guess(`10.0.0.${i}`);
    end();
    await new Promise((resolve) => setImmediate(resolve));
    await time.pass(1_000);
    // One line of those that have not failed, one of those that have, and the one that is hashed.
    expect(asked - wrong - refused).toBeLessThanOrEqual(64 + 64 + 1);
  }
  expect(wrong).toBe(250);
});

describe('a stranger who has many networks', () => {
  const sixtyFour = (i: number, of = '2001:db8:66'): string => `${of}:${i.toString(16)}::1`;
  const fortyEight = (i: number): string => sixtyFour(0, `2001:db8:${i.toString(16)}`);

  test.each<[what: string, stranger: (i: number) => string, right: string]>([
    ['/64 of one /48', sixtyFour, '2001:db8:1:1::1'],
    ['/64 of one /48, and the right one is beside it', sixtyFour, '2001:db8:67:1::1'],
    ['/48 of one /32', fortyEight, '2a02:8071::1'],
  ])('%s: who guesses from all of them does not keep others from a log-in', async (_what, stranger, right) => {
    const time = world();
    const attempts = new Attempts(time.clock, time.timers);
    const hash = hashes(attempts);
    // He has failed from some, and comes from ever new ones, each of which never failed.
    for (let i = 0; i < 10; i++) attempts.failed(stranger(i), undefined);
    const guesses = Array.from({ length: 2_000 }, (_, i) => hash.of(stranger(100 + i)));
    for (const guess of guesses) guess.catch(() => undefined);
    const login = hash.of(right);
    await time.pass(1_000);
    expect(await settled(login)).toBe('waits');
    await hash.endAll();
    // Right after the one that was being hashed.
    expect(hash.order.indexOf(right)).toBe(1);
    expect(await settled(login)).toBe('done');
  });

  test('is slowed like one who has a single network', async () => {
    const time = world();
    const attempts = new Attempts(time.clock, time.timers);
    for (let i = 0; i < 40; i++) attempts.failed(sixtyFour(i), 'ann');
    expect(await settled(attempts.admit(sixtyFour(999)))).toBe('waits');
    expect(await settled(attempts.admit('2001:db8:67:1::1'))).toBe('done');
    for (let i = 0; i < 400; i++) attempts.failed(fortyEight(i), 'ann');
    expect(await settled(attempts.admit(fortyEight(9_999)))).toBe('waits');
    expect(await settled(attempts.admit('2a02:8071::1'))).toBe('done');
    await time.pass(60_001);
    expect(await settled(attempts.admit(sixtyFour(999)))).toBe('done');
  });

  test('is not forgotten for having many of them', async () => {
    const time = world();
    const attempts = new Attempts(time.clock, time.timers);
    for (let i = 0; i < 20_000; i++) attempts.failed(sixtyFour(i), 'ann');
    expect(await settled(attempts.admit(sixtyFour(65_535)))).toBe('waits');
  });
});

test.each([
  ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::9', true],
  ['2001:db8:1:2::1', '2001:db8:1:3::1', false],
  ['::1', '::2', true],
  ['fe80::1', 'fe80:0:0:0:9::', true],
  ['::ffff:10.0.0.1', '::ffff:10.0.0.2', false],
  ['10.0.0.1', '10.0.0.2', false],
])('%s and %s: of one network %p', async (one, other, isSame) => {
  const time = world();
  const attempts = new Attempts(time.clock, time.timers);
  for (let i = 0; i < 5; i++) attempts.failed(one, 'ann');
  expect(await settled(attempts.admit(other))).toBe(isSame ? 'waits' : 'done');
});
