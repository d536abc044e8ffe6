import { cpSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { AppProcess } from '../support/app-process';
import { ClusterProcess } from '../support/cluster-process';
import { eventually } from '../support/deadline';
import { drawnLog } from '../support/drawn';
import { findingsOf } from '../support/findings';
import { PartsInOneProcess, type StoppableCluster } from '../support/parts-in-one-process';
import { scratchFolder } from '../support/standalone-process';

interface Replica {
  readonly state: string;
  readonly readable: boolean;
  readonly problem: string | null;
  readonly positions: readonly { readonly nextOffset: number }[];
}

interface NodeStat {
  readonly storeId: string;
  readonly ready: boolean;
  readonly problem: string | null;
  readonly replicas: readonly Replica[];
}

const units = '12x64MiB:leveldb';
const keys = 40;

/** A node that is started beside those of the cluster. */
interface Second {
  readonly url: string;
  /** What it logged. */
  readonly printed: string;
  refuses(pattern: RegExp): Promise<{ readonly status: number; readonly text: string }>;
  /** How it ended; 0 is well. */
  end(): Promise<number | null>;
}

/** Three nodes and a portal, wherever they run. */
interface World {
  readonly cluster: StoppableCluster;
  /** Of the disk of a node of that name. */
  folder(nodeId: string): string;
  logOf(nodeId: string): string;
  /** kill -9 where it is a process of its own. */
  lose(nodeId: string): Promise<void>;
  second(nodeId: string, folder: string): Promise<Second>;
  /** A disk of a node n9 of a cluster that is gone. */
  diskOfAnother(): Promise<string>;
}

const shape = { partitions: 2, chunks: 4, replicas: 2 } as const;

const kafkaEnv = (prefix: string): Record<string, string> => ({
  KAFKA_BROKERS: process.env.KAFKA_BROKERS ?? '',
  LEVEE_TOPIC_PREFIX: prefix,
  LEVEE_UNITS: units,
});
const prefix = `disks${process.pid}`;

const nodeOnKafka = (nodeId: string, folder: string, options: { fileBlocksMax?: number } = {}): Promise<AppProcess> =>
  AppProcess.start(
    'data-node',
    { ...kafkaEnv(prefix), LEVEE_NODE_ID: nodeId, LEVEE_DATA_DIR: dirname(folder) },
    options,
  );

async function onKafka(dir: string): Promise<World> {
  const brokers = process.env.KAFKA_BROKERS ?? '';
  if (brokers === '') throw new Error('KAFKA_BROKERS is not set: npm test starts a Kafka, npm run kafka:start another');
  const cluster = await ClusterProcess.start(
    [
      ...['--brokers', brokers, '--dir', join(dir, 'cluster'), '--masters', '1', '--portals', '1'],
      ...Object.entries(shape).flatMap(([knob, value]) => [`--${knob}`, `${value}`]),
    ],
    { LEVEE_TOPIC_PREFIX: prefix, LEVEE_UNITS: units },
  );
  return {
    cluster,
    folder: (nodeId) => join(dir, 'cluster', nodeId),
    logOf: (nodeId) => readFileSync(cluster.doors.nodes.find(({ name }) => name === nodeId)?.log ?? '', 'utf8'),
    lose: (nodeId) => cluster.kill(nodeId),
    second: nodeOnKafka,
    diskOfAnother: async () => {
      const other = kafkaEnv(`${prefix}other`);
      const data = { LEVEE_DATA_DIR: join(dir, 'other'), LEVEE_NODE_ID: 'n9' };
      const master = await AppProcess.start('master', { ...other, LEVEE_INSTANCE: 'elsewhere' });
      const theirs = await AppProcess.start('data-node', { ...other, ...data });
      await master.ready();
      await theirs.ready();
      expect(await theirs.end()).toBe(0);
      expect(await master.end()).toBe(0);
      return join(dir, 'other', 'n9');
    },
  };
}

async function embedded(dir: string): Promise<World> {
  const wanted = { nodes: 3, portals: 1, namespace: shape };
  const cluster = await PartsInOneProcess.start(join(dir, 'cluster'), wanted, { LEVEE_UNITS: units });
  let seconds = 0;
  return {
    cluster,
    folder: (nodeId) => join(dir, 'cluster', 'nodes', nodeId),
    logOf: () => cluster.printed,
    lose: (nodeId) => cluster.stop(nodeId),
    second: async (nodeId, folder) => {
      const name = `n-second-${++seconds}`;
      const before = cluster.printed.length;
      await cluster.launch(name, { of: nodeId, folder });
      const url = cluster.doors.nodes.find((node) => node.name === name)?.http ?? '';
      return {
        url,
        get printed() {
          return cluster.printed.slice(before);
        },
        refuses: (pattern) =>
          eventually(`it refuses with ${String(pattern)}`, async () => {
            const answer = await fetch(`${url}/health/ready`, { signal: AbortSignal.timeout(2_000) });
            const found = { status: answer.status, text: await answer.text() };
            return pattern.test(found.text) ? found : undefined;
          }),
        end: async () => {
          await cluster.stop(name);
          return 0;
        },
      };
    },
    diskOfAnother: async () => {
      const few = { nodes: 1, portals: 0, namespace: { partitions: 1, chunks: 1, replicas: 1 } };
      const other = await PartsInOneProcess.start(join(dir, 'other'), few, { LEVEE_UNITS: units });
      await other.start('n9');
      expect(await other.end()).toBe('');
      return join(dir, 'other', 'nodes', 'n9');
    },
  };
}

/** Disks that are not what the cluster thinks they are. */
describe.each(
  drawnLog('disks', [
    ['real Kafka', onKafka],
    ['the embedded log', embedded],
  ]),
)('disks that are empty, exchanged, of another cluster, or wanted by two, on %s', (_name, start) => {
  let dir: string;
  let world: World;
  let cluster: StoppableCluster;

  beforeAll(async () => {
    dir = scratchFolder('disks');
    world = await start(dir);
    cluster = world.cluster;
    for (let i = 0; i < keys; i++) await put(`k${i}`, `v${i}`);
  }, 180_000);

  afterAll(async () => {
    const said = await cluster?.end();
    rmSync(dir, { recursive: true, force: true, maxRetries: 5 });
    expect(said).toBe('');
  }, 240_000);

  const portal = (): string => cluster.doors.portals[0]?.http ?? '';

  const put = async (key: string, value: string): Promise<void> => {
    const answer = await fetch(`${portal()}/v1/kv/default/${key}`, {
      method: 'PUT',
      body: value,
      headers: { 'content-type': 'application/octet-stream' },
      signal: AbortSignal.timeout(20_000),
    });
    if (answer.status !== 204) throw new Error(`PUT ${key}: ${answer.status} ${await answer.text()}`);
  };

  const everyKeyReads = async (): Promise<void> => {
    for (let i = 0; i < keys; i++) {
      const answer = await fetch(`${portal()}/v1/kv/default/k${i}`, {
        headers: { 'levee-consistency': 'strong' },
        signal: AbortSignal.timeout(20_000),
      });
      expect([answer.status, await answer.text()]).toEqual([200, `v${i}`]);
    }
  };

  const digestsAgree = async (): Promise<void> => {
    const verdicts = new Set<boolean>();
    await eventually(
      'all three can be compared',
      async () => {
        const answer = await fetch(`${portal()}/v1/namespaces/default/digests`, {
          method: 'POST',
          signal: AbortSignal.timeout(60_000),
        });
        if (!answer.ok) throw new Error(await answer.text());
        const report = (await answer.json()) as { equal: boolean; replicas: { nodeId: string }[] };
        verdicts.add(report.equal);
        return new Set(report.replicas.map(({ nodeId }) => nodeId)).size === 3;
      },
      60_000,
      500,
    );
    expect([...verdicts]).toEqual([true]);
  };

  /** It comes through a pipe, later than what the process answers. */
  const prints = (node: Second | AppProcess, words: string): Promise<boolean> =>
    eventually(`it prints ${words}`, () => node.printed.includes(words));

  const doors = (name: string) => {
    const found = cluster.doors.nodes.find((node) => node.name === name);
    if (found === undefined) throw new Error(`no node ${name}`);
    return found;
  };

  const stat = async (url: string): Promise<NodeStat> =>
    (await (await fetch(`${url}/v1/node`, { signal: AbortSignal.timeout(2_000) })).json()) as NodeStat;

  const folder = (name: string): string => world.folder(name);

  it('wiped while it is down: it comes back under its name with a new disk, is filled from the log, and agrees', async () => {
    const before = await stat(doors('n1').http);
    await world.lose('n1');
    rmSync(folder('n1'), { recursive: true });
    await put('k0', 'v0');
    await cluster.start('n1');
    const after = await stat(doors('n1').http);
    expect(after.storeId).not.toBe(before.storeId);
    expect(after.replicas.length).toBe(before.replicas.length);
    expect(after.replicas.every(({ readable }) => readable)).toBe(true);
    await eventually('it says so', () =>
      world.logOf('n1').includes('this disk takes the place of one that nobody speaks for'),
    );
    await everyKeyReads();
    await digestsAgree();
  }, 240_000);

  it('two disks exchanged: both are refused by name and serve nothing; exchanged back, everything is as before', async () => {
    for (const name of ['n1', 'n2']) await world.lose(name);
    const exchange = (): void => {
      renameSync(folder('n1'), join(dir, 'aside'));
      renameSync(folder('n2'), folder('n1'));
      renameSync(join(dir, 'aside'), folder('n2'));
    };
    exchange();
    for (const [name, other] of [
      ['n1', 'n2'],
      ['n2', 'n1'],
    ] as const) {
      const node = await world.second(name, folder(name));
      const refused = await node.refuses(/STORE_TAKEN/);
      expect(refused.status).toBe(503);
      expect(refused.text).toMatch(new RegExp(`is registered as node ${other}.*start it under that name`));
      expect((await stat(node.url)).replicas).toEqual([]);
      await prints(node, 'the master refused this node');
      expect(await node.end()).toBe(0);
    }
    exchange();
    for (const name of ['n1', 'n2']) await cluster.start(name);
    await everyKeyReads();
    await digestsAgree();
  }, 240_000);

  it("another cluster's disk: the node says whose it is, serves nothing, and leaves it as it was", async () => {
    const theirs = await world.diskOfAnother();
    const filesBefore = readdirSync(theirs);

    const node = await world.second('n9', theirs);
    const refused = await node.refuses(
      /holds data of cluster [0-9a-f-]+, this is [0-9a-f-]+: use another LEVEE_DATA_DIR/,
    );
    expect(refused.status).toBe(503);
    expect((await stat(node.url)).replicas).toEqual([]);
    await prints(node, 'this node cannot join its cluster');
    expect((await (await fetch(`${portal()}/v1/nodes`)).text()).includes('"n9"')).toBe(false);
    expect(await node.end()).toBe(0);
    expect(readdirSync(theirs)).toEqual(filesBefore);
  }, 240_000);

  it('two processes of one name: the second is refused with both addresses, the doctor sees both, the first serves on', async () => {
    const second = await world.second('n3', join(dir, 'second', 'n3'));
    const refused = await second.refuses(/n3 with disk \S+ is alive at \S+, this is disk \S+ at \S+: give one of them/);
    expect(refused.text).toContain(doors('n3').resp);
    expect((await stat(second.url)).replicas).toEqual([]);
    await prints(second, 'give one of them another LEVEE_NODE_ID');
    const found = await eventually('it is found', async () => (await findingsOf(portal(), 'two-processes'))[0]);
    expect(found.finding).toMatch(/two processes say they are node n3/);
    await everyKeyReads();
    expect((await stat(doors('n3').http)).ready).toBe(true);
    expect(await second.end()).toBe(0);
  }, 240_000);

  // In one process there is no other one, and no limit of its own for files.
  const itWithProcesses = (title: string, test: () => Promise<void>): void => {
    if (start === onKafka) it(title, test, 240_000);
  };

  itWithProcesses('two processes on one disk: the second ends at once and names the folder', async () => {
    const second = await nodeOnKafka('n3', folder('n3'));
    expect(await second.exit()).toBe(1);
    expect(second.printed).toContain(folder('n3'));
    await everyKeyReads();
  });

  it('a copy of a disk that is in use, in another place: the second process of that disk is refused, the first serves on', async () => {
    const copied = join(dir, 'copied');
    mkdirSync(copied, { recursive: true });
    // The process that works there may remove a file meanwhile.
    await eventually('it is copied', () => {
      rmSync(join(copied, 'n3'), { recursive: true, force: true });
      cpSync(folder('n3'), join(copied, 'n3'), { recursive: true });
      return true;
    });
    const second = await world.second('n3', join(copied, 'n3'));
    const refused = await second.refuses(/n3.*alive at/);
    expect(refused.text).toContain(doors('n3').resp);
    expect((await stat(second.url)).replicas.filter(({ readable }) => readable)).toEqual([]);
    await everyKeyReads();
    expect((await stat(doors('n3').http)).ready).toBe(true);
    expect(await second.end()).toBe(0);
    await digestsAgree();
  }, 240_000);

  itWithProcesses(
    'a disk that takes no more: its replicas stand still as full, the others serve, with room it catches up',
    async () => {
      await cluster.stop('n3');
      const node = await nodeOnKafka('n3', folder('n3'), { fileBlocksMax: 256 });
      await node.ready();
      const before = await stat(node.url);
      const value = 'x'.repeat(50_000);
      for (let i = 0; i < 40; i++) await put(`large${i}`, value);
      const full = await eventually(
        'every replica is full',
        async () => {
          const found = await stat(node.url);
          return found.replicas.every(({ state }) => state === 'full') ? found : undefined;
        },
        60_000,
      );
      expect(full.replicas).toHaveLength(before.replicas.length);
      for (const { problem } of full.replicas) expect(problem).toMatch(/the disk is full: .*File too large/);
      await prints(node, 'a replica stands still until its disk has room');
      expect(node.printed).not.toContain('rebuilding a replica');
      await eventually('it is found', async () => (await findingsOf(portal(), 'replica-full')).length > 0);
      await everyKeyReads();
      await put('k0', 'v0');
      expect(await node.end()).toBe(0);
      await cluster.start('n3');
      await everyKeyReads();
      await digestsAgree();
    },
  );
});
