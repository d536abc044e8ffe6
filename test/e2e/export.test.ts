import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import Redis from 'ioredis';
import { ClusterProcess } from '../support/cluster-process';
import { tell } from '../support/counts';
import { eventually } from '../support/deadline';
import { drawnLog, drawnOne } from '../support/drawn';
import { leveeKilled } from '../support/killed-command';
import { leveeWith } from '../support/levee-command';
import { dice, full, seed } from '../support/seed';
import { scratchFolder, StandaloneProcess } from '../support/standalone-process';

const kills = full ? 10 : 2;
const keys = full ? 20_000 : 4_000;

/** A store whose log is at hand for those who carry a namespace away, and back. */
interface World {
  readonly url: string;
  readonly respPort: number;
  /** What names the log to `levee`. */
  readonly where: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** The log is at hand now, and where it belongs to a process only then: the store is down. */
  free(): Promise<void>;
  serve(): Promise<void>;
  /** kill -9 of the process that makes forks, which is started again. */
  crash(): Promise<void>;
  end(): Promise<string>;
}

async function kafkaWorld(dir: string): Promise<World> {
  const brokers = process.env.KAFKA_BROKERS ?? '';
  if (brokers === '') throw new Error('KAFKA_BROKERS is not set: npm test starts a Kafka, npm run kafka:start another');
  const LEVEE_TOPIC_PREFIX = `export${process.pid}`;
  const cluster = await ClusterProcess.start(
    ['--brokers', brokers, '--dir', dir, '--masters', '1', '--portals', '1', '--nodes', '3', '--partitions', '4'],
    { LEVEE_TOPIC_PREFIX, LEVEE_UNITS: '24x64MiB:leveldb' },
  );
  return {
    url: (cluster.doors.portals[0] as { http: string }).http,
    respPort: cluster.respPorts[0] as number,
    where: ['--brokers', brokers],
    env: { LEVEE_TOPIC_PREFIX },
    free: () => Promise.resolve(),
    serve: () => Promise.resolve(),
    crash: async () => {
      await cluster.kill('p1');
      await cluster.start('p1');
    },
    end: () => cluster.end(),
  };
}

async function embeddedWorld(dir: string): Promise<World> {
  const env = { LEVEE_PARTITIONS: '4' };
  let standalone = await StandaloneProcess.start(dir, env);
  return {
    get url() {
      return standalone.url;
    },
    get respPort() {
      return standalone.respPort;
    },
    where: ['--data-dir', dir],
    env: {},
    free: async () => expect(await standalone.end()).toBe(0),
    serve: async () => {
      standalone = await StandaloneProcess.start(dir, env);
    },
    crash: async () => {
      await standalone.end('SIGKILL');
      standalone = await StandaloneProcess.start(dir, env);
    },
    end: async () => {
      expect(await standalone.end()).toBe(0);
      return '';
    },
  };
}

const isoOf = (ms: number): string => new Date(ms).toISOString();
const settled = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const keyOf = (n: number): Buffer => (n % 5 === 0 ? Buffer.from([0, 255, n >> 8, n & 255]) : Buffer.from(`key ${n}`));
const valueOf = (n: number): Buffer => Buffer.alloc(n % 400 === 1 ? 200_000 : 100 + (n % 200), `value ${n} `);
const isDeleted = (n: number): boolean => n % 7 === 3;

describe.each(
  drawnLog('export', [
    ['real Kafka', kafkaWorld],
    ['the embedded log', embeddedWorld],
  ]),
)('a namespace is carried away and brought back, on %s', (on, open) => {
  let dir: string;
  let world: World;
  const levee = (...args: string[]) => leveeWith({ ...world.env, LEVEE_URL: world.url }, args);
  const onLog = async (...args: string[]): Promise<Record<string, unknown>> => {
    const { code, stdout, stderr } = await levee('-o', 'json', ...args, ...world.where, '--quiet');
    expect({ code, stderr, args }).toEqual({ code: 0, stderr: '', args });
    return JSON.parse(stdout) as Record<string, unknown>;
  };

  beforeAll(async () => {
    dir = scratchFolder('export');
    world = await open(join(dir, 'data'));
  }, 180_000);
  afterAll(async () => {
    expect(await world.end()).toBe('');
    rmSync(dir, { recursive: true, force: true });
  }, 60_000);

  it.each(drawnOne('export, records', ['put', 'raw']))(
    'exported, deleted, imported by a command that is killed again and again: equal digests (%s)',
    async (format) => {
      const random = dice(seed + format.length);
      const settings = ['--partitions', '4', '--chunks', '2', '--record-format', format];
      const name = `shop.${format}`;
      expect(await levee('namespace', 'create', name, ...settings)).toMatchObject({ code: 0, stderr: '' });
      let redis = new Redis({ port: world.respPort, username: name, password: '-' });
      for (let n = 0; n < keys; n += 500) {
        const pipeline = redis.pipeline();
        for (let i = n; i < n + 500; i++) {
          if (i % 11 === 0) pipeline.set(keyOf(i), valueOf(i), 'EX', 3600);
          else pipeline.set(keyOf(i), valueOf(i));
          if (isDeleted(i)) pipeline.del(keyOf(i));
        }
        for (const [error] of (await pipeline.exec()) ?? []) expect(error).toBeNull();
      }
      redis.disconnect();
      const file = join(dir, `${format}.avro`);
      await world.free();
      const exported = await onLog('namespace', 'export', name, file);
      expect(existsSync(`${file}.work`)).toBe(false);
      await world.serve();
      expect(await levee('namespace', 'delete', name, '--yes')).toMatchObject({ code: 0, stderr: '' });
      expect(await levee('namespace', 'create', name, '--like', file, '--chunks', '2')).toMatchObject({
        code: 0,
        stderr: '',
      });
      await world.free();
      const importing = ['namespace', 'import', file, name, ...world.where, '--quiet', '--rate', '400KiB'];
      let died = 0;
      for (let n = 0; n < kills; n++)
        if (await leveeKilled(world.env, importing, 700 + Math.floor(random() * 2_500))) died++;
      const imported = await onLog('namespace', 'import', file, name);
      tell({ scenario: `an import of ${format} records is killed, on ${on}`, repetitions: died, failures: 0 });
      expect([died > 0, imported]).toMatchObject([
        true,
        { isEqual: true, missing: 0, foreign: 0, digest: exported['digest'], keys: exported['keys'] },
      ]);
      await world.serve();
      redis = new Redis({ port: world.respPort, username: name, password: '-' });
      for (let n = 0; n < keys; n += 500) {
        const numbers = Array.from({ length: 500 }, (_, i) => n + i);
        const found = await redis.mgetBuffer(...numbers.map(keyOf));
        const wrong = numbers.filter((i, at) => {
          const wanted = isDeleted(i) ? null : valueOf(i);
          const is = found[at] ?? null;
          return wanted === null ? is !== null : is === null || !is.equals(wanted);
        });
        expect(wrong).toEqual([]);
      }
      expect(await redis.ttl(keyOf(11))).toBeGreaterThan(3000);
      redis.disconnect();
      expect(await levee('namespace', 'digests', name)).toMatchObject({ code: 0, stderr: '' });
    },
    240_000,
  );

  it('a fork at a time, made under load by a command and a portal that die, is what was there then', async () => {
    const random = dice(seed + 3);
    const create = ['namespace', 'create', 'fork.now', '--partitions', '4', '--chunks', '2'];
    const beforeMs = Date.now() - 1;
    expect(await levee(...create)).toMatchObject({ code: 0, stderr: '' });
    const client = (name: string): Redis =>
      new Redis({
        port: world.respPort,
        username: name,
        password: '-',
        maxRetriesPerRequest: 0,
        retryStrategy: () => 50,
      });
    let redis = client('fork.now');
    const forkKeys = Array.from({ length: 2_000 }, (_, n) => `f${n}`);
    const then = new Map<string, string>();
    for (let round = 0; round < 3; round++) {
      const pipeline = redis.pipeline();
      for (const key of forkKeys) {
        if (random() < 0.3) continue;
        if (random() < 0.2) {
          pipeline.del(key);
          then.delete(key);
        } else {
          const value = `${key} of round ${round} `.padEnd(200, '.');
          pipeline.set(key, value);
          then.set(key, value);
        }
      }
      for (const [error] of (await pipeline.exec()) ?? []) expect(error).toBeNull();
    }
    redis.disconnect();
    // Between two writes: stamps of the log are of the clock of this machine.
    await settled(20);
    const atMs = Date.now();
    await settled(20);
    const load = new AbortController();
    const written = (async () => {
      for (let n = 0; !load.signal.aborted; n++) {
        const own = client('fork.now');
        own.on('error', () => undefined);
        for (let i = 0; i < 40 && !load.signal.aborted; i++) {
          const key = forkKeys[Math.floor(random() * forkKeys.length)] as string;
          await (i % 3 === 0 ? own.del(key) : own.mset(`after ${n} ${i}`, 'x', key, `later ${n}`)).catch(
            () => undefined,
          );
        }
        own.disconnect();
      }
    })();
    // Half of a fork must not look like a namespace without those keys.
    const looks: string[] = [];
    const looked = (async () => {
      while (!load.signal.aborted) {
        const own = client('fork.then');
        own.on('error', () => undefined);
        const key = forkKeys[Math.floor(random() * forkKeys.length)] as string;
        const found = await own.get(key).then(
          (value) => (value === (then.get(key) ?? null) ? 'right' : `wrong: ${key} is ${value}`),
          (error: Error) =>
            /LVNAMESPACE|LVNOTREADY|WRONGPASS|Connection|ECONN|retries/.test(error.message) ? 'refused' : error.message,
        );
        looks.push(found);
        own.disconnect();
        await settled(50);
      }
    })();
    const fork = (...more: string[]) => [
      'namespace',
      'fork',
      'fork.now',
      'fork.then',
      '--at',
      isoOf(atMs),
      '--quiet',
      ...more,
    ];
    try {
      const env = { ...world.env, LEVEE_URL: world.url };
      for (let n = 0; n < kills; n++)
        await leveeKilled(env, fork('--rate', '200KiB'), 800 + Math.floor(random() * 3_000));
      const dying = leveeKilled(env, fork('--rate', '150KiB'), 60_000);
      const state = async (): Promise<string> => (await fetch(`${world.url}/v1/namespaces/fork.then`)).text();
      await eventually('the fork is begun', async () => /ForkBegun/.test(await state()), 60_000);
      await world.crash();
      await dying;
      expect(await levee('namespace', 'fork', 'fork.now', 'fork.then', '--at', isoOf(atMs - 1))).toMatchObject({
        code: 1,
        stderr: expect.stringMatching(/fork.then is there already \(creating, a fork of fork.now at /) as string,
      });
      const made = await levee(...fork('-o', 'json'));
      expect(made).toMatchObject({ code: 0, stderr: '' });
      expect(JSON.parse(made.stdout)).toMatchObject({ event: 'done', forkedFrom: 'fork.now', forkedKeys: then.size });
      // It is there, and asked once more it is the same one.
      expect(await levee(...fork())).toMatchObject({ code: 0 });
    } finally {
      await settled(500);
      load.abort();
      await Promise.all([written, looked]);
    }
    expect(looks.filter((look) => look !== 'right' && look !== 'refused')).toEqual([]);
    expect([looks.includes('refused'), looks.includes('right')]).toEqual([true, true]);
    redis = client('fork.then');
    const found = await redis.mget(...forkKeys);
    expect(
      Object.fromEntries(forkKeys.flatMap((key, i) => ((found[i] ?? null) === null ? [] : [[key, found[i]]]))),
    ).toEqual(Object.fromEntries(then));
    expect(await redis.get('after 0 1')).toBeNull();
    await redis.set('f0', 'of the fork alone');
    redis.disconnect();
    redis = client('fork.now');
    expect([await redis.get('after 0 1'), await redis.get('f0')]).not.toContain('of the fork alone');
    redis.disconnect();
    expect(await levee('namespace', 'digests', 'fork.then')).toMatchObject({ code: 0 });
    const { stdout } = await levee('namespace', 'describe', 'fork.then', '-o', 'json');
    expect(JSON.parse(stdout)).toMatchObject({
      ...{ forkedFrom: 'fork.now', forkedAtMs: atMs, forkedKeys: then.size },
      ...{
        forkedDigest: expect.stringMatching(/^[0-9a-f]{32}$/) as string,
        forkedPositions: expect.any(Array) as unknown,
      },
    });
    const early = await levee('namespace', 'fork', 'fork.now', 'fork.early', '--at', isoOf(beforeMs));
    expect(early).toMatchObject({ code: 3, stderr: expect.stringMatching(/is there since .*NOT_PROVABLE/) as string });
    const taken = await levee('namespace', 'fork', 'fork.then', 'fork.now', '--at', isoOf(atMs));
    expect(taken).toMatchObject({ code: 1, stderr: expect.stringMatching(/fork.now is there already/) as string });
  }, 240_000);
});
