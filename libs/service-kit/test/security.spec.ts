import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { newToken } from '@levee/auth';
import type { CommandOutcome } from '@levee/events';
import { Failure, silentLogger } from '@levee/kernel';
import { loadSecurity, insistOnFirstOperator, makeFirstOperator, securitySettingNames } from '../src';
import { loadSettings } from '@levee/settings';

const folder = mkdtempSync(join(tmpdir(), 'levee-security-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const keyFile = join(folder, 'cluster.key');
writeFileSync(keyFile, `${'ab'.repeat(32)}\n`);
const shortFile = join(folder, 'short.key');
writeFileSync(shortFile, 'secret\n');

const load = (env: Record<string, string>, isAlone = false) =>
  loadSecurity(loadSettings(env, securitySettingNames), { isAlone });

test.each<readonly [env: Record<string, string>, isAlone: boolean, authenticates: boolean, hasKey: boolean]>([
  [{}, false, false, false],
  [{ LEVEE_HOST: 'localhost' }, false, false, false],
  [{ LEVEE_HOST: '::1' }, false, false, false],
  [{ LEVEE_HOST: '127.1.2.3' }, true, false, false],
  [{ LEVEE_HOST: '0.0.0.0', LEVEE_AUTH: 'off' }, false, false, false],
  [{ LEVEE_AUTH: 'on' }, true, true, true],
  [{ LEVEE_AUTH: 'on', LEVEE_HOST: '0.0.0.0' }, true, true, true],
  [{ LEVEE_AUTH: 'on', LEVEE_CLUSTER_KEY_FILE: keyFile }, false, true, true],
  [{ LEVEE_CLUSTER_KEY_FILE: keyFile }, false, false, true],
])('%j, alone: %s', (env, isAlone, authenticates, hasKey) => {
  const security = load(env, isAlone);
  expect([security.authenticates, security.clusterKey !== undefined]).toEqual([authenticates, hasKey]);
});

test.each<readonly [env: Record<string, string>, refusal: RegExp]>([
  [{ LEVEE_HOST: '0.0.0.0' }, /LEVEE_AUTH=on, or LEVEE_AUTH=off/],
  [{ LEVEE_HOST: '::' }, /LEVEE_AUTH=on, or LEVEE_AUTH=off/],
  [{ LEVEE_HOST: '10.0.0.1' }, /LEVEE_AUTH=on, or LEVEE_AUTH=off/],
  [{ LEVEE_HOST: '127.0.0.1.example.org' }, /LEVEE_AUTH=on, or LEVEE_AUTH=off/],
  [{ LEVEE_AUTH: 'on' }, /neither LEVEE_CLUSTER_KEY_FILE nor LEVEE_TLS_CLUSTER_NAME is set/],
  [{ LEVEE_AUTH: 'yes' }, /LEVEE_AUTH is 'yes', but must be one of on, off/],
  [{ LEVEE_CLUSTER_KEY_FILE: join(folder, 'none') }, /LEVEE_CLUSTER_KEY_FILE cannot be read/],
  [{ LEVEE_CLUSTER_KEY_FILE: shortFile }, /has 6 characters, the least is 32/],
])('%j is refused, and no secret is repeated', (env, refusal) => {
  expect(() => load(env)).toThrow(refusal);
  expect(() => load(env)).not.toThrow(/secret\n|'secret'/);
});

test('processes with the same key prove it to each other, for one door each', () => {
  const one = load({ LEVEE_CLUSTER_KEY_FILE: keyFile }).clusterKey!;
  const other = load({ LEVEE_CLUSTER_KEY_FILE: keyFile }).clusterKey!;
  expect(one.proves('node n1 s1', other.proofFor('node n1 s1'))).toBe(true);
  expect(one.proves('node n1 s2', other.proofFor('node n1 s1'))).toBe(false);
  expect(one.proves('http', '')).toBe(false);
  expect(other.proofFor('http')).not.toContain('ab'.repeat(8));
});

describe('the first user', () => {
  const timers = { after: (_ms: number, run: () => void) => (setImmediate(run), () => undefined) };
  interface Given {
    readonly kind: string;
    readonly payload: { readonly tokens: readonly { readonly sha256: string }[] };
    readonly principal: string;
  }
  const world = (users: number, fails?: string) => {
    const given: Given[] = [];
    const run = (command: unknown): Promise<CommandOutcome> => {
      given.push(command as Given);
      return fails === undefined ? Promise.resolve({} as CommandOutcome) : Promise.reject(new Failure(fails, 'no'));
    };
    return { given, of: { users: () => users, commands: { run }, logger: silentLogger, timers } };
  };

  test('gets a token in a file of mode 0600, and the same one again until there are users', async () => {
    const file = join(folder, 'new', 'operator.token');
    const { given, of } = world(0);
    await makeFirstOperator(file, of);
    const token = readFileSync(file, 'utf8').trim();
    expect(statSync(file).mode & 0o777).toBe(0o600);
    await makeFirstOperator(file, of);
    expect(readFileSync(file, 'utf8').trim()).toBe(token);
    expect(given.map(({ kind, principal }) => [kind, principal])).toEqual(Array(2).fill(['CreateUser', 'first start']));
    expect(new Set(given.map(({ payload }) => payload.tokens[0]?.sha256)).size).toBe(1);
    expect(JSON.stringify(given)).not.toContain(token);
  });

  test('is made with the token that somebody put there', async () => {
    const file = join(folder, 'given.token');
    const { token, kept } = newToken('operator');
    writeFileSync(file, `${token}\n`, { mode: 0o644 });
    const { given, of } = world(0);
    await makeFirstOperator(file, of);
    expect(given[0]?.payload.tokens).toEqual([kept]);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    writeFileSync(file, newToken('ann').token);
    await expect(makeFirstOperator(file, of)).rejects.toThrow(/holds no token of operator/);
  });

  test('is made as soon as a master decides', async () => {
    const { of } = world(0);
    let left = 3;
    const late = () =>
      --left > 0 ? Promise.reject(new Failure('NOT_INITIALISED', 'no')) : Promise.resolve({} as CommandOutcome);
    await insistOnFirstOperator(join(folder, 'soon.token'), { ...of, commands: { run: late } });
    expect(left).toBe(0);
  });

  test('is not made where there are users, and a token that another portal was before is not left', async () => {
    const file = join(folder, 'late.token');
    const some = world(1);
    await makeFirstOperator(file, some.of);
    expect(some.given).toEqual([]);
    await makeFirstOperator(file, world(0, 'USER_EXISTS').of);
    expect(() => statSync(file)).toThrow(/ENOENT/);
    await expect(makeFirstOperator(file, world(0, 'DEADLINE').of)).rejects.toThrow('no');
    expect(statSync(file).isFile()).toBe(true);
  });
});
