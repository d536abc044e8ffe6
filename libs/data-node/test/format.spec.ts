import { mkdir, readFile, rmdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { PlanState } from '@levee/events';
import { submit } from '@levee/journal';
import { SmallCluster, topics, until } from './small-cluster';

const ns = 'shop.orders';
const keys = Array.from({ length: 200 }, (_, i) => `key-${i}`);
const MiB = 2 ** 20;

/** Real master, driver and nodes on one log: a node is emptied and its disk carved anew. */
describe('a format, done by the node it names', () => {
  let cluster: SmallCluster;
  beforeEach(async () => {
    cluster = await SmallCluster.start();
  });
  afterEach(() => cluster.close());

  async function filled(units: string): Promise<void> {
    for (const nodeId of ['n1', 'n2', 'n3']) await cluster.node(nodeId, { units });
    await cluster.ready();
    await cluster.namespace(ns, { partitions: 2, chunks: 2, replicas: 2 });
    for (const key of keys) await cluster.append(ns, key, `value of ${key}`);
  }

  async function propose(payload: object): Promise<string> {
    const id = await submit(cluster.log, topics, { kind: 'ProposePlan', payload, principal: 'test' });
    const outcome = await cluster.view.outcome(id, 10_000);
    if (outcome.rejectionCode !== null) throw new Error(`${outcome.rejectionCode}: ${outcome.rejectionMessage}`);
    return `p${outcome.seq}`;
  }

  const plan = (planId: string): PlanState => cluster.view.state.plan(planId)!;

  async function is(planId: string, what: string, look: (plan: PlanState) => boolean): Promise<void> {
    await until(`${planId} being ${what}`, () => look(plan(planId)), 60_000).catch((error: Error) => {
      const { state, step, failureMessage } = plan(planId);
      throw new Error(`${error.message}: ${state} at ${step}, ${failureMessage}`);
    });
  }

  const units = (nodeId: string): string[] =>
    [...cluster.view.state.unitsOf(nodeId)].map(
      ({ unitId, capacityBytes, engine, state }) => `${unitId} ${capacityBytes / MiB} ${engine} ${state}`,
    );

  const generations = (nodeId: string): Map<string, number> =>
    new Map([...cluster.view.state.unitsOf(nodeId)].map(({ unitId, generation }) => [unitId, generation]));

  async function everyKeyIsReadAt(nodeId: string, chunkId: string): Promise<number> {
    const ends = await cluster.log.offsets(cluster.view.state.namespace(ns)!.binlog);
    const { slotStart, slotEnd } = cluster.view.state.chunk(chunkId)!;
    let read = 0;
    for (const key of keys) {
      const { slot, partition } = cluster.place(ns, key);
      if (slot < slotStart || slot >= slotEnd) continue;
      const options = { minOffset: ends[partition]!.endOffset, deadlineMs: 5_000 };
      expect(await cluster.read(nodeId, ns, [key], options)).toEqual([`value of ${key}`]);
      read++;
    }
    return read;
  }

  /** A plan at its last step, on a disk that cannot be formatted: something is in the way of the record. */
  async function hinderedFormat(nodeId: string): Promise<{ readonly planId: string; readonly obstacle: string }> {
    const obstacle = join(cluster.folder, nodeId, 'units.json.new');
    await mkdir(obstacle);
    const planId = await propose({ kind: 'format', nodeId, units: '4x4MiB:leveldb', observeMs: 50 });
    await is(planId, 'at reformat', ({ step }) => step === 'reformat');
    await until('the node saying why', async () =>
      String((await cluster.stat(nodeId))['problem']).includes('units.json'),
    );
    return { planId, obstacle };
  }

  it('the node is emptied, offers the new units under the same disk, and takes data in them, in memory too', async () => {
    await filled('6x8MiB:leveldb');
    const node = [...cluster.view.state.chunks()][0]!.replicas[0]!.nodeId;
    const before = generations(node);
    const { storeId } = cluster.view.state.node(node)!;
    const planId = await propose({
      kind: 'format',
      nodeId: node,
      units: '2x16MiB:memory,3x8MiB:leveldb',
      observeMs: 50,
    });
    await is(planId, 'done', ({ state }) => state === 'done');
    expect(units(node)).toEqual([
      `${node}/u01 16 memory free`,
      `${node}/u02 16 memory free`,
      `${node}/u03 8 leveldb free`,
      `${node}/u04 8 leveldb free`,
      `${node}/u05 8 leveldb free`,
    ]);
    expect(cluster.view.state.node(node)?.storeId).toBe(storeId);
    for (const [unitId, generation] of generations(node))
      expect(`${unitId} ${generation >= (before.get(unitId) ?? 0)}`).toBe(`${unitId} true`);
    // From a leveldb unit of another node into memory here, and on into leveldb here.
    const [chunk] = cluster.view.state.chunksOf(ns);
    const chunkId = chunk!.chunkId;
    const from = chunk!.replicas[0]!.nodeId;
    const into = await propose({ kind: 'move', chunkId, from, to: node, engine: 'memory', observeMs: 50 });
    await is(into, 'done', ({ state }) => state === 'done');
    const inMemory = cluster.view.state.chunk(chunkId)!.replicas.find((of) => of.nodeId === node)!;
    expect(cluster.view.state.unit(inMemory.unitId)).toMatchObject({ engine: 'memory', state: 'allocated' });
    expect(await everyKeyIsReadAt(node, chunkId)).toBeGreaterThan(50);
    const out = await propose({ kind: 'move', chunkId, from: node, to: from, engine: 'leveldb', observeMs: 50 });
    await is(out, 'done', ({ state }) => state === 'done');
    expect(await everyKeyIsReadAt(from, chunkId)).toBeGreaterThan(50);
    expect(units(node).every((unit) => unit.endsWith('free'))).toBe(true);
  }, 120_000);

  it('goes on where the end of the process cut it short, and the folder wins over the settings from then on', async () => {
    await filled('6x8MiB:leveldb');
    const node = [...cluster.view.state.chunks()][0]!.replicas[0]!.nodeId;
    const { planId, obstacle } = await hinderedFormat(node);
    await cluster.stopNode(node);
    expect(units(node)).toHaveLength(6);
    // As a process leaves it that dies between the record and the clearing.
    const left = join(cluster.folder, node, 'units', 'u01', `g${generations(node).get(`${node}/u01`)}`, 'CURRENT');
    await mkdir(dirname(left), { recursive: true });
    await writeFile(left, 'left over');
    await rmdir(obstacle);
    await cluster.node(node, { units: '6x8MiB:leveldb' });
    await is(planId, 'done', ({ state }) => state === 'done');
    expect(units(node)).toEqual([1, 2, 3, 4].map((i) => `${node}/u0${i} 4 leveldb free`));
    await expect(readFile(left)).rejects.toMatchObject({ code: 'ENOENT' });
    await cluster.stopNode(node);
    const again = await cluster.node(node, { units: '9x1MiB:leveldb' });
    await cluster.ready();
    expect(units(node)).toHaveLength(4);
    expect(again.stats()['unitsOffered']).toBe(4);
  }, 120_000);

  it('that is cancelled at its last step ends once the node has let go of it, and the node takes replicas again', async () => {
    await filled('6x8MiB:leveldb');
    const [chunk] = cluster.view.state.chunks();
    const node = chunk!.replicas[0]!.nodeId;
    const { planId } = await hinderedFormat(node);
    const id = await submit(cluster.log, topics, { kind: 'CancelPlan', payload: { planId }, principal: 'test' });
    expect(await cluster.view.outcome(id, 10_000)).toMatchObject({ rejectionCode: null });
    await is(planId, 'cancelled', ({ state }) => state === 'cancelled');
    expect(plan(planId).history.at(-1)).toMatchObject({ step: 'reformat', what: 'ended' });
    expect(units(node)).toHaveLength(6);
    const { chunkId } = chunk!;
    const from = cluster.view.state.chunk(chunkId)!.replicas[0]!.nodeId;
    const into = await propose({ kind: 'move', chunkId, from, to: node, observeMs: 50 });
    await is(into, 'done', ({ state }) => state === 'done');
    expect(await everyKeyIsReadAt(node, chunkId)).toBeGreaterThan(50);
  }, 120_000);
});
