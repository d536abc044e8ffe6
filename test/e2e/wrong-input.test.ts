import { spawnSync } from 'node:child_process';
import { connect } from 'node:net';
import { join } from 'node:path';
import { request } from 'node:http';
import fc from 'fast-check';
import Redis from 'ioredis';
import { builtApp } from '../support/built-app';
import { within } from '../support/deadline';
import { drawnLog } from '../support/drawn';
import { full, seed } from '../support/seed';
import { freePorts, scratchFolder, StandaloneProcess } from '../support/standalone-process';

const root = join(__dirname, '..', '..');

/** Bad input gets a clear, specific error at every door; nothing is lost, nothing hangs, no process dies. */
describe.each(
  drawnLog('wrong-input', [
    ['the embedded log', {}],
    ['real Kafka', { KAFKA_BROKERS: process.env.KAFKA_BROKERS ?? '', LEVEE_TOPIC_PREFIX: `wronginput${process.pid}` }],
  ]),
)('wrong input on %s', (_log, logEnv: Record<string, string>) => {
  let levee: StandaloneProcess;
  let redis: Redis;

  beforeAll(async () => {
    levee = await StandaloneProcess.start(scratchFolder('wrong-input'), logEnv);
    redis = new Redis(levee.respPort, '127.0.0.1');
    await redis.set('kept', 'value');
  }, 120_000);

  afterEach(async () => {
    expect(await redis.get('kept')).toBe('value');
    expect(levee.child.exitCode).toBeNull();
  });

  afterAll(async () => {
    redis?.disconnect();
    expect(await levee?.end()).toBe(0);
    levee.remove();
  }, 40_000);

  /** Everything the server says to these bytes until it closes or is silent for a while after `until` matched. */
  function say(bytes: Buffer | string, until: RegExp): Promise<string> {
    return within(
      `an answer like ${String(until)}`,
      20_000,
      new Promise<string>((resolve, reject) => {
        let answer = '';
        const socket = connect(levee.respPort, '127.0.0.1', () => socket.write(bytes));
        socket.on('data', (chunk) => {
          answer += chunk.toString('latin1');
          if (until.test(answer)) socket.destroy();
        });
        socket.on('error', reject);
        socket.on('close', () => resolve(answer));
      }),
    );
  }

  it.each([
    ['a count that is no number', '*x\r\n', /^-ERR Protocol error: invalid multibulk length/],
    ['a count beyond the limit', '*1000000000\r\n', /^-ERR Protocol error: invalid multibulk length/],
    ['a bulk without its dollar', '*1\r\nGET\r\n', /^-ERR Protocol error: expected '\$', got 'G'/],
    ['a negative bulk length', '*1\r\n$-5\r\n', /^-ERR Protocol error: invalid bulk length/],
    ['a bulk beyond the limit', '*2\r\n$3\r\nGET\r\n$999999999999\r\n', /^-ERR Protocol error: invalid bulk length/],
    ['unbalanced quotes inline', 'SET a "b\r\n', /^-ERR Protocol error: unbalanced quotes in request/],
    ['an endless line', Buffer.alloc(70_000, 97), /^-ERR Protocol error: too big inline request/],
    ['an unknown command', 'NOPE a\r\n', /^-ERR unknown command 'NOPE'/i],
    ['too few arguments', 'GET\r\n', /^-ERR wrong number of arguments for 'get' command/i],
    ['an unknown option', 'SET a b WHAT\r\n', /^-ERR syntax error/],
    ['an expiry that is no number', 'SET a b EX soon\r\n', /^-ERR value is not an integer or out of range/],
    ['an expiry of zero', 'SET a b EX 0\r\n', /^-ERR invalid expire time in 'set' command/i],
    ['an option that needs a read before the write', 'SET a b NX\r\n', /^-LVUNSUPPORTED .*NX/],
    ['a counter', 'INCR a\r\n', /^-LVUNSUPPORTED .*INCR/],
    ['a watched key', 'WATCH a\r\n', /^-LVUNSUPPORTED .*WATCH/],
    ['EXEC without MULTI', 'EXEC\r\n', /^-ERR EXEC without MULTI/],
    ['a namespace that does not exist', 'LV.USE nothing.here\r\n', /^-LVNAMESPACE .*nothing\.here/],
    ['a position that is none', 'LV.WAIT soon\r\n', /^-(ERR|LVSESSION) .*soon/],
    ['a cursor that is unknown', 'SCAN 12345\r\n', /^-LVCURSOR/],
    ['a protocol version that is unknown', 'HELLO 9\r\n', /^-NOPROTO/],
    ['a database that does not exist', 'SELECT 3\r\n', /^-LVUNSUPPORTED .*LV\.USE/],
  ])('RESP: %s', async (_name, bytes, answer) => {
    expect(await say(bytes, /\r\n/)).toMatch(answer);
  });

  function http(
    method: string,
    path: string,
    body?: Buffer | string,
    headers: Record<string, string> = {},
  ): Promise<{ status: number; code: string; text: string }> {
    return new Promise((resolve, reject) => {
      const { hostname, port } = new URL(levee.url);
      const sent = request({ hostname, port, method, path, headers, timeout: 20_000 }, (response) => {
        let text = '';
        response.on('data', (chunk: Buffer) => (text += chunk.toString()));
        response.on('end', () => {
          let code = '';
          try {
            code = (JSON.parse(text) as { code?: string }).code ?? '';
          } catch {
            // Not every answer is JSON.
          }
          resolve({ status: response.statusCode ?? 0, code, text });
        });
      });
      sent.on('timeout', () => sent.destroy(new Error('no answer within 20 s')));
      sent.on('error', reject);
      sent.end(body);
    });
  }

  const json = { 'content-type': 'application/json' };
  it.each([
    ['an unknown namespace', 'GET', '/v1/kv/no.such/key', undefined, {}, 404, /no\.such/],
    [
      'a key with broken percent-encoding',
      'GET',
      '/v1/kv/default/%zz',
      undefined,
      {},
      400,
      /% that two hexadecimal digits/,
    ],
    ['a key beyond 1 KiB', 'PUT', `/v1/kv/default/${'k'.repeat(1025)}`, 'v', {}, 413, /1024/],
    ['a value beyond 1 MiB', 'PUT', '/v1/kv/default/large', Buffer.alloc(1024 * 1024 + 1), {}, 413, /1048576/],
    ['a reserved key', 'PUT', '/v1/kv/default/%00levee%00genesis', 'v', {}, 403, /reserved|Levee/i],
    ['an unknown ack', 'PUT', '/v1/kv/default/k', 'v', { 'levee-ack': 'maybe' }, 400, /maybe.*logged|logged.*maybe/s],
    ['an unknown consistency', 'GET', '/v1/kv/default/k', undefined, { 'levee-consistency': 'lucky' }, 400, /lucky/],
    [
      'a damaged session token',
      'GET',
      '/v1/kv/default/k',
      undefined,
      { 'levee-session': 'AQ-damaged' },
      400,
      /session/i,
    ],
    ['a body that is no JSON', 'POST', '/v1/namespaces', '{name', json, 400, /JSON/i],
    ['an unknown knob', 'POST', '/v1/namespaces', '{"name":"a.b","colour":"red"}', json, 422, /colour/],
    [
      'an impossible partition count',
      'POST',
      '/v1/namespaces',
      '{"name":"a.b","partitions":7}',
      json,
      422,
      /7.*1, 2, 4, 5, 8, 10/s,
    ],
    ['a name that is none', 'POST', '/v1/namespaces', '{"name":"Shop Orders"}', json, 422, /Shop Orders/],
    [
      'more replicas than failure domains',
      'POST',
      '/v1/namespaces',
      '{"name":"a.b","replicas":9}',
      json,
      422,
      /9.*3|3.*9/s,
    ],
    ['a knob out of range', 'POST', '/v1/namespaces', '{"name":"a.b","maxTtlMs":5}', json, 422, /maxTtlMs is 5.*1000/],
    ['a route version that is no number', 'GET', '/v1/routes/default?version=new', undefined, {}, 400, /version/],
    ['an unknown path', 'GET', '/v1/nothing', undefined, {}, 404, /nothing/],
    ['an unknown topic', 'GET', '/v1/log/nothing/0', undefined, {}, 404, /nothing/],
    ['a node in capitals', 'GET', '/v1/nodes/N1/units', undefined, {}, 404, /no node 'N1': there are n1, n2, n3/],
    ['a cordon of no node', 'POST', '/v1/nodes/n9/cordon', undefined, {}, 404, /no node 'n9': there are n1, n2, n3/],
    ['a drain of no node', 'POST', '/v1/plans', '{"kind":"drain","nodeId":"N1"}', json, 404, /there are n1, n2, n3/],
    ['nothing to explain', 'GET', '/v1/explain?subject=c00001', undefined, {}, 404, /c00001.*levee routes/],
    ['a wait that is none', 'POST', '/v1/namespaces/default/digests?withinMs=0', undefined, {}, 400, /withinMs/],
  ] as const)('HTTP: %s', async (_name, method, path, body, headers, status, text) => {
    const answer = await http(method, path, body, headers);
    expect([answer.status, answer.text]).toEqual([status, expect.stringMatching(text)]);
    expect(answer.code).not.toBe('');
  });

  it('a dry run of a drain that has nowhere to go answers at once, and keeps nobody waiting', async () => {
    const drain = http('POST', '/v1/plans?dryRun=1', '{"kind":"drain","nodeId":"n1"}', json);
    const [dry, health] = await within('both answers', 20_000, Promise.all([drain, http('GET', '/health/live')]));
    expect(health.status).toBe(200);
    expect(dry.text).toMatch(/"outcome":"running at parts, waiting for unit n1\/.*failure domain/);
  });

  it(`HTTP bodies: any bytes are answered, seed ${seed}`, async () => {
    const bodies = fc.oneof(
      fc.uint8Array({ maxLength: 2000 }).map((bytes) => Buffer.from(bytes)),
      fc.json().map((text) => Buffer.from(text)),
      fc
        .record({ name: fc.string(), partitions: fc.anything(), chunks: fc.anything(), ack: fc.anything() })
        .map((knobs) => Buffer.from(JSON.stringify(knobs) ?? '')),
    );
    const until = Date.now() + (full ? 60_000 : 2_000);
    let tried = 0;
    for (let batch = 0; Date.now() < until || tried <= 40; batch++) {
      for (const body of fc.sample(bodies, { numRuns: 20, seed: seed + batch })) {
        for (const path of ['/v1/namespaces', '/v1/commands']) {
          const answer = await http('POST', path, body, json);
          tried += 1;
          // By chance a body is a sound one, and a namespace is made.
          const sound = answer.status >= 200 && answer.status < 300;
          const refused = answer.status >= 400 && answer.status < 500 && answer.code !== '';
          const verdict = sound || refused ? 'answered' : answer;
          expect([path, body.toString('latin1'), verdict]).toEqual([path, body.toString('latin1'), 'answered']);
        }
      }
    }
    expect(tried).toBeGreaterThan(40);
  }, 120_000);
});

/** What has no log, or has nothing to do with it. */
describe('wrong settings and wrong commands', () => {
  let levee: StandaloneProcess;

  beforeAll(async () => {
    levee = await StandaloneProcess.start(scratchFolder('wrong-settings'));
  }, 120_000);

  afterAll(async () => {
    expect(await levee?.end()).toBe(0);
    levee.remove();
  }, 40_000);

  it.each([
    ['portal', 'LEVEE_RESP_PORT'],
    ['data-node', 'LEVEE_NODE_RESP_PORT'],
  ])('a port in use: a %s says which setting changes it, in one line without a stack', (app, setting) => {
    const run = spawnSync(process.execPath, builtApp(app), {
      cwd: root,
      encoding: 'utf8',
      timeout: 50_000,
      env: {
        ...{ PATH: process.env.PATH, LEVEE_DATA_DIR: join(levee.dataDir, 'never') },
        ...{ LEVEE_HTTP_PORT: '0', LEVEE_NODE_HTTP_PORT: '0', [setting]: String(levee.respPort) },
      },
    });
    expect(run.status).toBe(1);
    expect(run.stderr).toMatch(
      new RegExp(
        `^${app} cannot start: port ${levee.respPort} \\(RESP\\) on 127.0.0.1 is taken: set ${setting} .*\\[PORT_IN_USE\\]\n$`,
      ),
    );
  });

  it.each([
    ['a port that is none', { LEVEE_RESP_PORT: '70000' }, /LEVEE_RESP_PORT.*70000.*65535/s],
    ['a misspelt setting', { LEVEE_NODE: '3' }, /LEVEE_NODE .*did you mean LEVEE_NODES/],
    ['units that are none', { LEVEE_UNITS: 'many' }, /many.*x.*leveldb/s],
    ['brokers that are none', { KAFKA_BROKERS: 'localhost' }, /KAFKA_BROKERS.*localhost.*host:port/s],
  ])('settings: %s ends with exit code 1 or 2 and names the mend', (_name, env, text) => {
    const run = spawnSync(process.execPath, builtApp('standalone'), {
      cwd: root,
      encoding: 'utf8',
      timeout: 50_000,
      env: {
        PATH: process.env.PATH,
        LEVEE_DATA_DIR: join(levee.dataDir, 'never'),
        ...freePorts,
        ...env,
      },
    });
    expect(run.stdout + run.stderr).toMatch(text);
    expect([1, 2]).toContain(run.status);
  });

  it.each([
    ['no command', [], 2, /Usage|usage/],
    ['an unknown command', ['fly'], 2, /unknown command/],
    ['a missing argument', ['get'], 2, /missing required argument/],
    ['an unknown output format', ['-o', 'xml', 'get', 'k'], 2, /xml.*text|text.*xml/s],
    ['an unknown namespace', ['get', '-n', 'no.such', 'k'], 1, /no\.such/],
    ['a door that does not answer', ['--url', 'http://127.0.0.1:1', 'get', 'k'], 1, /127\.0\.0\.1:1/],
  ])('command line: %s', (_name, args, code, text) => {
    const url = args.includes('--url') ? {} : { LEVEE_URL: levee.url };
    const run = spawnSync(process.execPath, [...builtApp('cli'), ...args], {
      cwd: root,
      encoding: 'utf8',
      timeout: 50_000,
      env: { PATH: process.env.PATH, ...url },
    });
    expect([run.status, run.stderr + run.stdout]).toEqual([code, expect.stringMatching(text)]);
  });
});
