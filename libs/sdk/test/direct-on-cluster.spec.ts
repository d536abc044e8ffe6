import { submit } from '@levee/journal';
import { eventually } from '../../../test/support/deadline';
import { dice, seed } from '../../../test/support/seed';
import { TestCluster, topics } from '../../portal/test/test-cluster';
import { direct } from '../src/direct';
import { clientContract } from './client-contract';
import { connect, utf8, type Client, type DirectStatus, type Namespace } from '@levee/sdk';

jest.setTimeout(60_000);

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const item of items) found.push(item);
  return found;
}

describe('the client at direct distance on a real cluster', () => {
  let cluster: TestCluster;
  let portals: string[];
  let client: Client;
  let byPortals: Client;

  beforeAll(async () => {
    const sizes = { units: '60x8MiB:memory', memoryBudgetBytes: 32 << 20 };
    cluster = await TestCluster.start(3, undefined, sizes);
    for (const name of ['default', 'shop.contract', 'shop.other', 'shop.tags', 'shop.crc', 'shop.raw'])
      await cluster.namespace(
        name,
        {
          'shop.tags': { hashAlgorithm: 'murmur2-hashtag' },
          'shop.crc': { hashAlgorithm: 'crc32' },
          'shop.raw': { recordFormat: 'raw' },
        }[name],
      );
    portals = [await cluster.portal(), await cluster.portal()].map(({ respPort }) => `127.0.0.1:${respPort}`);
    client = await connect({ portals, reads: direct() });
    byPortals = await connect({ portals, deadlineMs: 40_000 });
  });

  afterAll(async () => {
    await client?.close();
    await byPortals?.close();
    await cluster?.close();
  });

  const statusOf = (of = client): DirectStatus => of.status().direct as DirectStatus;

  /** Reads until nodes answer. */
  async function near(keys: Namespace<string>, of = client): Promise<Namespace<string>> {
    await eventually('nodes answer', async () => {
      const before = statusOf(of).answered;
      await keys.get('is it near?');
      return statusOf(of).answered > before;
    });
    return keys;
  }

  const textsOf = (name: string, of = client): Promise<Namespace<string>> => near(of.namespace(name).typed(utf8), of);

  it.each(['default', 'shop.tags', 'shop.crc', 'shop.raw'])(
    'in %s every value, entry and page is as through portals, whatever was written before',
    async (name) => {
      const keys = await textsOf(name);
      const theirs = byPortals.namespace(name).typed(utf8);
      const random = dice();
      const names = Array.from({ length: 200 }, (_, i) => `{tag${i % 7}}k${String(i).padStart(3, '0')}`);
      const before = statusOf();
      for (let round = 0; round < 3; round++) {
        await Promise.all(
          names
            .filter(() => random() < 0.6)
            .map((key) =>
              random() < 0.3 ? keys.delete(key) : keys.put(key, `${round}`, random() < 0.2 ? { ttlMs: 1 } : {}),
            ),
        );
        await theirs.join(keys.session() as string);
        // What is over after 1 ms is so here a little later: this clock is behind that of portals by the way of an answer.
        await eventually(`nodes give what portals give, seed ${seed}`, async () => {
          const [ours, portal] = [await keys.getMany(names), await theirs.getMany(names)];
          expect(ours).toEqual(portal);
          return true;
        });
        for (const key of names.slice(0, 20)) expect(await keys.entry(key)).toEqual(await theirs.entry(key));
        const range = { prefix: '{tag', pageKeys: 37 };
        expect(await all(keys.scan(range))).toEqual(await all(theirs.scan(range)));
        expect(await all(keys.keys({ from: '{tag2', limit: 9 }))).toEqual(
          await all(theirs.keys({ from: '{tag2', limit: 9 })),
        );
      }
      const after = statusOf();
      expect(after.answered - before.answered).toBeGreaterThan(300);
    },
  );

  it('sees what it wrote, and what another client wrote whose session it joined', async () => {
    const keys = await textsOf('default');
    const theirs = byPortals.namespace('default').typed(utf8);
    const before = statusOf().answered;
    for (let i = 0; i < 200; i++) {
      await keys.put(`own${i % 5}`, `${i}`);
      expect(await keys.get(`own${i % 5}`)).toBe(`${i}`);
      await theirs.put('theirs', `${i}`);
      await keys.join(theirs.session() as string);
      expect(await keys.get('theirs')).toBe(`${i}`);
    }
    expect(statusOf().answered - before).toBeGreaterThan(300);
  });

  it('what nodes told it a portal does not take back', async () => {
    const keys = await textsOf('default');
    const writer = byPortals.namespace('default').typed(utf8);
    for (let i = 0; i < 100; i++) {
      await writer.put('back', `${i}`);
      const seen = Number((await keys.get('back')) ?? -1);
      const { position } = await keys.put('other', 'x');
      expect(position).toMatch(/:/);
      const again = Number(
        (await client.namespace('default').typed(utf8).get('back', { consistency: 'strong' })) ?? -1,
      );
      expect(again).toBeGreaterThanOrEqual(seen);
    }
  });

  it('reads the right values while every chunk is split, and follows', async () => {
    await cluster.namespace('shop.split', { partitions: 2, chunks: 2 });
    const keys = await textsOf('shop.split');
    const names = Array.from({ length: 300 }, (_, i) => `k${i}`);
    await keys.putMany(names.map((key) => [key, key] as const));
    const chunks = (): string[] => [...cluster.view.state.routesOf('shop.split')].map(({ chunkId }) => chunkId);
    const before = chunks();
    for (const chunkId of before)
      await submit(cluster.log, topics, {
        kind: 'ProposePlan',
        payload: { kind: 'split', chunkId, observeMs: 200 },
        principal: 'test',
      });
    const versionOf = (): number => statusOf().namespaces.find(({ name }) => name === 'shop.split')?.version ?? 0;
    const version = versionOf();
    let rounds = 0;
    await eventually(
      'every chunk being split',
      async () => {
        rounds++;
        expect(await keys.getMany([...names, 'absent'])).toEqual([...names, undefined]);
        expect(await all(keys.keys({ prefix: 'k' }))).toEqual([...names].sort());
        return !chunks().some((chunkId) => before.includes(chunkId)) && versionOf() > version;
      },
      50_000,
    );
    expect(rounds).toBeGreaterThan(1);
    await eventually('nodes answer all of it', async () => {
      const { answered } = statusOf();
      expect(await keys.getMany(names)).toEqual(names);
      return statusOf().answered === answered + names.length;
    });
  });

  it('of a namespace made anew with other partitions it never takes an old answer for a new one', async () => {
    await cluster.namespace('shop.anew', { partitions: 2, chunks: 2 });
    const keys = await textsOf('shop.anew');
    const names = Array.from({ length: 50 }, (_, i) => `k${i}`);
    await keys.putMany(names.map((key) => [key, 'old'] as const));
    expect(await keys.getMany(names)).toEqual(names.map(() => 'old'));
    await cluster.order('DeleteNamespace', { name: 'shop.anew' });
    await eventually('it is gone', () => cluster.view.state.namespace('shop.anew')?.state === 'deleted');
    await cluster.namespace('shop.anew', { partitions: 8, chunks: 4 });
    const wrote = await eventually('it takes writes', () =>
      keys.putMany(names.map((key) => [key, 'new'] as const)).catch(() => undefined),
    );
    expect(wrote).toHaveLength(50);
    const before = statusOf().answered;
    await eventually('nodes answer again', async () => {
      expect(await keys.getMany(names)).toEqual(names.map(() => 'new'));
      return statusOf().answered > before;
    });
  });

  it('a limit of requests of the namespace is counted by portals, so they are asked', async () => {
    await cluster.namespace('shop.limited', { requestsPerSecond: 1_000_000 });
    const keys = client.namespace('shop.limited').typed(utf8);
    await keys.put('a', 'x');
    const isTold = (): boolean =>
      statusOf().namespaces.some(
        ({ name, problem }) => name === 'shop.limited' && /requestsPerSecond/.test(problem ?? ''),
      );
    await eventually('it is told', async () => (await keys.get('a')) === 'x' && isTold());
    const before = statusOf().answered;
    expect(await keys.get('a')).toBe('x');
    expect(statusOf().answered).toBe(before);
    await cluster.alter('shop.limited', { requestsPerSecond: null });
    await near(keys);
  });

  it('a node that stops costs no read', async () => {
    const keys = await textsOf('default');
    const names = Array.from({ length: 100 }, (_, i) => `stop${i}`);
    await keys.putMany(
      names.map((key) => [key, key] as const),
      { ack: 'all' },
    );
    const [first] = cluster.nodes.values();
    const stopped = new Promise((resolve) => setTimeout(resolve, 100)).then(() => first?.close());
    const untilMs = Date.now() + 1_500;
    while (Date.now() < untilMs) {
      expect(await keys.getMany(names)).toEqual(names);
      await new Promise((resolve) => setTimeout(resolve, 3));
    }
    await stopped;
    await cluster.node('n1');
  });

  clientContract('the client at direct distance', {
    client: () => connect({ portals, reads: direct() }),
    pass: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
  });
});
