import { avro } from '../src/avro';
import { clientContract } from './client-contract';
import { TestCluster } from '../../portal/test/test-cluster';
import { bytes, connect, json, utf8, CodecError, LimitError, NamespaceError, type Client } from '@levee/sdk';

const names = (count: number): string[] => Array.from({ length: count }, (_, i) => `k${String(i).padStart(4, '0')}`);

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const item of items) found.push(item);
  return found;
}

describe('the client on two real portals', () => {
  let cluster: TestCluster;
  let client: Client;
  let portals: string[];

  beforeAll(async () => {
    cluster = await TestCluster.start(2);
    await cluster.namespace('default');
    await cluster.namespace('shop.orders');
    await cluster.namespace('shop.contract');
    await cluster.namespace('shop.other');
    portals = [await cluster.portal(), await cluster.portal()].map(({ respPort }) => `127.0.0.1:${respPort}`);
    client = await connect({ portals, deadlineMs: 40_000 });
    while (client.status().portals.some(({ up }) => !up)) await new Promise((resolve) => setTimeout(resolve, 10));
  }, 60_000);

  afterAll(async () => {
    await client?.close();
    await cluster?.close();
  });

  it('sets, reads and deletes keys; an entry tells position and expiry', async () => {
    const orders = client.namespace('shop.orders').typed(utf8);
    expect(await orders.get('a')).toBeUndefined();
    const { position } = await orders.put('a', 'hello', { ttlMs: 60_000, ack: 'all' });
    expect(position).toMatch(/^\d:\d+$/);
    const entry = await orders.entry('a', { consistency: 'strong' });
    expect(entry).toMatchObject({ key: 'a', value: 'hello', position });
    expect(Math.abs(Number(entry?.expiresAt) - Date.now() - 60_000)).toBeLessThan(20_000);
    expect(await orders.where('a')).toMatchObject({ namespace: 'shop.orders', replicas: [{}, {}] });
    await orders.delete('a');
    expect(await orders.get('a')).toBeUndefined();
    expect(await client.namespace('default').get('a')).toBeUndefined();
  });

  it('many keys, through both portals, are all seen by the next read', async () => {
    const orders = client.namespace('shop.orders').typed(utf8);
    const keys = names(1_500);
    const written = await orders.putMany(keys.map((key) => [key, `v${key}`] as const));
    expect(written).toHaveLength(1_500);
    const values = await orders.getMany([...keys, 'absent']);
    expect(values).toEqual([...keys.map((key) => `v${key}`), undefined]);
    const homes = new Set(await Promise.all(keys.slice(0, 20).map(async (key) => (await orders.where(key)).portal)));
    expect([...homes].sort()).toEqual([...portals].sort());
  });

  it('scans give keys in byte order, by prefix, bounds and limit, page by page', async () => {
    const orders = client.namespace('shop.orders').typed(utf8);
    const keys = names(1_500);
    expect(await all(orders.keys({ prefix: 'k' }))).toEqual(keys);
    expect(await all(orders.keys({ prefix: 'k', pageKeys: 64, limit: 200 }))).toEqual(keys.slice(0, 200));
    expect(await all(orders.keys({ from: 'k0100', to: 'k0200', pageKeys: 30 }))).toEqual(keys.slice(100, 200));
    const entries = await all(orders.scan({ prefix: 'k010', consistency: 'strong' }));
    expect(entries.map(({ key, value }) => `${key}=${value}`)).toEqual(
      names(110)
        .slice(100)
        .map((key) => `${key}=v${key}`),
    );
    // Whoever reads no further asks for no more.
    for await (const { key } of orders.scan({ prefix: 'k', pageKeys: 10 })) if (key === 'k0003') break;
  });

  it('large values make pages that end by bytes, and none is lost', async () => {
    const store = client.namespace('default');
    const value = Buffer.alloc(300_000, 7);
    await store.putMany(names(9).map((key) => [key, value] as const));
    const found = await all(store.scan());
    expect(found.map(({ key, value: of }) => [key, of.equals(value)])).toEqual(names(9).map((key) => [key, true]));
  });

  it('values of every kind come back as they were', async () => {
    const store = client.namespace('default');
    const docs = store.typed(json<{ n: number }>());
    await docs.put('doc', { n: 1 });
    expect(await docs.get('doc')).toEqual({ n: 1 });
    expect(String(await store.typed(bytes).get('doc'))).toBe('{"n":1}');
    const price = { type: 'record', name: 'Price', fields: [{ name: 'cents', type: 'int' }] };
    const prices = store.typed(avro<{ cents: number }>(price));
    await prices.put('price', { cents: 5 });
    expect(await prices.get('price')).toEqual({ cents: 5 });
    await expect(prices.get('doc')).rejects.toThrow(CodecError);
    const bytesKey = Buffer.from([0xff, 0x00, 0x0d, 0x0a]);
    await store.put(bytesKey, Buffer.from([0, 10, 13]));
    expect(await store.get(bytesKey)).toEqual(Buffer.from([0, 10, 13]));
  });

  it('what is too large and who asks for what is not there is told so', async () => {
    const store = client.namespace('default');
    await expect(store.put('k'.repeat(1_025), Buffer.from(''))).rejects.toThrow(LimitError);
    await expect(store.put('k', Buffer.alloc(1024 * 1024 + 1))).rejects.toThrow(LimitError);
    await expect(client.namespace('no.such').get('a')).rejects.toThrow(NamespaceError);
    await expect(client.namespace('no.such').put('a', Buffer.from(''))).rejects.toThrow(/no.such/);
  });

  it('a namespace that is made later can be used by the same client', async () => {
    const late = client.namespace('shop.late').typed(utf8);
    await expect(late.get('a')).rejects.toThrow(NamespaceError);
    await cluster.namespace('shop.late');
    const deadline = Date.now() + 10_000;
    while (Date.now() < deadline && (await late.put('a', 'x').catch(() => undefined)) === undefined)
      await new Promise((resolve) => setTimeout(resolve, 20));
    expect(await late.get('a')).toBe('x');
  });

  it('a session goes to another client by its token', async () => {
    await using other = await connect({ portals });
    const orders = client.namespace('shop.orders').typed(utf8);
    const theirs = other.namespace('shop.orders').typed(utf8);
    for (let i = 0; i < 20; i++) {
      await orders.put('hop', `v${i}`);
      await theirs.join(orders.session() as string);
      expect(await theirs.get('hop')).toBe(`v${i}`);
    }
    await expect(theirs.join('nonsense')).rejects.toThrow(/session token/);
    await expect(client.namespace('default').join(orders.session() as string)).rejects.toThrow(/shop.orders/);
  });

  it('LV.PUT with an id happens once; sent again it is joined, by the process that knows it only', async () => {
    const { send } = cluster.connect(cluster.portals[0]!);
    const { incarnation } = (await send('LV.DOOR').then((facts) => ({ incarnation: (facts as string[])[1] }))) as {
      incarnation: string;
    };
    const first = await send('LV.PUT', 'once', 'x', 'ID', 'i1');
    expect(await send('LV.PUT', 'once', 'x', 'ID', 'i1', 'AGAIN', incarnation, '50')).toBe(first);
    expect(await send('LV.PUT', 'once', 'y', 'ID', 'i1')).toMatch(/^-LVREQUEST/);
    const timed = await send('LV.PUT', 'timed', 'x', 'PX', '60000', 'ID', 'i3');
    await new Promise((resolve) => setTimeout(resolve, 5));
    expect(await send('LV.PUT', 'timed', 'x', 'PX', '60000', 'ID', 'i3', 'AGAIN', incarnation, '50')).toBe(timed);
    expect(await send('LV.PUT', 'timed', 'x', 'PX', '60001', 'ID', 'i3')).toMatch(/^-LVREQUEST/);
    expect(await send('LV.PUT', 'once', 'x', 'ID', 'i1', 'AGAIN', 'another', '50')).toMatch(/^-LVINDEFINITE/);
    // The first sending never came here: it happens now.
    const second = await send('LV.DEL', 'once', 'ID', 'i2', 'AGAIN', incarnation, '50');
    expect(second).toMatch(/^\d:\d+$/);
    const [value, position, clockMs] = (await send('LV.GET', 'once')) as [null, string, number];
    expect([value, position]).toEqual([null, second]);
    // The time by which there is none, by the clock of the portal.
    expect(Math.abs(clockMs - Date.now())).toBeLessThan(10_000);
  });

  it.each([
    ['LV.GET a sometimes', /^-ERR a consistency is one of/],
    ['LV.PUT a b PXAT', /^-ERR syntax/],
    ['LV.PUT a b PXAT 0', /^-ERR invalid expire time/],
    ['LV.PUT a b PX 0', /^-ERR invalid expire time/],
    ['LV.PUT a b PX 9007199254740990', /^-ERR invalid expire time/],
    ['LV.PUT a b PX 5 PXAT 5', /^-ERR syntax/],
    ['LV.DEL a PX 5', /^-ERR syntax/],
    ['LV.PUT a b ACK some', /^-ERR an ack is one of/],
    ['LV.PUT a b AGAIN x 5', /^-ERR only a write with an id/],
    ['LV.DEL a PXAT 5', /^-ERR syntax/],
    ['LV.PAGE a b 0', /^-LVLIMIT a page of '0' keys/],
    ['LV.PAGE a b 10 VALUES', /^-ERR syntax/],
  ])('%s is refused', async (command, problem) => {
    expect(await cluster.connect(cluster.portals[0]!).send(...command.split(' '))).toMatch(problem);
  });

  clientContract('the client on portals', {
    client: () => connect({ portals }),
    pass: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
  });
});
