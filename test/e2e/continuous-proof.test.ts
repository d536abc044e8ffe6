import { closeSync, existsSync, openSync, readdirSync, readSync, rmSync, statSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import Redis from 'ioredis';
import { hashOf, partitionOf, slotOf } from '@levee/keyspace';
import { ClusterProcess } from '../support/cluster-process';
import { type LoadedDoors, underLoad } from '../support/cluster-under-load';
import { tell } from '../support/counts';
import { eventually } from '../support/deadline';
import { drawnLog } from '../support/drawn';
import { findingsOf } from '../support/findings';
import { levee } from '../support/levee-command';
import { rewriteRecord } from '../support/log-tampering';
import {
  folderOf,
  keepCopy,
  putBack,
  type ReplicaFolder,
  type Standing,
  tamperWith,
} from '../support/replica-tampering';
import { bound, dice, seed } from '../support/seed';
import { scratchFolder, StandaloneProcess } from '../support/standalone-process';

const partitions = 4;
const intervalMs = 32_000;
/** On a machine that is busy it may take several. */
const foundMs = 3 * intervalMs;
const settings = { LEVEE_PROOF_INTERVAL: `${intervalMs}ms` };
const cold = Array.from({ length: 400 }, (_, i) => `cold ${i}`);
const later = Array.from({ length: 120 }, (_, i) => `later ${i}`);
const valueOf = (key: string): string => `value of ${key} `.padEnd(300, '.');

interface Replica {
  readonly nodeId: string;
  readonly unitId: string;
  readonly generation: number;
}

interface Chunk {
  readonly chunkId: string;
  readonly slotStart: number;
  readonly slotEnd: number;
  readonly replicas: readonly Replica[];
}

interface Proof {
  readonly chunkId: string;
  readonly verdict: string;
  readonly message: string;
  readonly checkedAtMs: number;
  readonly replicas: readonly { readonly nodeId: string; readonly holds: string }[];
}

/** A cluster whose nodes n2 and n3 can be stopped, and started again. */
interface World {
  readonly loaded: LoadedDoors;
  readonly url: string;
  readonly topicPrefix: string;
  homeOf(nodeId: string): string;
  nodeUrl(nodeId: string): string;
  stop(): Promise<void>;
  start(): Promise<void>;
  /** What was printed that should not have been. */
  end(): Promise<string>;
}

async function kafkaWorld(dir: string): Promise<World> {
  const brokers = process.env.KAFKA_BROKERS ?? '';
  if (brokers === '') throw new Error('KAFKA_BROKERS is not set: npm test starts a Kafka, npm run kafka:start another');
  const topicPrefix = `proof${process.pid}`;
  const cluster = await ClusterProcess.start(
    [
      ...['--brokers', brokers, '--dir', dir, '--masters', '1', '--dispatchers', '1', '--portals', '2'],
      ...['--nodes', '3', '--replicas', '3', '--partitions', String(partitions), '--chunks', String(partitions)],
    ],
    { ...settings, LEVEE_TOPIC_PREFIX: topicPrefix, LEVEE_UNITS: '12x64MiB:leveldb' },
  );
  const node = (nodeId: string) => cluster.doors.nodes.find(({ name }) => name === nodeId)!;
  return {
    loaded: cluster,
    topicPrefix,
    get url() {
      return cluster.doors.portals[0]!.http;
    },
    homeOf: (nodeId) => node(nodeId).dir,
    nodeUrl: (nodeId) => node(nodeId).http,
    stop: async () => {
      await cluster.stop('n2');
      await cluster.stop('n3');
    },
    start: async () => {
      await cluster.start('n2');
      await cluster.start('n3');
    },
    // Findings are errors in the dispatcher's log, which is a file; nothing else may go wrong.
    end: () => cluster.end(),
  };
}

async function embeddedWorld(dir: string): Promise<World> {
  const env = { ...settings, LEVEE_PARTITIONS: String(partitions), LEVEE_CHUNKS: String(partitions) };
  let standalone = await StandaloneProcess.start(dir, env);
  return {
    topicPrefix: 'levee',
    get loaded() {
      const { respPort, url: http } = standalone;
      return { respPorts: [respPort], doors: { portals: [{ http }] } };
    },
    get url() {
      return standalone.url;
    },
    homeOf: (nodeId) => join(dir, 'nodes', nodeId),
    nodeUrl: (nodeId) => standalone.doors.nodes.find((each) => each.nodeId === nodeId)!.http,
    stop: async () => expect(await standalone.end()).toBe(0),
    start: async () => {
      standalone = await StandaloneProcess.start(dir, env);
    },
    end: async () => {
      expect(await standalone.end()).toBe(0);
      return '';
    },
  };
}

const problems = (of: readonly Proof[]): string =>
  of.map(({ verdict, message }) => `${verdict}: ${message}`).join('; ');
const slotOfKey = (key: string): number => slotOf(hashOf(Buffer.from(key), 'murmur2'), partitions);
const partitionOfKey = (key: string): number => partitionOf(hashOf(Buffer.from(key), 'murmur2'), partitions);

describe.each(
  drawnLog('continuous-proof', [
    ['real Kafka', kafkaWorld],
    ['the embedded log', embeddedWorld],
  ]),
)('replicas are compared with the log while clients work, on %s', (name, open) => {
  let dir: string;
  let world: World;
  let chunks: Chunk[];

  beforeAll(async () => {
    dir = scratchFolder('proof');
    world = await open(dir);
    await write(cold);
    chunks = (await get<{ routes: Chunk[] }>('/v1/routes/default')).routes;
  }, 180_000);

  afterAll(async () => {
    const said = await world?.end();
    rmSync(dir, { recursive: true, force: true, maxRetries: 5 });
    expect(said).toBe('');
  }, 120_000);

  const get = async <T>(path: string, base = world.url): Promise<T> => {
    const url = base.startsWith('http') ? base : `http://${base}`;
    const answer = await fetch(`${url}${path}`, { signal: AbortSignal.timeout(20_000) });
    if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
    return (await answer.json()) as T;
  };

  const withRedis = async <T>(work: (redis: Redis) => Promise<T>, consistency = 'session'): Promise<T> => {
    const redis = new Redis(world.loaded.respPorts[0]!, '127.0.0.1', { commandTimeout: 20_000 });
    try {
      await redis.call('LV.CONSISTENCY', consistency);
      return await work(redis);
    } finally {
      redis.disconnect();
    }
  };
  const write = (keys: readonly string[]): Promise<void> =>
    withRedis(async (redis) => {
      await redis.call('LV.ACK', 'all');
      for (let from = 0; from < keys.length; from += 100)
        await Promise.all(keys.slice(from, from + 100).map((key) => redis.set(key, valueOf(key))));
    });
  /** Keys that are not as they were written, whoever is asked. */
  const wrong = async (keys: readonly string[], consistency: string): Promise<string[]> => {
    const values = await withRedis((redis) => redis.mget(...keys), consistency);
    return keys.filter((key, i) => values[i] !== valueOf(key));
  };
  const chunkOf = (key: string): Chunk =>
    chunks.find(({ slotStart, slotEnd }) => slotStart <= slotOfKey(key) && slotOfKey(key) < slotEnd)!;
  const replica = (nodeId: string, { chunkId, replicas }: Chunk): ReplicaFolder => ({
    ...replicas.find((each) => each.nodeId === nodeId)!,
    home: world.homeOf(nodeId),
    chunkId,
  });

  /** Every comparison that was recorded, oldest first. */
  const proofs = async (): Promise<Proof[]> => {
    const url = `${world.url}/v1/log/${world.topicPrefix}.digests/0`;
    const text = await (await fetch(url, { signal: AbortSignal.timeout(20_000) })).text();
    const lines = text.split('\n').filter((line) => line !== '');
    const records = lines.map((line) => JSON.parse(line) as { record?: string; value: Proof });
    return records.flatMap(({ record, value }) => (record === 'ChunkProof' ? [value] : []));
  };
  const setAside = async (nodeId: string): Promise<string[]> => {
    const stat = await get<{ setAside: { reason: string }[] }>('/v1/node', world.nodeUrl(nodeId));
    return stat.setAside.map(({ reason }) => reason);
  };
  /** The largest table of a replica, with one bit of it turned. */
  const flipTable = (of: ReplicaFolder): void => {
    const tables = readdirSync(folderOf(of)).filter((file) => file.endsWith('.ldb'));
    const size = (file: string): number => statSync(join(folderOf(of), file)).size;
    const table = tables.sort((a, b) => size(b) - size(a))[0];
    if (table === undefined) throw new Error(`${of.chunkId} has no table on ${of.home}`);
    // In its place: the node has the file mapped, and would die of one that is shorter for a moment.
    const file = openSync(join(folderOf(of), table), 'r+');
    const at = Math.floor(size(table) / 2);
    const byte = Buffer.alloc(1);
    readSync(file, byte, 0, 1, at);
    writeSync(file, Buffer.of((byte[0] as number) ^ 8), 0, 1, at);
    closeSync(file);
  };
  const allProved = async (): Promise<boolean> => {
    const { proof } = await get<{ proof: { chunks: number; proved: number } }>('/v1/status');
    return proof.chunks === partitions && proof.proved === partitions;
  };

  it('proves every chunk, and says so', async () => {
    await eventually('all chunks are proved', allProved, foundMs, 200);
    const { code, stdout } = await levee(world.url, ['audit', 'proofs', 'default']);
    expect(code).toBe(0);
    expect(stdout.match(/ proved .* 3 of 3/g)).toHaveLength(partitions);
    const metrics = await (await fetch(`${world.url}/metrics`)).text();
    expect(metrics).toMatch(/^levee_portal_proof_chunks_proved\{[^}]*\} 4$/m);
    expect(metrics).toMatch(/^levee_portal_proof_oldest_age_seconds\{[^}]*\} [\d.]+$/m);
  }, 120_000);

  it(`finds, names and heals within one interval what befell replicas (seed ${seed})`, async () => {
    const [first, second, third, fourth] = chunks as [Chunk, Chunk, Chunk, Chunk];
    const of = (chunk: Chunk): string[] => cold.filter((key) => chunkOf(key) === chunk);
    const [removed, changed] = [of(first)[3]!, of(third)[5]!];
    const extra = Array.from({ length: 99 }, (_, i) => `extra ${i}`).find((key) => chunkOf(key) === second)!;
    const lagging = replica('n2', fourth);
    const partition = partitionOfKey(of(fourth)[0]!);

    // What n2 holds of the fourth chunk is put back to an older copy that claims to be as far as it was.
    await world.stop();
    keepCopy(lagging, join(dir, 'copy'));
    await world.start();
    await write(later);
    await world.stop();
    let reached: Standing | undefined;
    await tamperWith(lagging, async (is) => void (reached = await is.position(partition)));
    putBack(lagging, join(dir, 'copy'));
    await tamperWith(lagging, (is) => is.moveTo(partition, reached!));
    await tamperWith(replica('n2', first), (is) => is.remove(removed));
    await tamperWith(replica('n2', second), (is) => is.put(extra, 'nobody wrote this', 3));
    await tamperWith(replica('n2', third), (is) => is.put(changed, 'another value', 4));
    // While one node still starts the other may be found out already.
    const struckAtMs = Date.now();
    await world.start();
    const servesAtMs = Date.now();

    const untouched = cold.filter((key) => key !== removed && key !== changed);
    const untrue = new Set<string>();
    await underLoad(world.loaded, { consistency: 'session', random: dice() }, async () => {
      flipTable(replica('n3', first));
      const named = await eventually(
        'all of it is found',
        async () => {
          for (const key of await wrong(untouched.slice(0, 100), 'session')) untrue.add(key);
          const found = (await proofs()).filter((each) => each.checkedAtMs > struckAtMs && each.verdict !== 'proved');
          const differing = new Set(
            found.filter(({ verdict }) => verdict === 'replicaDiffers').map((each) => each.chunkId),
          );
          const aside = await setAside('n3');
          // Told if it does not come.
          if (differing.size < partitions || aside.length === 0)
            throw new Error(
              `found: ${[...differing].join(' ')}; set aside on n3: ${aside.join(' ')}; ${problems(found)}`,
            );
          return found;
        },
        foundMs,
        250,
      );
      expect([...untrue]).toEqual([]);
      for (const { chunkId } of chunks) {
        const proof = named.find((each) => each.chunkId === chunkId && each.verdict === 'replicaDiffers');
        expect(proof?.replicas.filter(({ holds }) => holds === 'other').map(({ nodeId }) => nodeId)).toEqual(['n2']);
        expect(proof?.message).toMatch(
          /: the log says \d+ keys with digest \w{32}, .* on n2 holds \d+ keys with digest/,
        );
      }
      await eventually('all chunks are proved again', allProved, foundMs, 250);
      const healedMs = Date.now() - servesAtMs;
      tell({
        scenario: `continuous proof on ${name}`,
        repetitions: 5,
        failures: 0,
        figure: 's until healed',
        values: [healedMs / 1_000],
      });
      expect(healedMs).toBeLessThan(bound(intervalMs));
    });

    expect((await setAside('n2')).sort()).toEqual(
      Array.from({ length: partitions }, () =>
        expect.stringMatching(/^its digest before offset \d+ of partition \d+ is/),
      ),
    );
    expect(await setAside('n1')).toEqual([]);
    for (const consistency of ['eventual', 'session', 'strong'])
      for (let i = 0; i < 3; i++) expect(await wrong([...cold, ...later], consistency)).toEqual([]);
    expect(await withRedis((redis) => redis.get(extra))).toBeNull();
    expect((await levee(world.url, ['audit', 'proofs'])).code).toBe(0);
    expect((await levee(world.url, ['namespace', 'digests', 'default'])).code).toBe(0);
    expect(existsSync(join(world.homeOf('n2'), 'set-aside'))).toBe(true);
  }, 300_000);

  if (name === 'the embedded log')
    it('finds that the log alone differs, and touches nobody', async () => {
      const key = cold[7]!;
      await world.stop();
      const offset = await rewriteRecord(join(dir, 'log'), { key, value: valueOf(key), becomes: 'a lie' });
      await world.start();
      const before = await Promise.all(['n1', 'n2', 'n3'].map(setAside));
      const [finding] = await eventually(
        'the finding is there',
        async () => {
          const found = await findingsOf(world.url, 'log-differs');
          return found.length > 0 ? found : undefined;
        },
        foundMs,
        250,
      );
      expect(finding?.finding).toMatch(
        new RegExp(`^${chunkOf(key).chunkId}, partition ${partitionOfKey(key)} .*: the log alone differs`),
      );
      expect(offset).toBeGreaterThan(0);
      // Twice more: it stays a finding, and nothing comes of it.
      const seen = (await proofs()).length;
      await eventually(
        'it is compared again',
        async () => {
          const since = (await proofs()).slice(seen).filter(({ chunkId }) => chunkId === chunkOf(key).chunkId);
          return since.length >= 2 && since.every(({ verdict }) => verdict === 'logDiffers');
        },
        foundMs,
        250,
      );
      expect(await Promise.all(['n1', 'n2', 'n3'].map(setAside))).toEqual(before);
      expect(await wrong(cold, 'strong')).toEqual([]);
      const told = await levee(world.url, ['audit', 'proofs', 'default']);
      expect(told.code).toBe(3);
      expect(told.stderr).toMatch(/1 of 4 chunks differ from their log/);
    }, 180_000);
});
