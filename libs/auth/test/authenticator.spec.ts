import { readdirSync, readFileSync } from 'node:fs';
import { ClusterState, evolve } from '@levee/cluster';
import { silentLogger } from '@levee/kernel';
import { systemClock, systemTimers } from '@levee/log';
import { Authenticator } from '../src/authenticator';
import { hashPassword, newToken } from '../src/secrets';

const operatorToken = newToken('operator');

async function authenticator(): Promise<Authenticator> {
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
  evolve(state, { kind: 'user', entity: ann } as never);
  const operator = {
    ...ann,
    name: 'operator',
    number: 2,
    seq: 2,
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

test('on Linux passwords are hashed by a thread beneath the others', async () => {
  await hashPassword('right-secret-1');
  if (process.platform !== 'linux') return;
  const nices = readdirSync('/proc/self/task').map((thread) => {
    const fields = readFileSync(`/proc/self/task/${thread}/stat`, 'utf8').split(') ')[1]!.split(' ');
    return Number(fields[16]);
  });
  expect(Math.max(...nices)).toBeGreaterThanOrEqual(10);
});
