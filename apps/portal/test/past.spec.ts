import { OneNodeCluster } from './one-node-cluster';

jest.setTimeout(60_000);

let cluster: OneNodeCluster;
const ask: OneNodeCluster['ask'] = (...args) => cluster.ask(...args);
const json = { 'content-type': 'application/json' };

beforeAll(async () => {
  cluster = await OneNodeCluster.start();
  const size = { partitions: 2, chunks: 2, replicas: 1, chunkCapacityBytes: 8 << 20 };
  const created = await ask('POST', '/v1/namespaces', JSON.stringify({ name: 'shop', ...size }), json);
  expect(created.status).toBe(201);
});
afterAll(() => cluster?.close());

describe('GET /v1/past', () => {
  it('tells the routes of now, of a time and of a decision from the journal, as they were told then', async () => {
    const now = await ask('GET', '/v1/routes/shop');
    const newest = await ask('GET', '/v1/past/routes/shop');
    expect([newest.status, newest.json]).toMatchObject([200, { verdict: 'proved', until: null, routes: now.json }]);
    const { seq, atMs } = newest.json['decision'] as { seq: number; atMs: number };
    for (const query of [`timeMs=${atMs}`, `decision=${seq}`])
      expect((await ask('GET', `/v1/past/routes/shop?${query}`)).json).toMatchObject({ routes: now.json });
    const before = await ask('GET', '/v1/past/routes/shop?decision=1');
    expect([before.status, before.json['code']]).toEqual([404, 'LVNAMESPACE']);
    expect((await ask('GET', '/v1/past/routes/shop?timeMs=9000000000000')).json).toMatchObject({
      verdict: 'not provable',
      reason: 'later',
      routes: null,
    });
  });

  it('explains down to who asked', async () => {
    const { status, json: said } = await ask('GET', '/v1/past/explain?subject=shop%231%2Fc00001');
    expect([status, said]).toMatchObject([200, { verdict: 'proved', was: expect.stringMatching(/^serving/) }]);
    const chain = said['chain'] as { link: string; facts: Record<string, unknown> }[];
    expect(chain.at(-1)).toMatchObject({ link: 'asked by', facts: { kind: 'CreateNamespace' } });
  });

  it.each([
    ['routes/shop?decision=0', 400, /decision is '0'/],
    ['routes/shop?decision=1&timeMs=1', 400, /two moments/],
    ['routes/shop?at=1', 400, /no query parameter 'at'/],
    ['explain', 400, /subject is missing/],
    ['explain?subject=nobody', 404, /now, there was no chunk, plan or node 'nobody'/],
  ])('refuses %s', async (path, status, message) => {
    const answer = await ask('GET', `/v1/past/${path}`);
    expect([answer.status, answer.json['message']]).toEqual([status, expect.stringMatching(message)]);
  });
});
