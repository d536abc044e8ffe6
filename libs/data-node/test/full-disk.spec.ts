import type { Logger } from '@levee/kernel';
import { dice, seed } from '../../../test/support/seed';
import { FailingDisk, type Refusal } from './failing-disk';
import { SmallCluster, until } from './small-cluster';

const ns = 'shop.orders';
const random = dice(seed + 5);
const drawn = (max: number): number => Math.floor(random() * max);

/** A data node whose file system is full: it stands still where it is, says so, and goes on when there is room. */
describe(`a node on a disk that takes no more (seed ${seed})`, () => {
  let cluster: SmallCluster;
  let disk: FailingDisk;
  const errors: string[] = [];
  beforeEach(async () => {
    cluster = await SmallCluster.start();
    disk = new FailingDisk();
    errors.length = 0;
  });
  afterEach(() => cluster.close());

  const logger: Logger = {
    debug: () => undefined,
    info: () => undefined,
    warn: () => undefined,
    error: (_details: object, message: string) => void errors.push(message),
  };

  async function filled(): Promise<void> {
    await cluster.node('n1', { openDisk: disk.open }, logger);
    await cluster.node('n2');
    await cluster.ready();
    await cluster.namespace(ns, { partitions: 2, chunks: 2 });
    for (let i = 0; i < 50; i++) await cluster.append(ns, `before-${i}`, `value ${i}`);
    await everythingIsRead('n1', 'before', 50);
  }

  async function everythingIsRead(nodeId: string, prefix: string, count: number): Promise<void> {
    const ends = await cluster.log.offsets(cluster.view.state.namespace(ns)!.binlog);
    for (let i = 0; i < count; i++) {
      const key = `${prefix}-${i}`;
      const minOffset = ends[cluster.place(ns, key).partition]!.endOffset;
      expect(await cluster.read(nodeId, ns, [key], { minOffset, deadlineMs: 10_000 })).toEqual([`value ${i}`]);
    }
  }

  const figure = (nodeId: string, name: string): unknown => cluster.nodes.get(nodeId)!.stats()[name];
  const replicas = async (nodeId: string): Promise<{ state: string; readable: boolean; problem: string }[]> =>
    (await cluster.stat(nodeId))['replicas'] as { state: string; readable: boolean; problem: string }[];

  const refusals: readonly (readonly [Refusal, RegExp])[] = [
    ['No space left on device', /the disk is full: .*No space left on device/],
    ['Read-only file system', /the disk cannot be written: .*Read-only file system/],
    ['Operation not permitted', /the disk cannot be written: .*Operation not permitted/],
  ];

  it.each(refusals)(
    '%s: stops at an offset and serves what it has, the others go on, and it goes on later',
    async (says, words) => {
      disk.says = says;
      await filled();
      disk.fillAfter(drawn(6));
      for (let i = 0; i < 50; i++) await cluster.append(ns, `after-${i}`, `value ${i}`);
      await until('both replicas standing still', () => figure('n1', 'replicasFull') === 2);
      for (const { state, readable, problem } of await replicas('n1')) {
        expect([state, readable]).toEqual(['full', true]);
        expect(problem).toMatch(words);
      }
      expect(cluster.nodes.get('n1')!.readyProblem()).toMatch(words);
      expect(errors.filter((message) => /stands still until its disk has room/.test(message))).toHaveLength(2);
      for (let i = 0; i < 50; i++) expect(await cluster.read('n1', ns, [`before-${i}`])).toEqual([`value ${i}`]);
      await everythingIsRead('n2', 'after', 50);
      // Nothing is tried, cleared or built anew meanwhile: what is open stays readable.
      const { refused } = disk;
      await new Promise((resolve) => setTimeout(resolve, 2_500));
      expect(disk.refused).toBe(refused);
      expect([figure('n1', 'rebuilds'), figure('n1', 'replicasReadable')]).toEqual([0, 2]);

      disk.free();
      await until('both going on', () => figure('n1', 'replicasFull') === 0);
      await cluster.ready();
      await everythingIsRead('n1', 'after', 50);
      expect([figure('n1', 'rebuilds'), figure('n1', 'replicasFull')]).toEqual([0, 0]);
      expect((await replicas('n1')).map(({ state, problem }) => [state, problem])).toEqual([
        ['following', null],
        ['following', null],
      ]);
    },
    60_000,
  );

  it.each(refusals)(
    '%s: clears nothing when its replicas cannot be opened, and opens them later',
    async (says, words) => {
      disk.says = says;
      await filled();
      await cluster.stopNode('n1');
      for (let i = 0; i < 50; i++) await cluster.append(ns, `after-${i}`, `value ${i}`);
      disk.fillAfter(0);
      await cluster.node('n1', { openDisk: disk.open }, logger);
      await until('both replicas waiting for room', () => figure('n1', 'replicasFull') === 2);
      for (const { readable, problem } of await replicas('n1')) {
        expect(readable).toBe(false);
        expect(problem).toMatch(words);
      }
      expect(cluster.nodes.get('n1')!.readyProblem()).toMatch(words);
      disk.free();
      await cluster.ready();
      expect(figure('n1', 'rebuilds')).toBe(0);
      await everythingIsRead('n1', 'before', 50);
      await everythingIsRead('n1', 'after', 50);
    },
    60_000,
  );

  it('tells the plan that fills one of its units, and fills it once there is room', async () => {
    await filled();
    await cluster.node('n3', { openDisk: disk.open }, logger);
    await cluster.ready();
    disk.fillAfter(0);
    const [chunk] = cluster.view.state.chunksOf(ns);
    const payload = { kind: 'move', chunkId: chunk!.chunkId, from: 'n2', to: 'n3', observeMs: 50 };
    await cluster.command('ProposePlan', payload);
    const plan = () => [...cluster.view.state.plans()][0];
    await until('the plan knowing why', () => plan()?.failureCode === 'DISK_FULL', 30_000);
    disk.free();
    await until('the plan being done', () => plan()?.state === 'done', 50_000);
  }, 90_000);
});
