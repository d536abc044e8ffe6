import { spawn } from 'node:child_process';
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import Redis from 'ioredis';
import { builtApp } from '../support/built-app';
import { eventually } from '../support/deadline';
import { bytesOf, filesBelow } from '../support/files-below';
import { leveeWith, type CommandResult } from '../support/levee-command';
import { PasswordFlood } from '../support/password-flood';
import { scratchFolder, StandaloneProcess } from '../support/standalone-process';

const root = join(__dirname, '..', '..');
const password = 'planted-password-of-ann';

/** Each command is a process. */
jest.setTimeout(120_000);

/** `npm start` with LEVEE_AUTH=on: the first user, what it gives to others, what is taken away, and that nothing leaks. */
describe('npm start with authentication on', () => {
  const dataDir = scratchFolder('locked');
  const env = { LEVEE_AUTH: 'on', LEVEE_LOG_LEVEL: 'debug' };
  let store: StandaloneProcess;
  let operator: string;
  const secrets: string[] = [password];
  const clients: Redis[] = [];

  const levee = (token: string, ...args: string[]): Promise<CommandResult> =>
    leveeWith({ LEVEE_URL: store.url, LEVEE_TOKEN: token, XDG_CONFIG_HOME: dataDir }, args);
  const accepted = async (token: string, ...args: string[]): Promise<string> => {
    const { code, stdout, stderr } = await levee(token, ...args);
    expect([args, code, stderr]).toEqual([args, 0, '']);
    return stdout;
  };
  const connect = (username?: string, secret?: string): Redis => {
    const as = username === undefined ? {} : { username, password: secret ?? '' };
    const client = new Redis(store.respPort, '127.0.0.1', {
      ...as,
      maxRetriesPerRequest: 0,
      retryStrategy: () => null,
    });
    client.on('error', () => undefined);
    clients.push(client);
    return client;
  };

  beforeAll(async () => {
    store = await StandaloneProcess.start(dataDir, env);
    operator = readFileSync(join(dataDir, 'operator.token'), 'utf8').trim();
    secrets.push(operator);
  }, 90_000);
  afterAll(async () => {
    for (const client of clients) client.disconnect();
    expect(await store.end('SIGTERM')).toBe(0);
    store.remove();
  }, 60_000);

  it('puts the token of the first user into a file that only its owner reads, and shows where', async () => {
    expect(statSync(join(dataDir, 'operator.token')).mode & 0o777).toBe(0o600);
    await eventually('it greets', () => store.printed().includes(join(dataDir, 'operator.token')));
    expect(store.printed()).not.toContain(operator);
  });

  it('answers nobody who does not say who he is, at no door', async () => {
    const stranger = connect();
    await expect(stranger.set('k', 'v')).rejects.toThrow(/NOAUTH|closed/);
    const urls = [store.url, store.doors.master, ...store.doors.nodes.map(({ http }) => http)];
    for (const url of urls) {
      const paths = ['/v1/status', '/v1/node', '/metrics', '/docs', '/v1/namespaces', '/v1/kv/default/k', '/nowhere'];
      for (const path of paths) expect([url, path, (await fetch(`${url}${path}`)).status]).toEqual([url, path, 401]);
      expect((await fetch(`${url}/health/ready`)).status).toBe(200);
    }
    for (const { resp } of store.doors.nodes) {
      const node = new Redis(Number(resp.split(':').pop()), '127.0.0.1', {
        enableReadyCheck: false,
        retryStrategy: () => null,
      });
      node.on('error', () => undefined);
      clients.push(node);
      await expect(node.call('LV.GET', 'default', 'k')).rejects.toThrow(/NOAUTH this node serves processes/);
    }
    const { code, stderr } = await levee('', 'namespace', 'list');
    expect(code).not.toBe(0);
    expect(stderr).toMatch(/asks who you are.*UNAUTHORIZED/);
  });

  it('lets the first user make others, who may do what they were given', async () => {
    expect(await accepted(operator, 'whoami')).toBe('user operator\n');
    await accepted(operator, 'user', 'create', 'ann', '--read', 'default', '--write', 'default');
    const settings = { LEVEE_URL: store.url, LEVEE_TOKEN: operator };
    const set = await leveeWith(settings, ['user', 'passwd', 'ann'], 60_000, `${password}\n`);
    expect([set.code, set.stderr]).toEqual([0, '']);
    const ann = connect('ann', password);
    expect([await ann.set('k', 'v'), await ann.get('k'), await ann.call('ACL', 'WHOAMI')]).toEqual(['OK', 'v', 'ann']);
    await expect(ann.flushdb()).rejects.toThrow(/NOPERM user ann has not the right admin/);
    const token = (await accepted(operator, 'token', 'create', 'ann', '--expires', '1h')).trim();
    secrets.push(token);
    expect(await accepted(token, 'get', 'k')).toMatch(/^v\n?$/);
    const { code, stderr } = await levee(token, 'node', 'list');
    expect([code, stderr]).toEqual([expect.any(Number), expect.stringMatching(/user ann has not the right operate/)]);
    expect(await accepted(operator, 'user', 'list')).toMatch(/ann +active +read:default write:default +yes +1/);
  }, 90_000);

  it('keeps a token for who logs in, until he logs out, and makes a token worth nothing', async () => {
    await accepted(operator, 'user', 'create', 'bob', '--read', 'default');
    await accepted(operator, 'user', 'grant', 'bob', '--admin', 'bob.*');
    expect(await accepted(operator, 'user', 'show', 'bob')).toMatch(/admin:bob\.\*/);
    const token = (await accepted(operator, 'token', 'create', 'bob')).trim();
    secrets.push(token);
    const here = { LEVEE_URL: store.url, XDG_CONFIG_HOME: dataDir };
    const nobody = await leveeWith(here, ['whoami']);
    expect([nobody.code === 0, nobody.stderr]).toEqual([false, expect.stringContaining('UNAUTHORIZED')]);
    const login = await leveeWith(here, ['login'], 60_000, `${token}\n`);
    expect([login.code, login.stdout + login.stderr]).toEqual([0, expect.stringMatching(/user bob; kept in /)]);
    expect((await leveeWith(here, ['whoami'])).stdout).toBe('user bob\n');
    const listed = await accepted(operator, 'token', 'list', 'bob', '-o', 'json');
    const [{ tokenId }] = JSON.parse(listed) as [{ tokenId: string }];
    expect(listed).not.toContain(token);
    await accepted(operator, 'token', 'revoke', 'bob', tokenId);
    expect((await leveeWith(here, ['whoami'])).stderr).toContain('UNAUTHORIZED');
    expect((await leveeWith(here, ['logout'])).code).toBe(0);
    expect(readFileSync(join(dataDir, 'levee', 'tokens.json'), 'utf8')).not.toContain(token);
    await accepted(operator, 'user', 'delete', 'bob');
  });

  it('takes rights away at once, on open connections', async () => {
    const ann = connect('ann', password);
    await ann.set('k', 'w');
    await accepted(operator, 'user', 'revoke', 'ann', '--write', 'default');
    await expect(ann.set('k', 'x')).rejects.toThrow(/NOPERM/);
    expect(await ann.get('k')).toBe('w');
    await accepted(operator, 'user', 'disable', 'ann');
    await expect(ann.get('k')).rejects.toThrow(/NOAUTH/);
    await accepted(operator, 'user', 'enable', 'ann');
    const last = await levee(operator, 'user', 'delete', 'operator');
    expect(last.stderr).toMatch(/LAST_OPERATOR/);
  }, 90_000);

  it('lets users with the right to read read at nodes, and nobody else, for anything', async () => {
    const ask = async (port: number, user: string, secret: string): Promise<string[]> => {
      const node = new Redis(port, '127.0.0.1', { enableReadyCheck: false, retryStrategy: () => null });
      node.on('error', () => undefined);
      clients.push(node);
      const said: string[] = [];
      for (const command of [
        ['AUTH', user, secret],
        ['LV.READ', 'no frame'],
        ['LV.RANGE', 'no frame'],
        ['LV.GET', 'default', 'k'],
        ['LV.COPY', 'no frame'],
        ['LV.STAT'],
      ])
        said.push(
          await node.call(...(command as [string])).then(String, (error: Error) => error.message.split(' ')[0]!),
        );
      return said;
    };
    const headers = { authorization: `Bearer ${operator}`, 'content-type': 'application/json' };
    const nora = { name: 'nora', password, grants: [{ right: 'read', namespaces: 'default' }] };
    const made = await fetch(`${store.url}/v1/users`, { method: 'POST', headers, body: JSON.stringify(nora) });
    expect(made.status).toBe(201);
    for (const { resp } of store.doors.nodes) {
      const port = Number(resp.split(':').pop());
      await eventually('the node knows her', async () => (await ask(port, 'nora', password))[0] === 'OK');
      const [ofCluster, frames] = [
        ['NOPERM', 'NOPERM', 'NOPERM'],
        ['ERR', 'ERR'],
      ];
      expect(await ask(port, 'nora', password)).toEqual(['OK', ...frames, ...ofCluster]);
      expect(await ask(port, 'operator', operator)).toEqual(['OK', ...frames, ...ofCluster]);
      expect(await ask(port, 'nora', 'wrong')).toEqual(['WRONGPASS', 'NOAUTH', 'NOAUTH', 'NOAUTH', 'NOAUTH', 'NOAUTH']);
    }
  }, 60_000);

  it('reads go on while passwords are guessed', async () => {
    const readers = Array.from({ length: 4 }, () => connect('operator', operator));
    const p99 = async (isOver = (): boolean => true): Promise<number> => {
      const tookMs: number[] = [];
      const leastMs = performance.now() + 1_500;
      const mostMs = performance.now() + 30_000;
      const read = async (reader: Redis): Promise<void> => {
        while (performance.now() < mostMs && (performance.now() < leastMs || !isOver())) {
          const beganMs = performance.now();
          await reader.get('k');
          tookMs.push(performance.now() - beganMs);
        }
      };
      await Promise.all(readers.map(read));
      return tookMs.sort((a, b) => a - b)[Math.floor(tookMs.length * 0.99)] as number;
    };
    await p99();
    // `npm run bench -- guesses` measures it; here nothing else is made sure of than that nobody is locked out. A slow
    // moment may be the machine's; who makes others wait while he checks a password does so each time, for tens of ms.
    const measured: { readonly calmMs: number; readonly guessedMs: number }[] = [];
    const isFine = (): boolean => measured.some(({ calmMs, guessedMs }) => guessedMs < 5 * 1.5 * Math.max(4, calmMs));
    for (let attempt = 0; attempt < 3 && !isFine(); attempt++) {
      const calmMs = await p99();
      const flood = PasswordFlood.begin(store.respPort, 'ann');
      const guessedMs = await p99(() => flood.answers > 10).finally(() => flood.stop());
      expect(flood.answers).toBeGreaterThan(10);
      measured.push({ calmMs, guessedMs });
    }
    expect({ measured, isFine: isFine() }).toEqual({ measured, isFine: true });
    // Whoever is right is let in meanwhile and afterwards.
    expect(await connect('operator', operator).get('k')).toBe(await readers[0]!.get('k'));
  }, 180_000);

  it('knows its users after a kill, and makes no second first one', async () => {
    await store.end('SIGKILL');
    store = await StandaloneProcess.start(dataDir, env);
    expect(readFileSync(join(dataDir, 'operator.token'), 'utf8').trim()).toBe(operator);
    await eventually(
      'ann is let in',
      async () =>
        (await connect('ann', password)
          .get('k')
          .catch(() => '')) === 'w',
    );
    expect(await accepted(operator, 'user', 'list')).toMatch(/operator/);
  }, 90_000);

  it('I22: writes no secret anywhere but into that file', async () => {
    await accepted(operator, 'doctor').catch(() => undefined);
    const metrics = await fetch(`${store.url}/metrics`, { headers: { authorization: `Bearer ${operator}` } });
    const journal = await accepted(operator, 'log', 'dump', 'levee.journal');
    const users = await accepted(operator, 'user', 'list', '-o', 'json');
    const told = [store.printed(), await metrics.text(), journal, users].join('\n');
    expect(journal).toMatch(/CreateUser/);
    for (const secret of secrets)
      expect([told.includes(secret), secret.slice(0, 4)]).toEqual([false, secret.slice(0, 4)]);
    for (const file of filesBelow(dataDir)) {
      if (file.endsWith('operator.token')) continue;
      const bytes = bytesOf(file);
      for (const secret of secrets) expect([file, bytes.includes(secret)]).toEqual([file, false]);
    }
  });
});

/** What a process says that does not start. */
async function refusal(app: 'standalone' | 'portal', env: Record<string, string>): Promise<string> {
  const child = spawn(process.execPath, builtApp(app), {
    cwd: root,
    env: { PATH: process.env.PATH, LEVEE_DATA_DIR: scratchFolder('refused'), ...env },
  });
  let text = '';
  child.stdout.on('data', (chunk: Buffer) => (text += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (text += chunk.toString()));
  const code = await new Promise((resolve) => child.once('close', resolve));
  expect(code).not.toBe(0);
  return text;
}

it('doors that others can reach are not opened before somebody said who may use them', async () => {
  const text = await refusal('standalone', { LEVEE_HOST: '0.0.0.0' });
  expect(text).toMatch(/LEVEE_HOST is 0\.0\.0\.0.*set LEVEE_AUTH=on, or LEVEE_AUTH=off/);
}, 30_000);

it('a process of a cluster with authentication on needs the key of the cluster', async () => {
  const text = await refusal('portal', { LEVEE_AUTH: 'on', KAFKA_BROKERS: '127.0.0.1:1' });
  expect(text).toMatch(/neither LEVEE_CLUSTER_KEY_FILE nor LEVEE_TLS_CLUSTER_NAME is set/);
}, 30_000);
