import { submit } from '@levee/journal';
import type { Portal } from '@levee/portal';
import { TestCluster, topics, until } from './test-cluster';

jest.setTimeout(60_000);

describe('a chunk that is nearly full', () => {
  let cluster: TestCluster;
  let portal: Portal;
  let send: (...args: (string | Buffer)[]) => Promise<unknown>;

  beforeAll(async () => {
    cluster = await TestCluster.start(2);
    await cluster.namespace('default', { partitions: 1, chunks: 1, chunkCapacityBytes: 1 << 20 });
    portal = await cluster.portal();
    ({ send } = cluster.connect(portal));
  });
  afterAll(() => cluster.close());

  const value = Buffer.alloc(64 << 10, 'x');
  const full =
    /^-LVFULL chunk default#1\/c00001 holds \d+ bytes, its soft limit is 943718 \(90 % of chunkCapacityBytes 1048576\): split it, raise chunkCapacityBytes, or delete keys \(key '[a-z]\d+'\)$/;
  /** Sets new keys until one is refused; how many were taken. */
  const fill = async (prefix: string, max: number): Promise<number> => {
    for (let i = 0; i < max; i++) {
      const answer = await send('SET', `${prefix}${i}`, value);
      if (answer !== 'OK') {
        expect(answer).toMatch(full);
        return i;
      }
    }
    return max;
  };
  const storedBytes = (): number => portal.store.loads.of('default#1/c00001').storedBytes;

  it('takes values up to the soft limit, however quickly they come, and refuses the next definitely', async () => {
    await until('the first load', () => portal.store.loads.of('default#1/c00001').replicas.size === 2);
    const taken = await fill('a', 64);
    // 0.9 MiB in values of 64 KiB, and the one that crosses the limit; nodes told nothing in between.
    expect(taken).toBeGreaterThanOrEqual(14);
    expect(taken).toBeLessThanOrEqual(16);
    const nodes = [...cluster.nodes.values()];
    await until('the nodes telling the same', () =>
      nodes.every((node) => Number(node.stats()['storedBytes']) > 943_718),
    );
    await until('the portal hearing it', () => storedBytes() > 943_718);
    expect(await fill('b', 1)).toBe(0);
    expect(portal.stats()['capacity']).toEqual({ chunksFull: 1, namespacesFrozen: 0 });
    expect(await send('GET', 'b0')).toBeNull();
  });

  it('goes on with reads and deletions; deletions make room', async () => {
    expect(await send('GET', 'a3')).toBe(value.toString());
    for (let i = 0; i < 12; i++) expect(await send('DEL', `a${i}`)).toBe(1);
    await until('the room being counted', () => storedBytes() < 500_000, 30_000);
    expect(await fill('c', 2)).toBe(2);
  });

  it('takes values again once its capacity is raised', async () => {
    await fill('d', 64);
    const payload = { name: 'default', chunkCapacityBytes: 4 << 20 };
    await submit(cluster.log, topics, { kind: 'AlterNamespace', payload, principal: 'test' });
    await until('the capacity', () => portal.store.namespace('default')?.state.chunkCapacityBytes === 4 << 20);
    expect(await fill('e', 10)).toBe(10);
  });
});
