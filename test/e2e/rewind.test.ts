import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { encodePut } from '@levee/codec';
import { asPartition } from '@levee/kernel';
import { KafkaLog } from '@levee/log-kafka';
import Redis from 'ioredis';
import { ClusterProcess } from '../support/cluster-process';
import { tell } from '../support/counts';
import { eventually } from '../support/deadline';
import { leveeKilled } from '../support/killed-command';
import { type CommandResult, leveeWith } from '../support/levee-command';
import { dice, full, seed } from '../support/seed';
import { scratchFolder, StandaloneProcess } from '../support/standalone-process';

const kills = full ? 6 : 2;
const keyCount = 2_000;

interface World {
  readonly url: string;
  readonly respPort: number;
  /** Processes that may die while a rewind is made: kill -9, and started again. */
  readonly dies: readonly (readonly [what: string, crash: () => Promise<void>])[];
  /** kill -9 of everything, and started again. */
  restart(): Promise<void>;
  /** A record of a producer that has not heard of anything; absent where nobody outside can write. */
  readonly strange?: (topic: string) => Promise<unknown>;
  /** Says of the processes that died that they did, to a command that would wait for their word. */
  readonly ended: readonly string[];
  end(): Promise<string>;
}

async function kafkaWorld(dir: string): Promise<World> {
  const brokers = process.env.KAFKA_BROKERS ?? '';
  if (brokers === '') throw new Error('KAFKA_BROKERS is not set: npm test starts a Kafka, npm run kafka:start another');
  const cluster = await ClusterProcess.start(
    ['--brokers', brokers, '--dir', dir, '--masters', '2', '--portals', '1', '--nodes', '3', '--partitions', '4'],
    {
      LEVEE_TOPIC_PREFIX: `rewind${process.pid}`,
      LEVEE_UNITS: '24x64MiB:leveldb',
    },
  );
  const restarted = (name: string) => async (): Promise<void> => {
    await cluster.kill(name);
    await cluster.start(name);
  };
  return {
    url: (cluster.doors.portals[0] as { http: string }).http,
    respPort: cluster.respPorts[0] as number,
    // The command ends with the portal.
    dies: [
      ['the portal', restarted('p1')],
      ['the masters', async () => void (await restarted('m1')(), await restarted('m2')())],
    ],
    restart: async () => {
      const all = ['m1', 'm2', 'n1', 'n2', 'n3', 'p1'];
      for (const each of all) await cluster.kill(each);
      for (const each of all) await cluster.start(each);
    },
    ended: ['--ended', 'p1'],
    strange: async (topic) => {
      const log = await KafkaLog.open({
        brokers: brokers.split(','),
        clientId: 'stranger',
      });
      const key = Buffer.from('strange');
      const record = { key, value: encodePut(key, Buffer.from('x'), null) };
      await log.append(topic, asPartition(2), [record]).finally(() => log.close());
    },
    end: () => cluster.end(),
  };
}

async function embeddedWorld(dir: string): Promise<World> {
  const env = { LEVEE_PARTITIONS: '4' };
  let standalone = await StandaloneProcess.start(dir, env);
  const crash = async (): Promise<void> => {
    await standalone.end('SIGKILL');
    standalone = await StandaloneProcess.start(dir, env);
  };
  return {
    get url() {
      return standalone.url;
    },
    get respPort() {
      return standalone.respPort;
    },
    dies: [['the store', crash]],
    restart: crash,
    ended: [],
    end: async () => {
      expect(await standalone.end()).toBe(0);
      return '';
    },
  };
}

const settled = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const name = 'back.now';
const keys = Array.from({ length: keyCount }, (_, n) => `k${n}`);

const worlds: readonly (readonly [on: string, open: (dir: string) => Promise<World>])[] = [
  ['the embedded log', embeddedWorld],
  ...(full ? [['real Kafka', kafkaWorld] as const] : []),
];

describe.each(worlds)('a namespace is rewound under load, and back, on %s', (on, open) => {
  let dir: string;
  let world: World;
  const env = (): Record<string, string> => ({ LEVEE_URL: world.url });
  const levee = (...args: string[]) => leveeWith(env(), args);
  const client = (of: string): Redis => {
    const redis = new Redis({
      ...{
        port: world.respPort,
        username: of,
        password: '-',
        maxRetriesPerRequest: 0,
        retryStrategy: () => 50,
      },
    });
    redis.on('error', () => undefined);
    return redis;
  };
  const contents = async (of: string): Promise<Record<string, string | null>> => {
    const redis = client(of);
    const all = [...keys, ...lateKeys];
    const found: Record<string, string | null> = {};
    for (let at = 0; at < all.length; at += 500) {
      const some = all.slice(at, at + 500);
      (await redis.mget(...some)).forEach((value, i) => (found[some[i] as string] = value));
    }
    redis.disconnect();
    return found;
  };
  const state = async (of: string): Promise<Record<string, unknown>> =>
    (await (await fetch(`${world.url}/v1/namespaces/${of}`)).json()) as Record<string, unknown>;
  const lateKeys: string[] = [];

  beforeAll(async () => {
    dir = scratchFolder('rewind');
    world = await open(join(dir, 'data'));
  }, 180_000);
  afterAll(async () => {
    const said = await world?.end();
    rmSync(dir, { recursive: true, force: true });
    expect({ seed, said }).toEqual({ seed, said: '' });
  }, 90_000);

  it('is what it was, whatever dies meanwhile; what was acknowledged is all kept, and undo brings it back', async () => {
    const random = dice(seed + 5);
    const created = ['namespace', 'create', name, '--partitions', '4', '--chunks', '2'];
    expect(await levee(...created)).toMatchObject({ code: 0, stderr: '' });
    const then = new Map<string, string>();
    let redis = client(name);
    for (let round = 0; round < 2; round++) {
      const pipeline = redis.pipeline();
      for (const key of keys) {
        if (random() < 0.3) continue;
        if (random() < 0.2) {
          pipeline.del(key);
          then.delete(key);
        } else {
          const value = `${key} of round ${round} `.padEnd(100, '.');
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

    // One writer, whose last acknowledged value of each key is known; what failed without a certain outcome is either.
    const load = new AbortController();
    const last = new Map<string, Set<string | null>>();
    const outcomes = new Map<string, number>();
    let [isRewound, frozenSeen] = [false, false];
    const written = (async () => {
      for (let n = 0; !load.signal.aborted; n++) {
        const own = client(name);
        for (let i = 0; i < 200 && !load.signal.aborted; i++) {
          const isNew = random() < 0.3;
          const key = isNew ? `late ${n} ${i}` : (keys[Math.floor(random() * keys.length)] as string);
          if (isNew) lateKeys.push(key);
          const value = random() < 0.3 ? null : `later ${n} ${i}`;
          const outcome = await (value === null ? own.del(key) : own.set(key, value)).then(
            () => 'OK',
            (error: Error) => error.message.split(' ')[0] as string,
          );
          outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
          if (outcome === 'LVFROZEN') frozenSeen = true;
          // The first write that is taken after the freeze is one to what was rewound.
          if (outcome === 'OK' && frozenSeen) isRewound = true;
          if (isRewound) break;
          if (outcome === 'OK') last.set(key, new Set([value]));
          else if (outcome !== 'LVFROZEN' && outcome !== 'LVDEFINITE')
            last.set(key, new Set([...(last.get(key) ?? [then.get(key) ?? null]), value]));
          if (outcome !== 'OK') await settled(10);
        }
        own.disconnect();
        if (isRewound) return;
      }
    })();
    const rewind = ['namespace', 'rewind', name, '--at', new Date(atMs).toISOString(), '--quiet'];
    let died = 0;
    try {
      await eventually('later writes', () => last.size > 200, 60_000);
      const slowly = [...rewind, '--rate', '40KiB'];
      const isBegun = async (): Promise<boolean> => (await state(`${name}.before-rewind-1`))['change'] === 'ForkBegun';
      for (let n = 0; n < kills; n++) if (await leveeKilled(env(), slowly, 600 + Math.floor(random() * 4_000))) died++;
      // What was read so far is read again; once the fork is begun it stays so, however often it is gone on with.
      let dying = leveeKilled(env(), slowly, 90_000);
      await eventually('the fork is begun', isBegun, 90_000);
      for (const [what, crash] of world.dies) {
        await crash();
        await dying;
        await eventually(`the fork is still begun when ${what} died`, isBegun, 60_000);
        dying = leveeKilled(env(), slowly, 2_500);
        await settled(500 + random() * 1_500);
      }
      await dying;
      const thawed = await levee('namespace', 'thaw', name);
      expect([thawed.code, thawed.stderr]).toEqual([
        1,
        expect.stringMatching(/frozen by rewind back\.now .*levee namespace rewind back\.now --cancel/s) as string,
      ]);
      // Plans of balancing may have begun, then it waits; a master that just came answers late; and who was heard just now
      // has not ended.
      let done: CommandResult = { code: 1, stdout: '', stderr: '' };
      const goesOn = async (): Promise<boolean> => {
        done = await levee(...rewind, ...world.ended, '-o', 'json');
        return done.code === 0;
      };
      await eventually('the rewind is done', goesOn, 90_000).catch((error: unknown) => {
        throw new Error(done.stderr, { cause: error });
      });
      expect(done.stderr).toBe('');
      const { at, before, keys: count, event } = JSON.parse(done.stdout) as Record<string, unknown>;
      expect({ at, before, count, event }).toEqual({
        ...{
          at: new Date(atMs).toISOString(),
          before: `${name}.before-rewind-1`,
          count: then.size,
          event: 'done',
        },
      });
      await eventually('a write that is taken again', () => isRewound, 30_000);
    } finally {
      load.abort();
      await written;
    }
    tell({
      scenario: `a rewind is killed, on ${on}`,
      repetitions: died + world.dies.length,
      failures: 0,
    });
    expect([died > 0, (outcomes.get('LVFROZEN') ?? 0) > 0]).toEqual([true, true]);

    // What it is: the oracle's, and the one write that was taken since.
    const now = await contents(name);
    const wrong = Object.entries(now).filter(([key, value]) => value !== (then.get(key) ?? null));
    expect(wrong.length).toBeLessThanOrEqual(1);
    // What it was: every acknowledged write.
    const was = await contents(`${name}.before-rewind-1`);
    const lost = [...last].filter(([key, values]) => !values.has(was[key] ?? null));
    expect(lost.slice(0, 5)).toEqual([]);
    expect(await levee('namespace', 'digests', name)).toMatchObject({
      code: 0,
    });
    expect(await levee('namespace', 'digests', `${name}.before-rewind-1`)).toMatchObject({ code: 0 });

    if (world.strange) {
      const { binlog } = await state(`${name}.before-rewind-1`);
      await world.strange(String(binlog));
      const { stdout } = await levee('doctor');
      expect(stdout).toMatch(
        /1 records came to \S+, the log of back\.now\.before-rewind-1, .*: 2:\d+ strange; the newest/,
      );
    }
    // What was read once is read again from topics and disks, under the names that they have now.
    await world.restart();
    const sameAs = (of: string, wanted: object) => async (): Promise<boolean> => {
      expect(await contents(of)).toEqual(wanted);
      return true;
    };
    await eventually('what it is, after a restart', sameAs(name, now), 60_000, 500);
    await eventually('what it was, after a restart', sameAs(`${name}.before-rewind-1`, was), 60_000, 500);
    redis = client(name);
    for (const key of ['k1', 'after']) await redis.set(key, 'after the rewind');
    expect(await redis.get('k1')).toBe('after the rewind');
    redis.disconnect();
    const undo = ['namespace', 'rewind', name, '--undo', '--quiet', ...world.ended];
    if (await leveeKilled(env(), undo, 700)) died++;
    let undone: CommandResult = { code: 1, stdout: '', stderr: '' };
    const isUndone = async (): Promise<boolean> => (undone = await levee(...undo, '-o', 'json')).code === 0;
    await eventually('the rewind is undone', isUndone, 90_000);
    expect(undone.stderr).toBe('');
    expect([await contents(name), (await contents(`${name}.before-rewind-1`))['k1']]).toEqual([
      was,
      'after the rewind',
    ]);
    redis = client(name);
    await redis.set('k2', 'goes on');
    expect(await redis.get('k2')).toBe('goes on');
    redis.disconnect();
    redis = client(`${name}.before-rewind-1`);
    await expect(redis.set('k2', 'x')).rejects.toThrow(/^LVFROZEN/);
    redis.disconnect();
    expect((await levee('doctor')).stdout).not.toMatch(/back\.now/);
  }, 400_000);
});
