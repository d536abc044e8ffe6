import { OneNodeCluster } from './one-node-cluster';

jest.setTimeout(60_000);

let cluster: OneNodeCluster;
const ask: OneNodeCluster['ask'] = (...args) => cluster.ask(...args);

beforeAll(async () => {
  cluster = await OneNodeCluster.start();
  const size = { partitions: 4, chunks: 4, replicas: 1, chunkCapacityBytes: 8 << 20 };
  const created = await ask('POST', '/v1/namespaces', JSON.stringify({ name: 'default', ...size }));
  expect(created.status).toBe(201);
});
afterAll(() => cluster?.close());

describe('POST /v1/namespaces/:name/flush', () => {
  const flush = (name: string, confirm = name) => ask('POST', `/v1/namespaces/${name}/flush?confirm=${confirm}`);

  it('deletes every key where the namespace allows it, and only when its name is said twice', async () => {
    for (const key of ['f1', 'f2', 'f3']) await ask('PUT', `/v1/kv/default/${key}`, 'v');
    const scan = async () => (await ask('GET', '/v1/kv/default?keysOnly=1&prefix=f')).lines.length - 1;
    const refused = await flush('default');
    expect([refused.status, refused.json['code'], await scan()]).toEqual([501, 'LVUNSUPPORTED', 3]);
    const altered = await ask('PATCH', '/v1/namespaces/default', JSON.stringify({ flush: 'sweep' }));
    expect([altered.status, altered.json['flush']]).toEqual([200, 'sweep']);
    const unsaid = await flush('default', 'other');
    expect([unsaid.status, unsaid.json['code'], await scan()]).toEqual([400, 'BAD_REQUEST', 3]);
    expect((await flush('nowhere')).status).toBe(404);
    const done = await flush('default');
    expect([done.status, done.lines.at(-1), await scan()]).toEqual([
      200,
      { event: 'done', deleted: expect.any(Number), message: expect.stringMatching(/^\d+ keys are deleted: all/) },
      0,
    ]);
  });
});
