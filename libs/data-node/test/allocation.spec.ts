import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { decodeAs } from '@levee/codec';
import { SmallCluster, topics, until } from './small-cluster';

const ns = 'shop.orders';

describe('units that decisions give and take', () => {
  let cluster: SmallCluster;
  beforeEach(async () => {
    cluster = await SmallCluster.start();
  });
  afterEach(() => cluster.close());

  const records = (): number =>
    Number((cluster.nodes.get('n1')!.stats()['feeds'] as Record<string, number>)['records']);

  it('a learner catches up on its own, joins the shared tail, is not readable, and leaves nothing when reclaimed', async () => {
    await cluster.node('n1');
    await cluster.node('n2');
    await cluster.ready();
    await cluster.namespace(ns, { partitions: 1, chunks: 2, replicas: 1 });
    for (let i = 0; i < 200; i++) await cluster.append(ns, `k${i}`, `v${i}`);
    const chunk = [...cluster.view.state.chunksOf(ns)].find((each) => each.replicas[0]!.nodeId === 'n2')!;
    const unit = [...cluster.view.state.freeUnitsOf('n1')][0]!;
    const { unitId, generation } = unit;
    await cluster.command('AllocateUnit', { unitId, generation, chunkId: chunk.chunkId });

    const learner = async () =>
      (
        (await cluster.stat('n1'))['replicas'] as {
          unitId: string;
          role: string;
          readable: boolean;
          positions: { nextOffset: number }[];
        }[]
      ).find((each) => each.unitId === unitId);
    await until('the learner at the end', async () => (await learner())?.positions[0]?.nextOffset === 201);
    expect(await learner()).toMatchObject({ role: 'learner', readable: false });
    expect(cluster.nodes.get('n1')!.readyProblem()).toBeUndefined();
    expect((await cluster.read('n1', ns, ['any'], { slot: chunk.slotStart }))[0]).toMatch(/^LVNOTREADY/);

    const before = records();
    for (let i = 0; i < 50; i++) await cluster.append(ns, `k${i}`, 'again');
    await until('the learner at the end', async () => (await learner())?.positions[0]?.nextOffset === 251);
    expect(records() - before).toBe(50);

    const folder = join(cluster.folder, 'n1', 'units', unitId.split('/')[1]!, `g${generation + 1}`);
    expect(existsSync(folder)).toBe(true);
    await cluster.command('ReclaimUnit', { unitId, generation: generation + 1 });
    await until('the unit being free', () => cluster.view.state.unit(unitId)?.state === 'free');
    expect(existsSync(folder)).toBe(false);
    expect(await learner()).toBeUndefined();
  });

  it('a unit that is full stands still at its position, says so, and goes on serving what it has', async () => {
    await cluster.node('n1', { units: '4x1MiB' });
    await cluster.ready();
    await cluster.namespace(ns, { partitions: 1, chunks: 1, chunkCapacityBytes: 1 << 20 });
    const { offset } = await cluster.append(ns, 'first', 'v');
    expect(await cluster.read('n1', ns, ['first'], { minOffset: offset + 1 })).toEqual(['v']);
    for (let i = 0; i < 30; i++) await cluster.append(ns, `big-${i}`, 'x'.repeat(64 * 1024));
    const stat = async () => JSON.stringify(await cluster.stat('n1'));
    await until('the alarm', async () => (await stat()).includes('split the chunk'));
    expect(JSON.parse(await stat())).toMatchObject({
      replicas: [{ state: 'full', readable: true, capacityBytes: 1 << 20 }],
    });
    expect(cluster.nodes.get('n1')!.stats()['replicasFull']).toBe(1);
    expect(await cluster.read('n1', ns, ['first'])).toEqual(['v']);
    const end = (await cluster.log.offsets(cluster.view.state.namespace(ns)!.binlog))[0]!.endOffset;
    expect((await cluster.read('n1', ns, ['big-29'], { minOffset: end, deadlineMs: 20 }))[0]).toMatch(/^LVBEHIND 0:/);
  });

  it('values overwritten in memory do not fill a unit: it goes on by itself once a sweep has counted', async () => {
    await cluster.node('n1', { units: '4x1MiB:memory' });
    await cluster.ready();
    await cluster.namespace(ns, { partitions: 1, chunks: 1, chunkCapacityBytes: 1 << 20 });
    for (let i = 0; i < 40; i++) await cluster.append(ns, `key-${i % 4}`, String(i).repeat(32 * 1024));
    const { offset } = await cluster.append(ns, 'last', 'v');
    const last = (): Promise<string[]> => cluster.read('n1', ns, ['last'], { minOffset: offset + 1, deadlineMs: 100 });
    await until('everything being applied', async () => (await last())[0] === 'v', 20_000);
    await until('the count', () => Number(cluster.nodes.get('n1')!.stats()['storedBytes']) < 600 << 10, 20_000);
  });

  it('counts its live keys by sweeping, again after writes', async () => {
    await cluster.node('n1');
    await cluster.ready();
    await cluster.namespace(ns, { partitions: 1, chunks: 1 });
    for (let i = 0; i < 30; i++) await cluster.append(ns, `k${i % 10}`, 'v');
    await cluster.append(ns, 'k0', null);
    const keys = async () => ((await cluster.stat('n1'))['replicas'] as { liveKeys: number }[])[0]!.liveKeys;
    await until('the first count', async () => (await keys()) === 9);
    await cluster.append(ns, 'another', 'v');
    await until('the next count', async () => (await keys()) === 10, 15_000);
  });

  it('says in heartbeats who it is and how far its replicas are', async () => {
    const node = await cluster.node('n1');
    await cluster.ready();
    await cluster.namespace(ns, { partitions: 1, chunks: 1 });
    const beats = async () =>
      (await cluster.records(topics.heartbeats))
        .map((value) => decodeAs('Heartbeat', value))
        .filter(({ id, kind }) => kind === 'node' && id === 'n1');
    const position = { namespace: ns, partition: 0, nextOffset: 1 };
    // It is assigned before it has read its Genesis.
    await until('its position in a heartbeat', async () => (await beats()).at(-1)?.positions[0]?.nextOffset === 1);
    const last = (await beats()).at(-1)!;
    expect(last).toMatchObject({ incarnation: node.incarnation, address: node.respAddress });
    expect(last.positions).toMatchObject([position]);
  });

  it('says in heartbeats what its replicas hold and did, in counters that outlive a rebuild', async () => {
    const node = await cluster.node('n1', { heartbeatMs: 20 });
    await cluster.ready();
    await cluster.namespace(ns, { partitions: 1, chunks: 1 });
    for (let i = 0; i < 10; i++) await cluster.append(ns, `k${i}`, 'v'.repeat(1000));
    const end = (await cluster.log.offsets(cluster.view.state.namespace(ns)!.binlog))[0]!.endOffset;
    await cluster.read('n1', ns, ['k1', 'k2', 'k3'], { minOffset: end });
    const load = async () =>
      (await cluster.records(topics.heartbeats))
        .map((value) => decodeAs('Heartbeat', value))
        .filter(({ id, loads }) => id === 'n1' && loads.length > 0)
        .at(-1)?.loads[0];
    await until('the load', async () => (await load())?.reads === 3);
    const { chunkId } = [...cluster.view.state.chunksOf(ns)][0]!;
    expect(await load()).toMatchObject({ chunkId, recordsApplied: 10 });
    expect((await load())!.bytesApplied).toBeGreaterThan(10_000);
    expect((await load())!.storedBytes).toBeGreaterThan(10_000);
    node.serving()!.host.chunk(chunkId)!.mustRebuild('the test asks for it');
    await until('all applied again', async () => (await load())?.recordsApplied === 20);
    expect((await load())?.reads).toBe(3);
  });
});
