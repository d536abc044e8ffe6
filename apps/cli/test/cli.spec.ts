import { knobTable } from '@levee/cluster';
import { encodePut } from '@levee/codec';
import { asPartition } from '@levee/kernel';
import { EmbeddedLog } from '@levee/log-embedded';
import { settingsTable } from '@levee/settings';
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { Readable } from 'node:stream';
import { exitCodesInWords } from '../src/exit';
import { inOptions } from '../src/option-names';
import { defaultUrl } from '../src/portal-client';
import { defaultDataDir, storeHere } from '../src/store-here';
import { toYaml } from '../src/yaml';
import { FakePortal } from './fake-portal';
import { runLevee } from './fake-terminal';

async function listening(serve: Parameters<typeof createServer>[1]): Promise<{ server: Server; url: string }> {
  const server = createServer(serve as never);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { server, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
}

async function stop(server: Server): Promise<void> {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
}

describe('bytes', () => {
  it('any value goes in from standard input and out with --raw unchanged', async () => {
    const portal = await FakePortal.open();
    const env = { LEVEE_URL: portal.url };
    const value = Buffer.from(Array.from({ length: 1000 }, (_, i) => i & 0xff));
    expect((await runLevee(['put', 'k', '-'], { env, stdin: value })).code).toBe(0);
    expect((await runLevee(['get', 'k', '--raw'], { env })).stdout.equals(value)).toBe(true);
    const shown = await runLevee(['get', 'k'], { env });
    expect([shown.code, shown.stdout.length]).toEqual([1, 0]);
    expect(shown.stderr).toMatch(/1000 bytes that are no text: --file .* --raw .* --base64 .*\[NOT_PRINTABLE\]/);
    const base64 = await runLevee(['get', 'k', '--base64'], { env });
    expect(base64).toMatchObject({ code: 0, stdout: Buffer.from(`${value.toString('base64')}\n`), stderr: '' });
    const file = join(await mkdtemp(join(tmpdir(), 'levee-get-')), 'value');
    expect((await runLevee(['get', 'k', '--file', file], { env })).stdout.toString()).toBe('ok 1000 bytes\n');
    expect(readFileSync(file).equals(value)).toBe(true);
    await rm(dirname(file), { recursive: true });
    expect((await runLevee(['get', 'k', '--file', file], { env })).stderr).toContain('[FILE_UNUSABLE]');
    expect((await runLevee(['get', 'k', '--raw', '--base64'], { env })).code).toBe(2);
    await portal.close();
  });

  it('put ends when it is interrupted, though standard input does not', async () => {
    const portal = await FakePortal.open();
    const env = { LEVEE_URL: portal.url };
    const interrupted = new AbortController();
    const stdin = new Readable({ read: () => undefined });
    stdin.push('half of a value');
    const put = runLevee(['put', 'half'], { env, stdin, interrupted: interrupted.signal });
    setTimeout(() => interrupted.abort(), 20);
    expect(await put).toMatchObject({ code: 1, stderr: '' });
    const aborted = AbortSignal.abort();
    expect(await runLevee(['put', 'half'], { env, stdin, interrupted: aborted })).toMatchObject({
      code: 1,
      stderr: '',
    });
    expect((await runLevee(['get', 'half'], { env })).code).toBe(1);
    await portal.close();
  });

  it('no wait is longer than timers can', async () => {
    expect(await runLevee(['get', 'k', '--timeout', '25d'])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('at most 24d can be waited for'),
    });
  });

  it('a key is sent byte by byte, so that no slash or dot can mean anything', async () => {
    const portal = await FakePortal.open();
    const env = { LEVEE_URL: portal.url };
    await runLevee(['get', '../../ä b?#%', '--session', 's9', '--consistency', 'strong'], { env });
    const [request] = portal.requests;
    expect(request?.url).toBe('/v1/kv/default/%2E%2E%2F%2E%2E%2F%C3%A4%20b%3F%23%25');
    expect(request?.headers).toMatchObject({ 'levee-session': 's9', 'levee-consistency': 'strong' });
    await portal.close();
  });

  it('a scan sends its range byte by byte too', async () => {
    const portal = await FakePortal.open();
    const options = ['--from', '00ff', '--to', 'ff', '--key-encoding', 'hex', '--limit', '7', '--cursor', 'a&b'];
    await runLevee(['scan', ...options, '-n', 'shop.orders'], { env: { LEVEE_URL: portal.url } });
    expect(portal.requests[0]?.url).toBe('/v1/kv/shop.orders?from=%00%FF&to=%FF&limit=7&cursor=a%26b');
    await portal.close();
  });
});

describe('the store of this folder', () => {
  let portal: FakePortal;
  let folder: string;
  let gone: number;
  beforeAll(async () => {
    portal = await FakePortal.open();
    folder = await mkdtemp(join(tmpdir(), 'levee-here-'));
    gone = spawnSync(process.execPath, ['-e', '']).pid;
  });
  afterAll(async () => {
    await portal.close();
    await rm(folder, { recursive: true });
  });
  const env = () => ({ LEVEE_DATA_DIR: folder });
  const note = (content: object, file = 'doors.json') => writeFileSync(join(folder, file), JSON.stringify(content));

  it('is asked where its note says, unless --url or LEVEE_URL name another', async () => {
    note({ pid: process.pid, http: portal.url });
    expect(await runLevee(['namespace', 'list'], { env: env() })).toMatchObject({ code: 0 });
    const elsewhere = { ...env(), LEVEE_URL: 'http://127.0.0.1:1' };
    expect((await runLevee(['status'], { env: elsewhere })).stderr).toContain('answers at http://127.0.0.1:1 (');
    expect((await runLevee(['status', '--url', 'http://127.0.0.1:2'], { env: env() })).stderr).toContain(
      'no portal answers at http://127.0.0.1:2',
    );
  });

  it('a note of a process that is gone counts for nothing', () => {
    note({ pid: gone, http: portal.url });
    expect(storeHere(folder)).toBeUndefined();
    for (const broken of [{}, { pid: process.pid }, { http: portal.url }, { pid: 'x', http: 1 }]) {
      note(broken);
      expect(storeHere(folder)).toBeUndefined();
    }
  });

  it('nobody answers where it says: the message names the note', async () => {
    note({ pid: process.pid, http: 'http://127.0.0.1:1' });
    const { stderr } = await runLevee(['status'], { env: env() });
    expect(stderr).toContain(`no portal answers at http://127.0.0.1:1, which ${join(folder, 'doors.json')} names`);
  });

  it('a cluster that was started here has a note too', async () => {
    await rm(join(folder, 'doors.json'));
    mkdirSync(join(folder, 'cluster'));
    note({ pid: process.pid, portals: [{ http: portal.url }] }, join('cluster', 'cluster.json'));
    expect(await runLevee(['namespace', 'list'], { env: env() })).toMatchObject({ code: 0 });
  });
});

describe('when the portal is not well', () => {
  it('nobody answers: says where, and what to do', async () => {
    const { server, url } = await listening(() => undefined);
    await stop(server);
    const ran = await runLevee(['status', '--url', url]);
    expect(ran.code).toBe(1);
    expect(ran.stdout.length).toBe(0);
    expect(ran.stderr).toBe(
      `levee: no portal answers at ${url} (ECONNREFUSED): start one with 'npm start', or name another with --url or LEVEE_URL [UNREACHABLE]\n`,
    );
  });

  it('it takes too long: gives up, and does not claim to know', async () => {
    const { server, url } = await listening(() => undefined);
    const ran = await runLevee(['put', 'k', 'v', '--url', url, '--timeout', '50ms']);
    expect(ran.code).toBe(1);
    expect(ran.stderr).toContain(
      'within 50 ms (--timeout); what was asked may have happened, or still happen [DEADLINE]',
    );
    const read = await runLevee(['status', '--url', url, '--timeout', '50ms']);
    expect(read.stderr).toContain('within 50 ms (--timeout) [DEADLINE]');
    await stop(server);
  });

  it('another door of the cluster answers: says so', async () => {
    const { server, url } = await listening((_request, response) => {
      response.writeHead(404).end('{"code":"NOT_FOUND","message":"Cannot GET /v1/status"}');
    });
    const ran = await runLevee(['status', '--url', url]);
    expect(ran.stderr).toContain('is that the HTTP door of a portal');
    await stop(server);
  });

  it('its answer stops in the middle: a body, and a stream of lines', async () => {
    const { server, url } = await listening((_request, response) => {
      response.writeHead(200, { 'content-length': '1000' });
      response.write('{"key":"a","value":"1"}\n', () => response.destroy());
    });
    for (const argv of [['get', 'k'], ['scan']]) {
      const ran = await runLevee([...argv, '--url', url]);
      expect([argv, ran.code, ran.stderr.includes('[UNREACHABLE]')]).toEqual([argv, 1, true]);
    }
    await stop(server);
  });

  it.each([
    ['something else answers', 200, '<html>', 'is no JSON'],
    ['something else refuses', 503, '<html>', 'an answer of status 503: <html> [HTTP_503]'],
    ['a list is missing', 200, '{"no":1}', "the portal's answer has no list of nodes [MALFORMED]"],
    ['a message that would steer the terminal', 500, '{"code":"X","message":"a\\u001b[2Jb"}', 'a\\u001b[2Jb [X]'],
  ])('%s', async (_, status, body, message) => {
    const { server, url } = await listening((_request, response) => void response.writeHead(status).end(body));
    const ran = await runLevee(['node', 'list', '--url', url]);
    expect(ran.code).toBe(1);
    expect(ran.stderr).toContain(message);
    await stop(server);
  });

  it('an error in the middle of a scan ends it', async () => {
    const { server, url } = await listening((_request, response) => {
      response.end('{"key":"a","value":"1"}\n{"code":"LVMOVED","message":"the route changed"}\n');
    });
    const ran = await runLevee(['scan', '--url', url]);
    expect([ran.code, ran.stdout.toString()]).toEqual([1, 'a\t1\n']);
    expect(ran.stderr).toBe('levee: the route changed [LVMOVED]\n');
    await stop(server);
  });
});

describe('following a plan', () => {
  it('Ctrl-C leaves the plan alone, says so, and is no success', async () => {
    const row = { plan: { planId: 'p7', state: 'running', sources: [] }, steps: [], progress: [], parts: [] };
    const interrupted = new AbortController();
    const { server, url } = await listening((_request, response) => {
      response.write(`${JSON.stringify(row)}\n`);
    });
    const ran = await runLevee(['plan', 'watch', 'p7', '--url', url], {
      interrupted: interrupted.signal,
      onOutput: () => setImmediate(() => interrupted.abort()),
    });
    await stop(server);
    expect(ran.code).toBe(1);
    expect(ran.stderr).toContain('plan p7 goes on: levee plan watch p7 follows it');
  });
});

describe('following a log', () => {
  it('goes on until interrupted, and that is no failure', async () => {
    const portal = await FakePortal.open();
    const interrupted = new AbortController();
    const running = runLevee(['log', 'tail', 'levee.journal'], {
      env: { LEVEE_URL: portal.url },
      interrupted: interrupted.signal,
    });
    const deadlineMs = Date.now() + 10_000;
    while (!portal.requests.some(({ url }) => url.includes('follow=1')) && Date.now() < deadlineMs)
      await new Promise((resolve) => setTimeout(resolve, 5));
    interrupted.abort();
    expect((await running).code).toBe(0);
    await portal.close();
  });

  it('leaves no connection open after the last record asked for', async () => {
    const portal = await FakePortal.open();
    const argv = ['log', 'tail', 'levee.journal', '--limit', '1'];
    expect((await runLevee(argv, { env: { LEVEE_URL: portal.url } })).code).toBe(0);
    while ((await portal.connections()) > 0) await new Promise((resolve) => setTimeout(resolve, 5));
    await portal.close();
  });
});

describe('the log itself, without a portal', () => {
  let dataDir: string;
  beforeEach(async () => {
    dataDir = await mkdtemp(join(tmpdir(), 'levee-cli-'));
    const log = await EmbeddedLog.open({ location: join(dataDir, 'log') });
    await log.ensureTopics([{ name: 'levee.binlog.shop', partitions: 2, settings: {} }]);
    const key = Buffer.from('k');
    const headers = [{ key: 'seq', value: Buffer.from('7') }];
    await log.append('levee.binlog.shop', asPartition(1), [
      { key, value: encodePut(key, Buffer.from('v'), null) },
      { key: Buffer.from([0xff]), value: Buffer.from('garbage') },
      { key, value: null, headers },
    ]);
    await log.close();
  });
  afterEach(() => rm(dataDir, { recursive: true, force: true }));

  it('a stopped folder is read and decoded', async () => {
    const topics = await runLevee(['log', 'topics', '--data-dir', dataDir]);
    expect(topics.stdout.toString()).toBe('NAME               PARTITIONS  RECORDS\nlevee.binlog.shop  2           3\n');
    const dump = await runLevee(['log', 'dump', 'levee.binlog.shop', '--data-dir', dataDir, '-o', 'json']);
    const lines = dump.stdout
      .toString()
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as unknown);
    expect(lines).toMatchObject([
      { partition: 1, offset: 0, key: 'k', record: 'Put', value: { value: 'v' } },
      { partition: 1, offset: 1, keyBase64: '/w==', problem: { code: 'BAD_FRAME' } },
      { partition: 1, offset: 2, key: 'k', value: null, headers: [{ key: 'seq', value: '7' }] },
    ]);
  });

  it('the tail of all partitions ends after as many records as asked for', async () => {
    const tail = await runLevee(['log', 'tail', 'levee.binlog.shop', '--data-dir', dataDir, '--limit', '3']);
    expect(tail.code).toBe(0);
    expect(tail.stdout.toString().split('\n')).toHaveLength(4);
  });

  it('a folder in use is refused, naming who has it', async () => {
    const log = await EmbeddedLog.open({ location: join(dataDir, 'log'), doors: { http: 'http://127.0.0.1:7380' } });
    const ran = await runLevee(['log', 'topics', '--data-dir', dataDir]);
    expect(ran.code).toBe(1);
    expect(ran.stderr).toContain(`process ${process.pid}`);
    expect(ran.stderr).toContain('http://127.0.0.1:7380');
    await log.close();
  });

  it('a range that begins at the end is empty', async () => {
    const dump = await runLevee(['log', 'dump', 'levee.binlog.shop', '-p', '1', '--from', '3', '--data-dir', dataDir]);
    expect([dump.code, dump.stdout.length]).toEqual([0, 0]);
  });
});

describe('the program', () => {
  const root = join(__dirname, '..', '..', '..');

  it('says its version, which is that of the package', async () => {
    const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };
    for (const option of ['--version', '-V'])
      expect(await runLevee([option])).toMatchObject({ code: 0, stdout: Buffer.from(`${version}\n`) });
  });

  it('has one wording of its exit codes, which the documents quote', async () => {
    expect((await runLevee(['--help'])).stdout.toString()).toContain(`Exit codes: ${exitCodesInWords}.`);
    const page = readFileSync(join(root, 'docs', 'operating.md'), 'utf8').replace(/\s+/g, ' ');
    expect(page).toContain(`Exit codes: ${exitCodesInWords}.`);
  });

  it('create shows every default, alter only what can change', async () => {
    const create = (await runLevee(['namespace', 'create', '--help'])).stdout.toString();
    for (const line of ['--partitions', '--ack', '--max-ttl', '--history-window'])
      expect(create.replace(/\s+/g, ' ')).toMatch(new RegExp(`${line} [^-]*\\(default: `));
    const alter = (await runLevee(['namespace', 'alter', '--help'])).stdout.toString();
    for (const option of ['--ack', '--max-ttl', '--chunk-capacity']) expect(alter).toContain(`${option} <`);
    for (const option of ['--partitions', '--chunks', '--replicas', '--hash-algorithm'])
      expect(alter).not.toContain(`${option} <`);
  });
});

describe('settings', () => {
  it('the default address is that of the settings table', () => {
    expect(defaultUrl).toBe(settingsTable.LEVEE_URL.default);
    expect(defaultDataDir).toBe(settingsTable.LEVEE_DATA_DIR.default);
  });

  it('config tells value, default and meaning, and hides secrets', async () => {
    const env = { LEVEE_URL: 'http://example.org', KAFKA_SASL_PASSWORD: 'hush' };
    const ran = await runLevee(['config', '--app', 'cli', '-o', 'json'], { env });
    const lines = JSON.parse(ran.stdout.toString()) as { name: string }[];
    expect(lines.find(({ name }) => name === 'LEVEE_URL')).toMatchObject({
      value: 'http://example.org',
      default: defaultUrl,
    });
    expect(ran.stdout.toString()).not.toContain('hush');
    expect(ran.code).toBe(0);
  });

  it('config says what is wrong, after showing everything', async () => {
    const ran = await runLevee(['config'], { env: { LEVEE_NODES: 'many', LEVEE_UNIT: '1' } });
    expect(ran.code).toBe(1);
    expect(ran.stdout.toString()).toContain('LEVEE_DATA_DIR');
    expect(ran.stderr).toContain("LEVEE_NODES is 'many'");
    expect(ran.stderr).toContain('did you mean LEVEE_UNITS?');
  });

  it('no process of that name', async () => {
    expect((await runLevee(['config', '--app', 'toaster'])).code).toBe(2);
  });
});

describe('YAML', () => {
  it.each([
    ['plain words', { a: 'plain words' }, 'a: plain words\n'],
    [
      'what looks like no string',
      ['true', 'No', '1', '', '~', 'null', '- a', 'a: b', 'a #b'],
      '- "true"\n- "No"\n- "1"\n- ""\n- "~"\n- "null"\n- "- a"\n- "a: b"\n- "a #b"\n',
    ],
    ['line ends and quotes', { a: 'x\n"y"' }, 'a: "x\\n\\"y\\""\n'],
    ['nesting', { a: [{ b: [1, 2], c: {} }, []] }, 'a:\n  - b:\n      - 1\n      - 2\n    c: {}\n  - []\n'],
    ['numbers and nothing', [1.5, -3, null, true], '- 1.5\n- -3\n- null\n- true\n'],
    ['odd keys', { 'a b:': 1, '1': 2 }, '"1": 2\n"a b:": 1\n'],
    ['a list in a list', [[1, 2], 3], '- - 1\n  - 2\n- 3\n'],
  ])('%s', (_, value, yaml) => {
    expect(toYaml(value)).toBe(yaml);
  });
});

it('every setting of a namespace that has a choice is an option of create', async () => {
  const help = (await runLevee(['namespace', 'create', '--help'])).stdout.toString();
  const options = Object.entries(knobTable)
    .filter(([, allowed]) => !('oneOf' in allowed) || allowed.oneOf.length > 1)
    .map(([knob]) => inOptions(`CreateNamespace.${knob}`));
  expect(options.length).toBeGreaterThan(15);
  expect(options.filter((option) => !help.includes(`  ${option} <`))).toEqual([]);
});
