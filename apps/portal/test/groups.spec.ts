import { OneNodeCluster } from './one-node-cluster';

jest.setTimeout(60_000);

let cluster: OneNodeCluster;
const ask: OneNodeCluster['ask'] = (...args) => cluster.ask(...args);

beforeAll(async () => {
  cluster = await OneNodeCluster.start();
});
afterAll(() => cluster?.close());

describe('many namespaces', () => {
  it('are selected by a query', async () => {
    for (const name of ['default', 'shop.orders', 'shop.items']) {
      const knobs = { name, partitions: 1, chunks: 2, replicas: 1 };
      const created = await ask('POST', '/v1/namespaces', JSON.stringify(knobs), {
        'content-type': 'application/json',
      });
      expect([created.status, created.json['state']]).toEqual([201, 'active']);
    }
    const names = async (query: string): Promise<unknown> =>
      ((await ask('GET', `/v1/namespaces${query}`)).json['namespaces'] as { name: string }[]).map(({ name }) => name);
    expect(await names('?query=shop.*')).toEqual(['shop.items', 'shop.orders']);
    expect(await names('?query=**.orders')).toEqual(['shop.orders']);
    expect(await names('')).toEqual(expect.arrayContaining(['default', 'shop.items', 'shop.orders']));
    const bad = await ask('GET', '/v1/namespaces?query=Shop');
    expect([bad.status, bad.json['code']]).toEqual([422, 'BAD_QUERY']);
  });

  it('have groups, whose totals are what nodes told last', async () => {
    await ask('PUT', '/v1/kv/shop.items/k', 'v'.repeat(1000), { 'levee-ack': 'all' });
    const shop = async () =>
      (await ask('GET', '/v1/groups/shop')).json as Record<string, number> & { members: object[] };
    const endMs = Date.now() + 20_000;
    while (((await shop())['storedBytes'] ?? 0) < 1000 && Date.now() < endMs)
      await new Promise((resolve) => setTimeout(resolve, 50));
    const { members, ...totals } = await shop();
    expect(totals).toMatchObject({ group: 'shop', namespaces: 2, chunks: 4, replicas: 4, chunksUntold: 0 });
    expect(totals['storedBytes']).toBeGreaterThan(1000);
    expect(members).toMatchObject([
      { name: 'shop.items', chunks: 2 },
      { name: 'shop.orders', storedBytes: 0 },
    ]);
    expect((await ask('GET', '/v1/groups')).json).toMatchObject({ groups: [{ group: 'shop', namespaces: 2 }] });
    const none = await ask('GET', '/v1/groups/nobody');
    expect([none.status, none.json['code']]).toEqual([404, 'GROUP_UNKNOWN']);
  });

  it('say of every setting what it may be and whether it changes', async () => {
    const { knobs } = (await ask('GET', '/v1/namespaces/default')).json as { knobs: { knob: string }[] };
    expect(knobs).toContainEqual({
      knob: 'consistency',
      value: 'session',
      allowed: 'eventual | session | strong',
      fixedBecause: null,
    });
    expect(knobs.find(({ knob }) => knob === 'replicas')).toMatchObject({
      fixedBecause: 'replicas are added and removed by plans, not by a setting',
    });
  });
});
