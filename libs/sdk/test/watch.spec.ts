import {
  connect,
  DefiniteError,
  HistoryError,
  json,
  utf8,
  type Change,
  type Client,
  type Namespace,
  type Watch,
} from '@levee/sdk';
import type { EmbeddedLog } from '@levee/log-embedded';
import { TestCluster } from '../../portal/test/test-cluster';

/** The next so many; fails when they do not come. */
async function take<V>(watch: Watch<V>, count: number): Promise<Change<V>[]> {
  const changes: Change<V>[] = [];
  const late = setTimeout(() => void watch.close(), 15_000);
  for (let i = 0; i < count; i++) {
    const { value, done } = await watch.next();
    if (done === true) throw new Error(`${changes.length} of ${count} changes came`);
    changes.push(value);
  }
  clearTimeout(late);
  return changes;
}

const shown = (changes: readonly Change<string>[]): string[] =>
  changes.map(({ key, value, isDeleted }) => (isDeleted ? `${key} gone` : `${key}=${value}`));

describe('a watch', () => {
  let cluster: TestCluster;
  let client: Client;
  let orders: Namespace<string>;

  beforeAll(async () => {
    cluster = await TestCluster.start(1);
    await cluster.namespace('default');
    await cluster.namespace('shop.orders');
    const portals = [await cluster.portal(), await cluster.portal()].map(({ respPort }) => `127.0.0.1:${respPort}`);
    client = await connect({ portals });
    while (client.status().portals.some(({ up }) => !up)) await new Promise((resolve) => setTimeout(resolve, 10));
    orders = client.namespace('shop.orders').typed(utf8);
  }, 60_000);

  afterAll(async () => {
    await client?.close();
    await cluster?.close();
  });

  it('tells what is written after it was opened, of one key in the order of the log, with position and times', async () => {
    await orders.put('a', 'before');
    const watch = await orders.watch();
    const { position } = await orders.put('a', '1', { ttlMs: 60_000 });
    await orders.delete('a');
    await orders.put('a', '2');
    const changes = await take(watch, 3);
    expect(shown(changes)).toEqual(['a=1', 'a gone', 'a=2']);
    expect(changes[0]).toMatchObject({ position, error: undefined });
    expect(Math.abs(Number(changes[0]?.expiresAt) - Date.now() - 60_000)).toBeLessThan(20_000);
    expect(Math.abs(Number(changes[0]?.writtenAt) - Date.now())).toBeLessThan(20_000);
    await watch.close();
    expect(await watch.next()).toEqual({ done: true, value: undefined });
  });

  it.each([
    [{ prefix: 'b:' }, ['b:1=x', 'b:2=x']],
    [{ key: 'b:2' }, ['b:2=x']],
  ])('of %j leaves the others out', async (of, expected) => {
    await using watch = await orders.watch(of);
    for (const key of ['b:1', 'b', 'b:2', 'c']) await orders.put(key, 'x');
    expect(shown(await take(watch, expected.length)).sort()).toEqual(expected);
    const more = watch.next();
    await new Promise((resolve) => setTimeout(resolve, 50));
    await orders.put('b:2', 'end');
    expect((await more).value?.value).toBe('end');
  });

  it('goes on from its token: none is missed, and none before it comes again', async () => {
    const keys = Array.from({ length: 1_200 }, (_, i) => `t:${i}`);
    const first = await orders.watch({ prefix: 't:' });
    await orders.putMany(keys.map((key) => [key, 'x'] as const));
    const seen = shown(await take(first, 700));
    const { token } = first;
    await first.close();
    await using second = await orders.watch({ prefix: 't:', from: token });
    seen.push(...shown(await take(second, 500)));
    expect(new Set(seen)).toEqual(new Set(keys.map((key) => `${key}=x`)));
    expect(seen).toHaveLength(1_200);
  });

  it('from the beginning tells what the log holds', async () => {
    const plain = client.namespace('default').typed(utf8);
    await plain.putMany([
      ['z:1', 'x'],
      ['z:2', 'y'],
      ['z:1', 'z'],
    ]);
    await using watch = await plain.watch({ prefix: 'z:', from: 'beginning' });
    const told = shown(await take(watch, 3));
    expect(told.filter((text) => text.startsWith('z:1'))).toEqual(['z:1=x', 'z:1=z']);
    expect(told).toContain('z:2=y');
  });

  it('a value that cannot be read stops nothing', async () => {
    const numbers = client.namespace('shop.orders').typed(json<number>());
    await using watch = await numbers.watch({ key: 'n' });
    await orders.put('n', 'no JSON');
    await numbers.put('n', 5);
    const [bad, good] = await take(watch, 2);
    expect(bad).toMatchObject({ value: undefined, isDeleted: false, error: { code: 'CODEC' } });
    expect(good).toMatchObject({ value: 5, error: undefined });
  });

  it('ends when its signal is aborted, also while it waits', async () => {
    const abort = new AbortController();
    const watch = await orders.watch({ key: 'quiet', signal: abort.signal });
    const waiting = watch.next();
    setTimeout(() => abort.abort(), 30);
    expect(await waiting).toEqual({ done: true, value: undefined });
    await expect(orders.watch({ signal: abort.signal })).rejects.toThrow(DefiniteError);
  });

  it.each([
    ['of another log', /^[^;]*;.*$/, 'levee.binlog.shop.orders_7@id;0:1', HistoryError],
    ['behind the end of the log', /;.*$/, ';0:99999999', HistoryError],
    ['that is none', /^.*$/, 'nonsense', /is no token of a watch/],
    ['of a partition that is not there', /;.*$/, ';77:1', /no position/],
  ])('from a token %s says so', async (_what, of, by, problem) => {
    await using begun = await orders.watch();
    const watching = orders.watch({ from: begun.token.replace(of, by) }).then((watch) => watch.next());
    await expect(watching).rejects.toThrow(problem);
  });

  it('and its log is cleaned of records that it did not see: it says so, once, and ends', async () => {
    const { binlog } = await orders.where('gap');
    await using early = await orders.watch({ key: 'gap' });
    const { token } = early;
    await early.close();
    for (let i = 0; i < 50; i++) await orders.put('gap', `${i}`);
    await cluster.log.alterTopic(binlog, { 'min.compaction.lag.ms': '0' });
    expect(await (cluster.log as EmbeddedLog).compact(binlog)).toBeGreaterThan(40);
    const watch = await orders.watch({ key: 'gap', from: token });
    await expect(watch.next()).rejects.toThrow(HistoryError);
    expect(await watch.next()).toEqual({ done: true, value: undefined });
  });

  it('goes on by another portal when its own one says that it stops, and then does; no write fails meanwhile', async () => {
    const watch = await orders.watch({ prefix: 'm:' });
    const seen = new Set<string>();
    const reading = (async () => {
      for await (const { key } of watch) if (seen.add(key).size === 400) break;
    })();
    for (let i = 0; i < 400; i++) {
      await orders.put(`m:${i}`, 'x');
      if (i === 150) cluster.portals[0]?.leave(2_000);
      if (i === 300) void cluster.portals[0]?.close();
    }
    await reading;
    expect(seen.size).toBe(400);
  }, 60_000);
});
