import { readdirSync, readFileSync } from 'node:fs';
import { ClusterState, evolve } from '@levee/cluster';
import { silentLogger } from '@levee/kernel';
import { systemClock, systemTimers } from '@levee/log';
import { eventually } from '../../../test/support/deadline';
import { Authenticator } from '../src/authenticator';
import { hashPassword, newToken } from '../src/secrets';

const operatorToken = newToken('operator');

async function authenticator(names = ['ann']): Promise<Authenticator> {
  const state = new ClusterState();
  const ann = {
    name: 'ann',
    number: 1,
    state: 'active',
    passwordHash: await hashPassword('right-secret-1'),
    tokens: [],
    grants: [],
    defaultNamespace: null,
    createdAtMs: 1,
    seq: 1,
  };
  for (const [i, name] of names.entries())
    evolve(state, { kind: 'user', entity: { ...ann, name, number: i + 1, seq: i + 1 } } as never);
  const operator = {
    ...ann,
    name: 'operator',
    number: 9,
    seq: 9,
    tokens: [{ ...operatorToken.kept, expiresAtMs: null }],
  };
  evolve(state, { kind: 'user', entity: operator } as never);
  return new Authenticator({ state: () => state, clock: systemClock, timers: systemTimers, logger: silentLogger });
}

test('a pool that authenticates at once costs one hash, and none of its connections is refused', async () => {
  const asked = await authenticator();
  const pool = Array.from({ length: 200 }, () => asked.byPassword('ann', 'right-secret-1', '10.0.0.1'));
  const names = new Set((await Promise.all(pool)).map((each) => each?.name));
  expect(names).toEqual(new Set(['user ann']));
  expect(asked.stats()).toMatchObject({ succeeded: 200, failed: 0, refused: 0, slowed: 0 });
});

test.each([
  ['a wrong password', 'ann', 'wrong-secret-1'],
  ['a user that is not there', 'bob', 'right-secret-1'],
  ['what is too long to be a password', 'ann', 'x'.repeat(1_000_000)],
  ['a name that is too long', 'x'.repeat(1_000_000), 'right-secret-1'],
  ['a token of somebody else', 'ann', `lvt1.bob.AAAAAAAA.${'A'.repeat(43)}`],
])('%s is refused, and slowed down from the fourth time on', async (_what, user, secret) => {
  const asked = await authenticator();
  for (let i = 0; i < 5; i++) expect(await asked.byPassword(user, secret, '10.0.0.1')).toBeUndefined();
  expect(asked.stats()).toMatchObject({ failed: 5, slowed: 1, refused: 0 });
});

test('a right token, or a password of somebody else, takes back nothing of what was guessed', async () => {
  const asked = await authenticator();
  const guess = (i: number) => asked.byPassword('operator', `wrong-${i}`, '10.0.0.1');
  for (let i = 0; i < 4; i++) expect(await guess(i)).toBeUndefined();
  expect((await asked.byToken(operatorToken.token, '10.0.0.1'))?.name).toBe('user operator');
  expect((await asked.byPassword('operator', operatorToken.token, '10.0.0.1'))?.name).toBe('user operator');
  expect((await asked.byPassword('ann', 'right-secret-1', '10.0.0.1'))?.name).toBe('user ann');
  const { slowed } = asked.stats();
  await guess(4);
  expect(asked.stats()).toMatchObject({ failed: 5, slowed: (slowed ?? 0) + 1 });
});

test('whoever mistypes and then is right is fast again', async () => {
  const asked = await authenticator();
  for (let round = 0; round < 3; round++) {
    for (let i = 0; i < 3; i++) await asked.byPassword('ann', `wrong-${i}`, '10.0.0.1');
    expect((await asked.byPassword('ann', 'right-secret-1', '10.0.0.1'))?.name).toBe('user ann');
  }
  expect(asked.stats()).toMatchObject({ failed: 9, slowed: 0 });
});

test('a log-in beside somebody who guesses from ever new networks of IPv6 waits for one of his hashes', async () => {
  const names = ['ann', 'bob', 'cem', 'dan'];
  const asked = await authenticator(names);
  let over = false;
  let from = 0;
  // 100 at a time, each from a /64 of one /48 that was never heard of.
  const guessing = Array.from({ length: 100 }, async (_, i) => {
    while (!over) {
      const address = `2001:db8:66:${(from++ % 65_536).toString(16)}::1`;
      await asked.byPassword('operator', `wrong-${i}-${from}`, address).catch(() => undefined);
    }
  });
  const failed = (): number => asked.stats()['failed'] ?? 0;
  try {
    for (const [i, name] of names.entries()) {
      const before = failed();
      await eventually('guesses are hashed', () => failed() > before, 60_000);
      const beganAt = failed();
      const user = await asked.byPassword(name, 'right-secret-1', `2001:db8:${i}:1::1`);
      // His line would be 64 long if each of his networks were somebody.
      expect([user?.name, Math.max(2, failed() - beganAt)]).toEqual([`user ${name}`, 2]);
    }
    expect(asked.stats()['refused']).toBeGreaterThan(0);
  } finally {
    over = true;
    await Promise.all(guessing);
  }
}, 180_000);

test('on Linux passwords are hashed by a thread beneath the others', async () => {
  await hashPassword('right-secret-1');
  if (process.platform !== 'linux') return;
  const nices = readdirSync('/proc/self/task').map((thread) => {
    const fields = readFileSync(`/proc/self/task/${thread}/stat`, 'utf8').split(') ')[1]!.split(' ');
    return Number(fields[16]);
  });
  expect(Math.max(...nices)).toBeGreaterThanOrEqual(10);
});
