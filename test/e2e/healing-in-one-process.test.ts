import { randomBytes } from 'node:crypto';
import { rmSync } from 'node:fs';
import { failed, underLoad } from '../support/cluster-under-load';
import { eventually } from '../support/deadline';
import { HealingDoor, livingOn, putAt } from '../support/healing-door';
import { PartsInOneProcess } from '../support/parts-in-one-process';
import { dice } from '../support/seed';
import { scratchFolder } from '../support/standalone-process';

const capacityBytes = 4 * 2 ** 20;
const valueBytes = 16_384;
const healDeadlineMs = 90_000;

/** What healing.test.ts shows of processes on Kafka, as far as parts of one process can be lost. */
describe('a cluster on the embedded log that heals by itself', () => {
  const figures: Record<string, unknown> = {};
  let dir: string;
  let cluster: PartsInOneProcess;
  let door: HealingDoor;

  beforeAll(async () => {
    dir = scratchFolder('healing-embedded');
    const wanted = { nodes: 4, portals: 2, dispatchers: 1, namespace: { partitions: 4, chunks: 4, replicas: 3 } };
    cluster = await PartsInOneProcess.start(dir, wanted, {
      LEVEE_UNITS: '24x64MiB:leveldb',
      LEVEE_LOST_AFTER: '4s',
      LEVEE_BARRIER_INTERVAL: '500ms',
      LEVEE_PLAN_OBSERVE: '1s',
      LEVEE_DISPATCH_INTERVAL: '500ms',
      LEVEE_SETTLE_TIME: '3s',
      LEVEE_COOL_DOWN: '10s',
    });
    door = new HealingDoor(cluster);
  }, 180_000);

  afterAll(async () => {
    const said = await cluster?.end();
    process.stdout.write(`healing on the embedded log: ${JSON.stringify(figures)}\n`);
    rmSync(dir, { recursive: true, force: true });
    expect(said).toBe('');
  }, 120_000);

  it('a node that is gone is made up for, without an operation failing and with equal replicas', async () => {
    const startedMs = performance.now();
    const judgement = await underLoad(cluster, { consistency: 'strong', random: dice() }, async () => {
      await cluster.stop('n4');
      await eventually(
        'every chunk has three living replicas elsewhere',
        async () => (await door.routes()).every((route) => livingOn(route).filter((id) => id !== 'n4').length === 3),
        healDeadlineMs,
      );
      figures['lost to healed, ms'] = Math.round(performance.now() - startedMs);
    });
    expect(failed(judgement)).toEqual([]);
    const healed = await door.healed('deadReplica', 'default');
    expect(healed.length).toBeGreaterThan(0);
    for (const plan of healed) {
      expect(plan).toMatchObject({ kind: 'reReplicate', proposedBy: 'dispatcher d1' });
      expect(JSON.parse(plan.evidence)).toMatchObject({ replicasWanted: 3, replicasLiving: 2, to: plan.toNodeId });
    }
    // One for each replica that was lost, and no more.
    expect(new Set(healed.flatMap(({ targets }) => targets.map(({ chunkId }) => chunkId))).size).toBe(healed.length);
    await door.digestsAgree('default');
  }, 240_000);

  it('a new node, empty under an old name, gets its share and no more', async () => {
    rmSync(cluster.doors.nodes.find(({ name }) => name === 'n4')?.dir ?? '', { recursive: true });
    const startedMs = performance.now();
    const judgement = await underLoad(cluster, { consistency: 'session', random: dice() }, async () => {
      await cluster.start('n4');
      // 12 replicas on 4 nodes of equal size are 3 each; filled to nine tenths that is 2.
      await eventually(
        'readers are sent to two replicas there',
        async () => (await door.routes()).filter((route) => livingOn(route).includes('n4')).length >= 2,
        healDeadlineMs,
      );
      figures['empty to filled, ms'] = Math.round(performance.now() - startedMs);
    });
    expect(failed(judgement)).toEqual([]);
    await eventually(
      'the old places are free again',
      async () => (await door.healed('emptyNode')).every(({ state }) => state === 'done'),
      healDeadlineMs,
    );
    const filled = await door.healed('emptyNode');
    expect(filled).toHaveLength(2);
    for (const plan of filled) expect(plan).toMatchObject({ kind: 'move', toNodeId: 'n4' });
    expect(await door.replicasOn('n4')).toBe(2);
    await door.digestsAgree('default');
  }, 240_000);

  it('a full chunk is split', async () => {
    const url = cluster.doors.portals[0]?.http as string;
    await door.serves(url, { name: 'eager', partitions: 1, chunks: 1, replicas: 2, chunkCapacityBytes: capacityBytes });
    for (let i = 0; i * valueBytes < capacityBytes * 0.85; i++)
      expect(await putAt(url, 'eager', `k${i}`, new Uint8Array(randomBytes(valueBytes)))).toBe(204);
    await eventually('it is split', async () => (await door.routes('eager')).length === 2, healDeadlineMs);
    const [own] = await door.healed('fullChunk', 'eager');
    expect(JSON.parse(own?.evidence ?? '{}').share).toBeGreaterThanOrEqual(0.65);
    await door.digestsAgree('eager');
  }, 240_000);
});
