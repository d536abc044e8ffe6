import type { Clock } from '@levee/kernel';
import { systemClock } from '@levee/log';
import { connect, utf8, type Client, type Namespace } from '@levee/sdk';
import { TestCluster } from '../../portal/test/test-cluster';

jest.setTimeout(60_000);

const shifted = (byMs: number): Clock => ({ ...systemClock, nowMs: () => systemClock.nowMs() + byMs });

describe('portals whose clocks are not that of the client', () => {
  let cluster: TestCluster;
  const clients: Client[] = [];

  beforeAll(async () => {
    cluster = await TestCluster.start(1);
    await cluster.namespace('default', { partitions: 1, chunks: 1 });
    for (const byMs of [20_000, -20_000]) await cluster.portal({}, undefined, shifted(byMs));
  });
  afterAll(async () => {
    await Promise.all(clients.map((client) => client.close()));
    await cluster?.close();
  });
  const at = async (...places: readonly number[]) => {
    const client = await connect({ portals: places.map((i) => `127.0.0.1:${cluster.portals[i]!.respPort}`) });
    clients.push(client);
    while (client.status().portals.some(({ up }) => !up)) await new Promise((resolve) => setTimeout(resolve, 10));
    return client.namespace('default').typed(utf8);
  };
  /** Of the client's clock. */
  const inMs = (date: Date | undefined): number => Number(date) - systemClock.nowMs();

  it('a time to live is counted by the portal that takes the write', async () => {
    const [ahead, behind] = [await at(0), await at(1)];
    // By the client's clock it would be over before it began, or live for three times as long.
    await ahead.put('a', 'x', { ttlMs: 10_000 });
    expect(await ahead.get('a')).toBe('x');
    await behind.put('b', 'x', { ttlMs: 10_000 });
    expect(await behind.get('b')).toBe('x');
    const [a, b] = [inMs((await ahead.entry('a'))?.expiresAt), inMs((await behind.entry('b'))?.expiresAt)];
    expect([Math.abs(a - 30_000), Math.abs(b + 10_000)].map((apart) => apart < 5_000)).toEqual([true, true]);
    const expiresAt = systemClock.nowMs() + 60_000;
    await behind.put('c', 'x', { expiresAt });
    expect((await behind.entry('c'))?.expiresAt).toEqual(new Date(expiresAt));
  });

  describe('a key that this client has seen as expired stays away', () => {
    const nameOf = (place: number): string => `127.0.0.1:${cluster.portals[place]!.respPort}`;
    /** A key that begins with a prefix, each bound to the portal that it should be; over by the clock of the first portal alone. */
    async function placed(store: Namespace<string>, prefixAt: number, keyAt: number) {
      const bound = async (name: string, place: number): Promise<boolean> =>
        (await store.where(name)).portal === nameOf(place);
      let n = ++prefixes * 1_000;
      while (!(await bound(`p${n}`, prefixAt))) n++;
      let m = 0;
      while (!(await bound(`p${n}/${m}`, keyAt))) m++;
      const [prefix, key] = [`p${n}`, `p${n}/${m}`];
      await store.put(key, 'v', { expiresAt: systemClock.nowMs() + 10_000 });
      return { prefix, key };
    }
    let prefixes = 0;
    const all = async (store: Namespace<string>, prefix: string): Promise<string[]> => {
      const found: string[] = [];
      for await (const { key } of store.scan({ prefix })) found.push(key);
      return found;
    };

    it('at a portal whose clock is behind, when a page of another one did not show it', async () => {
      const store = await at(0, 1);
      const { prefix, key } = await placed(store, 0, 1);
      expect(await store.get(key)).toBe('v');
      expect(await all(store, prefix)).toEqual([]);
      expect(await store.get(key)).toBeUndefined();
    });

    it('from a page of a portal whose clock is behind', async () => {
      const store = await at(0, 1);
      const { prefix, key } = await placed(store, 1, 0);
      expect(await all(store, prefix)).toEqual([key]);
      expect(await store.get(key)).toBeUndefined();
      expect(await all(store, prefix)).toEqual([]);
    });

    it('when its portal is gone, and one whose clock is behind answers', async () => {
      const store = await at(0, 1);
      const { key } = await placed(store, 1, 0);
      const other = await placed(store, 0, 1);
      // The other one knows all that there was to know before.
      expect(await store.get(other.key)).toBe('v');
      expect(await store.get(key)).toBeUndefined();
      await cluster.portals[0]!.close();
      expect(await store.get(key)).toBeUndefined();
      expect(await store.get(other.key)).toBeUndefined();
    });
  });
});
