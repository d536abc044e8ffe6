import { rmSync } from 'node:fs';
import { connect, utf8, type Client, type DirectStatus } from '@levee/sdk';
import { direct } from '../../libs/sdk/src/direct';
import { judge } from '../history/judgement';
import { SdkClient } from '../history/sdk-client';
import { Workload } from '../history/workload';
import { ClusterProcess } from '../support/cluster-process';
import { eventually } from '../support/deadline';
import { PlanDoor, type Route } from '../support/plan-door';
import { dice, full, seed } from '../support/seed';
import { scratchFolder } from '../support/standalone-process';

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const settings = {
  LEVEE_UNITS: '12x64MiB:leveldb',
  LEVEE_BARRIER_INTERVAL: '500ms',
  LEVEE_PLAN_OBSERVE: '300ms',
  LEVEE_TOPIC_PREFIX: `direct${process.pid}`,
};

/** Nothing waits longer, whatever dies. */
const answeredWithinMs = 5_000;

describe('reads from data nodes without a portal, on real Kafka', () => {
  const figures: Record<string, unknown> = {};
  let dir: string;
  let cluster: ClusterProcess;
  let door: PlanDoor;

  beforeAll(async () => {
    const brokers = process.env.KAFKA_BROKERS ?? '';
    if (brokers === '') throw new Error('KAFKA_BROKERS is not set: npm test starts a Kafka');
    dir = scratchFolder('direct');
    const shape = ['--masters', '1', '--nodes', '4', '--partitions', '4', '--chunks', '4', '--replicas', '3'];
    cluster = await ClusterProcess.start(['--brokers', brokers, '--dir', dir, ...shape], settings);
    door = new PlanDoor(cluster);
  }, 180_000);

  afterAll(async () => {
    process.stdout.write(`direct: ${JSON.stringify(figures)}\n`);
    const said = await cluster?.end();
    rmSync(dir, { recursive: true, force: true });
    expect(said).toBe('');
  }, 120_000);

  const portals = (): string[] => cluster.respPorts.map((port) => `127.0.0.1:${port}`);
  const statusOf = (client: Client): DirectStatus => client.status().direct as DirectStatus;

  const primaryOf = ({ replicas }: Route): string => replicas.find(({ role }) => role === 'primary')?.nodeId as string;

  /** A chunk goes to the node that has none of it, another one is split. */
  async function changeChunks(): Promise<void> {
    const [first, second] = (await door.routes()) as [Route, Route];
    const held = new Set(first.replicas.map(({ nodeId }) => nodeId));
    const to = ['n1', 'n2', 'n3', 'n4'].find((nodeId) => !held.has(nodeId));
    await Promise.all([
      door.carryOut({ kind: 'move', chunkId: first.chunkId, from: primaryOf(first), to }),
      door.carryOut({ kind: 'split', chunkId: second.chunkId }),
    ]);
  }

  it('while chunks move and split and nodes are killed, every read and page is what was written last, and none fails', async () => {
    const client = await connect({ portals: portals(), reads: direct() });
    const keys = client.namespace('default').typed(utf8);
    const names = Array.from({ length: 60 }, (_, i) => `d${String(i).padStart(2, '0')}`);
    const written = new Map<string, string>();
    const random = dice(seed);
    let rounds = 0;
    let longestMs = 0;
    let stopped = false;
    const reading = (async () => {
      for (; !stopped; rounds++) {
        const some = names.filter(() => random() < 0.2);
        await Promise.all(
          some.map(async (key) => {
            // Nobody else writes: what is read next is this, or the write has failed.
            await keys.put(key, `${rounds}`);
            written.set(key, `${rounds}`);
          }),
        );
        const beganMs = performance.now();
        expect(await keys.getMany(names)).toEqual(names.map((key) => written.get(key)));
        longestMs = Math.max(longestMs, performance.now() - beganMs);
        const page = [];
        for await (const { key, value } of keys.scan({ prefix: 'd', pageKeys: 25 })) page.push([key, value]);
        expect(page).toEqual([...written].sort(([a], [b]) => (a < b ? -1 : 1)));
        await pause(2);
      }
    })();
    const faults = (async () => {
      await eventually('nodes answer', () => statusOf(client).answered > 100);
      await changeChunks();
      for (let n = 0; n < (full ? 6 : 1); n++) {
        const killed = primaryOf((await door.routes())[n % 2] as Route);
        await cluster.kill(killed);
        await pause(700);
        await cluster.start(killed);
      }
      await eventually(
        'every node is asked again',
        () => statusOf(client).nodes.every(({ isAsked }) => isAsked),
        60_000,
      );
      const before = statusOf(client).answered;
      await eventually('nodes answer', () => statusOf(client).answered > before + 100);
    })();
    await Promise.race([reading, faults]);
    await faults;
    stopped = true;
    await reading;
    figures['changes'] = { rounds, longestMs: Math.round(longestMs), ...statusOf(client) };
    expect(longestMs).toBeLessThan(answeredWithinMs);
    const { answered, throughPortals } = statusOf(client);
    expect(answered).toBeGreaterThan(2 * (throughPortals.refused + throughPortals.slow + throughPortals.noRoutes));
    await using byPortals = await connect({ portals: portals() });
    const theirs = byPortals.namespace('default').typed(utf8);
    await theirs.join(keys.session() as string);
    expect(await keys.getMany(names)).toEqual(await theirs.getMany(names));
    for (const key of names.slice(0, 5)) expect(await keys.entry(key)).toEqual(await theirs.entry(key));
    await client.close();
  }, 240_000);

  it('nodes killed and paused, and a portal killed: no read fails, and no session sees what it has seen taken back', async () => {
    const open = (name: string): Promise<SdkClient> =>
      SdkClient.open(name, portals(), 'session', { reads: direct(), deadlineMs: answeredWithinMs });
    const clients = await Promise.all(Array.from({ length: 6 }, (_, i) => open(`direct${i}`)));
    const workload = new Workload({
      clients,
      auditor: await SdkClient.open('auditor', portals(), 'strong'),
      consistency: 'session',
      oneWriterPerKey: true,
      random: dice(seed),
      keyPrefix: 'session-',
      pauseMs: 5,
      reads: 0.7,
    });
    const answered = (): number => clients.reduce((sum, { client }) => sum + statusOf(client).answered, 0);
    workload.start();
    await eventually('nodes answer', () => answered() > 50);
    for (let round = 0; round < (full ? 8 : 1); round++) {
      const primaries = (await door.routes()).map(primaryOf);
      // One may lead everything by now.
      const [killed, paused] = [...new Set([...primaries, 'n1', 'n2', 'n3', 'n4'])];
      await cluster.kill(killed as string);
      await pause(700);
      await cluster.launch(killed as string);
      await cluster.pause(paused as string);
      await pause(1_500);
      await cluster.resume(paused as string);
      await cluster.kill('p2');
      await pause(500);
      await cluster.start('p2');
      await eventually(
        'every node is asked again',
        () => clients.every(({ client }) => statusOf(client).nodes.every(({ isAsked }) => isAsked)),
        60_000,
      );
    }
    const judgement = judge(await workload.stop());
    const { outcomes, latencyMs } = judgement;
    figures['session'] = { outcomes, latencyMs, answered: answered() };
    expect({ seed, faults: judgement.faults }).toEqual({ seed, faults: [] });
    expect({ reads: outcomes.reads, reasons: judgement.reasons }).toMatchObject({
      reads: { definite: 0, indefinite: 0, pending: 0 },
    });
    expect(latencyMs.reads.max).toBeLessThan(answeredWithinMs);
    expect(outcomes.reads.ok).toBeGreaterThan(200);
    expect(answered()).toBeGreaterThan(outcomes.reads.ok / 2);
  }, 240_000);
});
