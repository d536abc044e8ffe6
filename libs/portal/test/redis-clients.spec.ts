import Redis from 'ioredis';
import { createClient } from 'redis';
import { asPartition } from '@levee/kernel';
import { hashOf, partitionOf } from '@levee/keyspace';
import type { Portal } from '@levee/portal';
import { TestCluster, until } from './test-cluster';

jest.setTimeout(60_000);

let cluster: TestCluster;
let portal: Portal;

beforeAll(async () => {
  cluster = await TestCluster.start(1);
  await cluster.namespace('default');
  await cluster.namespace('shop.orders');
  portal = await cluster.portal();
});
afterAll(() => cluster?.close());

it('ioredis: commands, pipelines, binary, scan streams, the user as namespace', async () => {
  const redis = new Redis({ host: '127.0.0.1', port: portal.respPort });
  try {
    expect(await redis.set('a', '1', 'EX', 100)).toBe('OK');
    expect(await redis.get('a')).toBe('1');
    expect(await redis.ttl('a')).toBeGreaterThan(30);
    const bytes = Buffer.from([0, 13, 10, 255]);
    await redis.set(bytes, bytes);
    expect(await redis.getBuffer(bytes)).toEqual(bytes);
    const pipeline = redis.pipeline();
    for (let i = 0; i < 500; i++) pipeline.set(`io:${i}`, `${i}`).get(`io:${i}`);
    const results = (await pipeline.exec())!;
    expect(results.filter(([error]) => error)).toEqual([]);
    expect(results.filter((_, i) => i % 2 === 1).map(([, value]) => value)).toEqual(
      Array.from({ length: 500 }, (_, i) => `${i}`),
    );
    const seen = new Set<string>();
    for await (const keys of redis.scanStream({ match: 'io:*', count: 100 }))
      for (const key of keys as string[]) seen.add(key);
    expect(seen.size).toBe(500);
    await expect(redis.incr('a')).rejects.toThrow(/^LVUNSUPPORTED INCR/);
  } finally {
    redis.disconnect();
  }
  const orders = new Redis(`redis://shop.orders:-@127.0.0.1:${portal.respPort}`);
  try {
    expect(await orders.get('a')).toBeNull();
    expect(await orders.call('LV.USE')).toBe('shop.orders');
  } finally {
    orders.disconnect();
  }
});

it('node-redis in RESP3', async () => {
  const client = createClient({ RESP: 3, url: `redis://default:-@127.0.0.1:${portal.respPort}` });
  client.on('error', () => undefined);
  await client.connect();
  try {
    expect(await client.set('n', 'é', { expiration: { type: 'PX', value: 100_000 } })).toBe('OK');
    expect(await client.get('n')).toBe('é');
    expect(await client.mGet(['n', 'none'])).toEqual(['é', null]);
    expect(await client.del(['n', 'none'])).toBe(1);
    expect(await Promise.all(Array.from({ length: 200 }, (_, i) => client.set(`nr:${i}`, `${i}`)))).toHaveLength(200);
    let found = 0;
    for await (const keys of client.scanIterator({ MATCH: 'nr:*', COUNT: 50 })) found += keys.length;
    expect(found).toBe(200);
    expect(await client.configGet('save')).toEqual({ save: '' });
    expect(await client.info('server')).toMatch(/levee_instance:p1/);
  } finally {
    client.destroy();
  }
});

it.each([
  ['an unknown user', (port: number) => `redis://no.such:-@127.0.0.1:${port}`, /namespace 'no\.such'/],
  ['a number of a database', (port: number) => `redis://127.0.0.1:${port}/1`, /have no numbers/],
])('%s in the URL is no way into the default namespace', async (_what, urlOf, reason) => {
  const url = urlOf(portal.respPort);
  const plain = new Redis({ host: '127.0.0.1', port: portal.respPort });
  const io = new Redis(url, { retryStrategy: null, lazyConnect: true });
  io.on('error', () => undefined);
  const node = createClient({ url, socket: { reconnectStrategy: false } });
  node.on('error', () => undefined);
  try {
    await plain.set('nowhere', 'untouched');
    // ioredis closes a connection whose AUTH failed, some commands later.
    const refused = new RegExp(`${reason.source}|Connection is closed`);
    await io.connect().catch(() => undefined);
    await expect(io.set('nowhere', 'ioredis')).rejects.toThrow(refused);
    await expect(io.get('nowhere')).rejects.toThrow(refused);
    await expect(node.connect().then(() => node.set('nowhere', 'node-redis'))).rejects.toThrow(reason);
    expect(await plain.get('nowhere')).toBe('untouched');
  } finally {
    plain.disconnect();
    if (io.status !== 'end') io.disconnect();
    if (node.isOpen) node.destroy();
  }
});

it('an unreadable key costs MGET no other key: its error stands in its place', async () => {
  const redis = new Redis({ host: '127.0.0.1', port: portal.respPort });
  const client = createClient({ url: `redis://127.0.0.1:${portal.respPort}` });
  client.on('error', () => undefined);
  await client.connect();
  try {
    await redis.set('whole', 'v');
    await redis.set('broken', 'fine');
    const { binlog } = cluster.view.state.namespace('default')!;
    const partition = partitionOf(hashOf(Buffer.from('broken'), 'murmur2'), 4);
    const junk = { key: Buffer.from('broken'), value: Buffer.from('junk') };
    await cluster.log.append(binlog, asPartition(partition), [junk]);
    await until('the record being seen', () =>
      redis.get('broken').then(
        () => false,
        () => true,
      ),
    );
    const expected = ['v', expect.stringMatching(/LVUNREADABLE \d:\d+ .*\(key 'broken'\)/), 'null', 'v'];
    const keys = ['whole', 'broken', 'none', 'whole'];
    expect((await redis.mget(keys)).map(String)).toEqual(expected);
    expect((await client.mGet(keys)).map(String)).toEqual(expected);
  } finally {
    redis.disconnect();
    client.destroy();
  }
});
