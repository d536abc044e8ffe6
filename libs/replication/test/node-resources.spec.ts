import { SmallCluster, until } from './small-cluster';

const ns = 'shop.orders';
const MiB = 2 ** 20;
type Figures = Readonly<Record<string, number>>;

/** What one node says of its memory and of its background work while it serves more data than it may keep. */
describe('resources of a node', () => {
  let cluster: SmallCluster;
  beforeEach(async () => {
    cluster = await SmallCluster.start();
  });
  afterEach(() => cluster.close());

  it('keeps hot values and databases within the budget, and counts background reads by class', async () => {
    const budgetBytes = 4 * MiB;
    const node = await cluster.node('n1', {
      units: '6x8MiB:leveldb,2x8MiB:memory',
      memoryBudgetBytes: budgetBytes,
      digestBytesPerSecond: 64 * MiB,
    });
    await cluster.ready();
    await cluster.namespace(ns, { partitions: 2, chunks: 2 });
    const keys = Array.from({ length: 400 }, (_, i) => `key-${i}`);
    const ends = [0, 0];
    for (const key of keys) {
      const { partition, offset } = await cluster.append(ns, key, `${key} ${'x'.repeat(8_000)}`);
      ends[partition] = Number(offset) + 1;
    }
    const memory = (): Figures => node.stats()['memory'] as Figures;
    const io = (): Figures => node.stats()['io'] as Figures;
    for (let round = 0; round < 3; round++)
      for (const key of keys) {
        const minOffset = ends[cluster.place(ns, key).partition]!;
        expect((await cluster.read('n1', ns, [key], { minOffset }))[0]).toMatch(new RegExp(`^${key} x+$`));
        expect(memory()['valueUsedBytes']).toBeLessThanOrEqual(memory()['valueBudgetBytes']!);
      }
    const found = memory();
    expect(found['budgetBytes']).toBe(budgetBytes);
    expect(found['engineBudgetBytes']! + found['valueBudgetBytes']!).toBeLessThanOrEqual(budgetBytes);
    expect(found['engineUsedBytes']).toBeGreaterThan(0);
    expect(found['engineUsedBytes']).toBeLessThanOrEqual(found['engineBudgetBytes']!);
    // 3.2 MB are asked for in turn, of which 1.6 MiB are kept: most reads, but not all, go to the disk.
    expect(found['valueUsedBytes']).toBeGreaterThan(0);
    expect(found['valueHitRatio']).toBeLessThan(1);
    await cluster.read('n1', ns, [keys[0]!]);
    const before = memory()['valueHitRatio']!;
    for (let i = 0; i < 200; i++) await cluster.read('n1', ns, [keys[0]!]);
    expect(memory()['valueHitRatio']).toBeGreaterThan(before);
    await until('a sweep having read all of it', () => io()['sweepBytes']! > keys.length * 8_000, 20_000);
    expect(io()['digestBytes']).toBe(0);
    const barrier = { id: 'all', namespace: ns, digest: true };
    await cluster.command('RequestBarrier', barrier);
    await until('digests having read all of it', () => io()['digestBytes']! > keys.length * 8_000, 20_000);
    expect(io()).toMatchObject({ copyBytes: 0, sweepWaiting: 0, digestWaiting: 0 });
  }, 60_000);
});
