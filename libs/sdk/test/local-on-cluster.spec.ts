import { collectDigests } from '@levee/audit';
import { submit, type SubmittedCommand } from '@levee/journal';
import { Digest, silentLogger } from '@levee/kernel';
import { systemClock, systemTimers } from '@levee/log';
import { eventually } from '../../../test/support/deadline';
import { dice, seed } from '../../../test/support/seed';
import { TestCluster, topics } from '../../portal/test/test-cluster';
import { clientContract } from './client-contract';
import { localOn } from './local-choice';
import { connect, utf8, type Client, type LocalStatus, type Namespace } from '@levee/sdk';

jest.setTimeout(60_000);

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const item of items) found.push(item);
  return found;
}

describe('the client at local distance on a real cluster', () => {
  let cluster: TestCluster;
  let portals: string[];
  let byPortals: Client;
  const kept = ['default', 'shop.tags', 'shop.crc', 'shop.raw', 'shop.anew', 'shop.half', 'shop.strong'];

  beforeAll(async () => {
    const sizes = { units: '80x8MiB:memory', memoryBudgetBytes: 32 << 20 };
    cluster = await TestCluster.start(2, undefined, sizes);
    for (const name of ['default', 'shop.contract', 'shop.other', 'shop.tags', 'shop.crc', 'shop.raw', 'shop.half'])
      await cluster.namespace(
        name,
        {
          'shop.tags': { hashAlgorithm: 'murmur2-hashtag' },
          'shop.crc': { hashAlgorithm: 'crc32' },
          'shop.raw': { recordFormat: 'raw' },
        }[name],
      );
    portals = [await cluster.portal(), await cluster.portal()].map(({ respPort }) => `127.0.0.1:${respPort}`);
    byPortals = await connect({ portals, deadlineMs: 40_000 });
  });

  afterAll(async () => {
    await byPortals?.close();
    await cluster?.close();
  });

  const open = (more?: Parameters<typeof localOn>[2]): Promise<Client> =>
    connect({ portals, reads: localOn(cluster.log, kept, more) });

  const statusOf = (of: Client): LocalStatus => of.status().local as LocalStatus;

  const isComplete = (of: Client, name: string): boolean =>
    statusOf(of).namespaces.some((one) => one.name === name && one.isComplete);

  /** Its replica answers. */
  async function near(of: Client, name: string): Promise<Namespace<string>> {
    const keys = of.namespace(name).typed(utf8);
    await eventually('the replica is complete', () => isComplete(of, name));
    await eventually('it answers', async () => {
      const { answered } = statusOf(of);
      await keys.get('is it near?', { consistency: 'eventual' });
      return statusOf(of).answered > answered;
    });
    return keys;
  }

  it.each(['default', 'shop.tags', 'shop.crc', 'shop.raw'])(
    'in %s every value and entry is as through portals, whatever was written before',
    async (name) => {
      await using client = await open();
      const theirs = byPortals.namespace(name).typed(utf8);
      const random = dice();
      const names = Array.from({ length: 200 }, (_, i) => `{tag${i % 7}}k${String(i).padStart(3, '0')}`);
      await theirs.putMany(names.map((key) => [key, 'before'] as const));
      const keys = await near(client, name);
      const before = statusOf(client);
      for (let round = 0; round < 3; round++) {
        await Promise.all(
          names
            .filter(() => random() < 0.6)
            .map((key) =>
              random() < 0.3 ? keys.delete(key) : keys.put(key, `${round}`, random() < 0.2 ? { ttlMs: 1 } : {}),
            ),
        );
        await theirs.join(keys.session() as string);
        // The time of portals is known here a moment late.
        const isOver = async (): Promise<boolean> =>
          `${await keys.getMany(names)}` === `${await theirs.getMany(names)}`;
        await eventually('what was put for a moment is over', isOver).catch(() => undefined);
        const [ours, portal] = [await keys.getMany(names), await theirs.getMany(names)];
        expect({ seed, values: ours }).toEqual({ seed, values: portal });
        for (const key of names.slice(0, 20)) expect(await keys.entry(key)).toEqual(await theirs.entry(key));
        expect(await all(keys.scan({ prefix: '{tag' }))).toEqual(await all(theirs.scan({ prefix: '{tag' })));
      }
      expect(statusOf(client).answered - before.answered).toBeGreaterThan(300);
      await eventually('a scan is answered here, and as through portals', async () => {
        const { answered } = statusOf(client);
        expect(await all(keys.scan({ pageKeys: 30 }))).toEqual(await all(theirs.scan()));
        return statusOf(client).answered - answered >= (await all(keys.keys())).length / 30;
      });
    },
  );

  it('sees what it wrote, and what another client wrote whose session it joined; its own session goes on elsewhere', async () => {
    await using client = await open();
    const keys = await near(client, 'default');
    const theirs = byPortals.namespace('default').typed(utf8);
    const before = statusOf(client).answered;
    for (let i = 0; i < 60; i++) {
      await keys.put(`own${i % 5}`, `${i}`);
      expect(await keys.get(`own${i % 5}`)).toBe(`${i}`);
      await theirs.put('theirs', `${i}`);
      await keys.join(theirs.session() as string);
      expect(await keys.get('theirs')).toBe(`${i}`);
      // What is behind a read of the replica a portal does not take back.
      const { position } = await theirs.put('seen', `${i}`);
      await eventually('the replica has it', async () => (await keys.get('seen')) === `${i}`);
      expect(position).toMatch(/:/);
      expect(await keys.get('seen', { consistency: 'strong' })).toBe(`${i}`);
    }
    expect(statusOf(client).answered - before).toBeGreaterThan(90);
  });

  it('a strong read and what is behind a write of its key a portal answers', async () => {
    await using client = await open();
    const keys = await near(client, 'default');
    const before = statusOf(client);
    expect(await keys.get('own0', { consistency: 'strong' })).toBe('55');
    const [, value] = await Promise.all([keys.put('busy', 'x'), keys.get('busy')]);
    expect(value).toBe('x');
    const after = statusOf(client);
    expect(after.throughPortals.always - before.throughPortals.always).toBe(2);
  });

  it('of a namespace made anew with other partitions it never takes an old answer for a new one', async () => {
    await cluster.namespace('shop.anew', { partitions: 2, chunks: 2 });
    await using client = await open();
    const keys = await near(client, 'shop.anew');
    const names = Array.from({ length: 50 }, (_, i) => `k${i}`);
    await keys.putMany(names.map((key) => [key, 'old'] as const));
    expect(await keys.getMany(names)).toEqual(names.map(() => 'old'));
    await cluster.order('DeleteNamespace', { name: 'shop.anew' });
    await eventually('it is gone', () => cluster.view.state.namespace('shop.anew')?.state === 'deleted');
    await eventually('nothing is answered any more', () => !isComplete(client, 'shop.anew'));
    await cluster.namespace('shop.anew', { partitions: 8, chunks: 4 });
    await eventually('it takes writes', () =>
      keys.putMany(names.map((key) => [key, 'new'] as const)).catch(() => undefined),
    );
    const before = statusOf(client).answered;
    await eventually('the new replica answers', async () => {
      expect(await keys.getMany(names)).toEqual(names.map(() => 'new'));
      return statusOf(client).answered > before;
    });
    expect(statusOf(client).namespaces.find(({ name }) => name === 'shop.anew')?.partitions).toHaveLength(8);
  });

  it('slots that it does not hold portals answer, and partitions without such are not followed', async () => {
    const theirs = byPortals.namespace('shop.half').typed(utf8);
    const names = Array.from({ length: 100 }, (_, i) => `k${i}`);
    await theirs.putMany(names.map((key) => [key, key] as const));
    await using client = await open({ slots: { slotStart: 0, slotEnd: 300_000 } });
    const keys = client.namespace('shop.half').typed(utf8);
    await keys.join(theirs.session() as string);
    await eventually('the replica is complete', () => isComplete(client, 'shop.half'));
    let notHeld = 0;
    await eventually('all that is held is answered here', async () => {
      const before = statusOf(client);
      expect(await keys.getMany(names)).toEqual(names);
      const after = statusOf(client);
      notHeld = after.throughPortals.notHeld - before.throughPortals.notHeld;
      return after.answered - before.answered === 100 - notHeld;
    });
    expect(notHeld).toBeGreaterThan(40);
    const after = statusOf(client);
    const [half] = after.namespaces.filter(({ name }) => name === 'shop.half');
    expect(half?.partitions.map(({ partition }) => partition)).toEqual([0, 1]);
    expect(half?.partitions.reduce((sum, { keys }) => sum + (keys ?? 0), 0)).toBe(100 - notHeld);
  });

  it('what does not fit is given up as a whole: portals answer, and the status says so', async () => {
    await using client = await open({ memoryBytesMax: 200_000 });
    const keys = await near(client, 'default');
    const text = 'x'.repeat(10_000);
    await keys.putMany(Array.from({ length: 40 }, (_, i) => [`large${i}`, text] as const));
    await eventually('it is given up', () => /memoryBytesMax/.test(statusOf(client).namespaces[0]?.problem ?? ''));
    const before = statusOf(client);
    expect(before.namespaces[0]?.isComplete).toBe(false);
    expect(before.memoryBytes).toBe(0);
    expect(await keys.get('large7')).toBe(text);
    expect(await keys.get('large99')).toBeUndefined();
    const after = statusOf(client);
    expect(after.answered).toBe(before.answered);
    expect(after.throughPortals.noReplica).toBe(before.throughPortals.noReplica + 2);
  });

  it.each(['default', 'shop.raw'])(
    'in %s its digests at a barrier are those of the nodes, while writes go on',
    async (name) => {
      await using client = await open({ digests: true });
      const keys = await near(client, name);
      await keys.putMany(Array.from({ length: 300 }, (_, i) => [`digest${i}`, `first ${i}`] as const));
      let stopped = false;
      let writes = 0;
      const writing = (async () => {
        for (; !stopped; writes++) {
          const key = `digest${writes % 300}`;
          if (writes % 7 === 3) await keys.delete(key);
          else await keys.put(key, `${writes}`, writes % 5 === 2 ? { ttlMs: 600_000 } : {});
        }
      })();
      await eventually('they go on', () => writes > 20);
      const submitted = (command: SubmittedCommand): Promise<string> => submit(cluster.log, topics, command);
      const world = { clock: systemClock, timers: systemTimers, logger: silentLogger };
      const asked = { namespace: name, principal: 'test', deadlineMs: 20_000, submit: submitted };
      const collected = collectDigests(cluster.log, topics, cluster.view, { ...asked, ...world });
      const { equal, replicas } = await collected.finally(() => {
        stopped = true;
        return writing;
      });
      expect(equal).toBe(true);
      const nodes = new Map<number, { digest: Digest; keys: number; barrierOffset: number }>();
      const chunks = new Set<string>();
      for (const { chunkId, partition, digest, keys: count, barrierOffset } of replicas) {
        if (chunks.has(`${chunkId} ${partition}`)) continue;
        chunks.add(`${chunkId} ${partition}`);
        const sum = nodes.get(partition) ?? { digest: new Digest(), keys: 0, barrierOffset };
        sum.digest.merge(Digest.fromHex(digest));
        nodes.set(partition, { ...sum, keys: sum.keys + count });
      }
      const expected = [...nodes]
        .sort(([a], [b]) => a - b)
        .map(([partition, sum]) => [partition, sum.barrierOffset, sum.digest.toHex(), sum.keys]);
      expect(expected.some(([, , , count]) => (count as number) > 10)).toBe(true);
      const held = (): unknown =>
        statusOf(client).namespaces[0]?.partitions.map(({ partition, digest }) => [
          partition,
          digest?.barrierOffset,
          digest?.digest,
          digest?.keys,
        ]);
      await eventually('it has made its own', () => `${held()}` === `${expected}`);
    },
  );

  it('nobody in the cluster learns of it: no node, no route, no unit', async () => {
    const before = JSON.stringify([...cluster.view.state.routesOf('default')]);
    await using client = await open();
    await near(client, 'default');
    expect(JSON.stringify([...cluster.view.state.routesOf('default')])).toBe(before);
    expect(cluster.view.state.counts.nodes).toBe(2);
  });

  clientContract('the client at local distance', {
    client: async () => {
      const client = await connect({ portals, reads: localOn(cluster.log, ['shop.contract', 'shop.other']) });
      for (const name of ['shop.contract', 'shop.other']) await near(client, name);
      return client;
    },
    answersAtOnce: true,
    pass: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
  });
});
