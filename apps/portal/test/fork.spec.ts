import { OneNodeCluster } from './one-node-cluster';

jest.setTimeout(60_000);

let cluster: OneNodeCluster;
const ask: OneNodeCluster['ask'] = (...args) => cluster.ask(...args);
const json = { 'content-type': 'application/json' };
const fork = (name: string, body: unknown) => ask('POST', `/v1/namespaces/${name}/fork`, JSON.stringify(body), json);

beforeAll(async () => {
  cluster = await OneNodeCluster.start();
  const size = { partitions: 2, chunks: 1, replicas: 1, chunkCapacityBytes: 8 << 20 };
  const created = await ask('POST', '/v1/namespaces', JSON.stringify({ name: 'shop', ...size }), json);
  expect(created.status).toBe(201);
});
afterAll(() => cluster?.close());

describe('POST /v1/namespaces/:name/fork', () => {
  it('makes a namespace from the past of another one, once, and says of whom', async () => {
    for (const key of ['a', 'b', 'c']) await ask('PUT', `/v1/kv/shop/${key}`, 'then');
    await new Promise((resolve) => setTimeout(resolve, 5));
    const atMs = Date.now();
    await new Promise((resolve) => setTimeout(resolve, 5));
    for (const key of ['a', 'd']) await ask('PUT', `/v1/kv/shop/${key}`, 'later');
    await ask('DELETE', '/v1/kv/shop/b');
    const made = await fork('shop.then', { from: 'shop', atMs });
    expect([made.status, made.lines.at(-1)]).toMatchObject([
      200,
      { event: 'done', name: 'shop.then', forkedFrom: 'shop', forkedKeys: 3 },
    ]);
    const scan = await ask('GET', '/v1/kv/shop.then?keysOnly=1');
    expect(scan.lines.length - 1).toBe(3);
    expect((await fork('shop.then', { from: 'shop', atMs })).lines.at(-1)).toEqual(made.lines.at(-1));
    expect((await ask('GET', '/v1/namespaces/shop.then')).json).toMatchObject({ forkedFrom: 'shop', forkedAtMs: atMs });
    const other = await fork('shop.then', { from: 'shop', atMs: atMs + 1 });
    expect([other.status, other.json['code']]).toEqual([409, 'NAMESPACE_EXISTS']);
  });

  it.each([
    ['nothing', 'x', {}, 400, 'BAD_REQUEST', /from is missing/],
    ['no time', 'x', { from: 'shop' }, 400, 'BAD_REQUEST', /atMs is missing/],
    ['a time that is none', 'x', { from: 'shop', atMs: 'noon' }, 400, 'BAD_REQUEST', /atMs is "noon"/],
    [
      'a source that is not there',
      'x',
      { from: 'nowhere', atMs: 7 },
      404,
      'LVNAMESPACE',
      /no active namespace nowhere/,
    ],
    ['a name that is none', 'X', { from: 'shop', atMs: 7 }, 422, 'BAD_NAME', /X/],
    [
      'a time before it was there',
      'x',
      { from: 'shop', atMs: 7 },
      422,
      'NOT_PROVABLE',
      /its log says nothing of an earlier time/,
    ],
    ['a time to come', 'x', { from: 'shop', atMs: 9e12 }, 422, 'NOT_PROVABLE', /partition 0: .*; partition 1: /],
    ['itself', 'shop', { from: 'shop', atMs: 7 }, 409, 'NAMESPACE_EXISTS', /is there already/],
  ])('refuses %s', async (_what, name, body, status, code, message) => {
    // What is refused after a while has a line of progress before it, and then the status is sent.
    const { status: is, lines } = await fork(name, body);
    expect([lines.length > 1 ? status : is, lines.at(-1)]).toEqual([
      status,
      { code, message: expect.stringMatching(message) as string },
    ]);
    expect((await ask('GET', '/v1/namespaces/x')).status).toBe(404);
  });
});
