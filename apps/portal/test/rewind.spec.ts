import { historyOf, stateAt } from '@levee/audit';
import { controlTopics } from '@levee/journal';
import { hashOf, slotOf } from '@levee/keyspace';
import { systemClock } from '@levee/log';
import { connect, HistoryError, utf8, type Watch } from '@levee/sdk';
import { readCommand, ReadEntriesWriter, ReadReply, RespError, sealOfCommand } from '@levee/wire';
import { OneNodeCluster } from './one-node-cluster';

jest.setTimeout(120_000);

let cluster: OneNodeCluster;
const ask: OneNodeCluster['ask'] = (...args) => cluster.ask(...args);
const json = { 'content-type': 'application/json' };
const post = (path: string, body: object) => ask('POST', path, JSON.stringify(body), json);
const rewind = (name: string, body: object) => post(`/v1/namespaces/${name}/rewind`, body);
const state = async (name: string) => (await ask('GET', `/v1/namespaces/${name}`)).json;
const put = async (name: string, key: string, value: string) =>
  expect((await ask('PUT', `/v1/kv/${name}/${key}`, value)).status).toBe(204);
const get = async (name: string, key: string): Promise<string> => {
  const { status, body } = await ask('GET', `/v1/kv/${name}/${key}`);
  return status === 200 ? body.toString() : String(status);
};
const all = async (name: string) => Promise.all(['a', 'b', 'c', 'd'].map((key) => get(name, key)));
/** Key `a` of the node, for a reader that calls the namespace so. */
function readAs(namespace: string): Promise<string> {
  const { store } = cluster.app.portal;
  const key = Buffer.from('a');
  const hash = hashOf(key, 'murmur2');
  const entries = new ReadEntriesWriter();
  entries.add(slotOf(hash, size.partitions), 0, key);
  const header = { namespace, tableVersion: 0, maxAgeMs: -1, nowMs: Date.now(), deadlineMs: 0 };
  const command = readCommand(header, entries);
  const link = [...store.links.all()][0];
  return new Promise((resolve, reject) => {
    link?.reads.send(command, 10_000, (failure, reply) => {
      if (failure) return reject(failure);
      if (reply instanceof RespError) return resolve(reply.text);
      const cursor = new ReadReply(reply as Buffer, sealOfCommand(command));
      cursor.next();
      resolve(cursor.buffer.toString('utf8', cursor.valueStart, cursor.valueEnd));
    });
  });
}
const keyA = { key: Buffer.from('a'), clockMarginMs: 0 };
const evidence = () => ({ log: cluster.log, topics: controlTopics('levee'), clock: systemClock });
const proofOf = async (namespace: string, timeMs: number) =>
  (await stateAt(evidence(), { namespace, ...keyA, cut: { timeMs }, partition: undefined })).proof;
const size = { partitions: 2, chunks: 1, replicas: 1, chunkCapacityBytes: 8 << 20 };
const rest = () => new Promise((resolve) => setTimeout(resolve, 5));

/** A namespace with `a b c` of then, and `a d` of later; the time between. */
async function made(name: string): Promise<number> {
  expect((await post('/v1/namespaces', { name, ...size })).status).toBe(201);
  for (const key of ['a', 'b', 'c']) await put(name, key, 'then');
  await rest();
  const atMs = Date.now();
  await rest();
  for (const key of ['a', 'd']) await put(name, key, 'later');
  expect((await ask('DELETE', `/v1/kv/${name}/b`)).status).toBe(204);
  return atMs;
}

beforeAll(async () => {
  cluster = await OneNodeCluster.start();
});
afterAll(() => cluster?.close());

describe('POST /v1/namespaces/:name/rewind', () => {
  it('takes a namespace back, keeps what it was, takes that back, and loses nothing', async () => {
    const atMs = await made('shop');
    const aside = 'shop.before-rewind-1';
    const done = await rewind('shop', { atMs });
    expect([done.status, done.lines.at(-1)]).toMatchObject([
      200,
      { event: 'done', name: 'shop', keys: 3, before: aside },
    ]);
    expect(await all('shop')).toEqual(['then', 'then', 'then', '404']);
    expect(await all(aside)).toEqual(['later', '404', 'then', 'later']);
    expect((await rewind('shop', { atMs })).lines.at(-1)).toEqual(done.lines.at(-1));
    // What the name held then is in the other log: the one that it has now says nothing of it.
    expect(await proofOf('shop', atMs)).toMatchObject({
      reason: 'other-binlog',
      message: expect.stringContaining(aside),
    });
    expect(await proofOf(aside, atMs)).toMatchObject({ verdict: 'proved' });
    expect((await historyOf(evidence(), { namespace: 'shop', ...keyA, limit: 10 })).before).toMatchObject({
      reason: 'other-binlog',
    });
    // A reader that has not heard of it says the name, and is never answered from the other binlog.
    expect(await Promise.all(['shop', aside, `@${aside}#1`, '@shop#1', '@shop#2'].map(readAs))).toEqual([
      expect.stringMatching(/^LVNAMESPACE shop has changed places/),
      expect.stringMatching(/^LVNAMESPACE shop.before-rewind-1 has changed places/),
      'then',
      'later',
      expect.stringMatching(/^LVNAMESPACE this node knows no namespace '@shop#2'/),
    ]);
    const rewoundAtMs = Date.now();
    await rest();
    // It is as large as the other one, whatever that has grown to.
    const sizes = await Promise.all(['shop', aside].map(async (each) => (await state(each))['chunkCapacityBytes']));
    expect(sizes).toEqual([size.chunkCapacityBytes, size.chunkCapacityBytes]);
    // What it is takes writes, and what it was takes none.
    await put('shop', 'd', 'after');
    expect(await get('shop', 'd')).toBe('after');
    const refused = await ask('PUT', `/v1/kv/${aside}/d`, 'x');
    expect([refused.status, refused.json['code']]).toEqual([423, 'LVFROZEN']);
    expect(await state(aside)).toMatchObject({ bornAs: 'shop', frozenBy: 'operator', swappedWith: 'shop' });
    // Asked for again, it does not say that it is what it was.
    const twice = await rewind('shop', { atMs });
    expect([twice.status, twice.json['message']]).toEqual([409, expect.stringMatching(/and 1 records were written/)]);
    const undone = await rewind('shop', { undo: true });
    expect(undone.lines.at(-1)).toMatchObject({ event: 'done', before: aside, leftRecords: 1, leftIsAtLeast: false });
    expect([await all('shop'), await all(aside)]).toEqual([
      ['later', '404', 'then', 'later'],
      ['then', 'then', 'then', 'after'],
    ]);
    expect(await proofOf('shop', atMs)).toMatchObject({ verdict: 'proved' });
    expect(await proofOf('shop', rewoundAtMs)).toMatchObject({ reason: 'other-binlog' });
    expect((await rewind('shop', { undo: true })).lines.at(-1)).toMatchObject({
      message: expect.stringMatching(/^shop is what it was/) as string,
    });
    await put('shop', 'd', 'last');
    const again = await rewind('shop', { atMs });
    expect(again.lines.at(-1)).toMatchObject({ event: 'done', keys: 3, before: 'shop.before-rewind-2' });
    expect([await get('shop', 'd'), await get('shop.before-rewind-2', 'd')]).toEqual(['404', 'last']);
  });

  it('ends watches that follow, and those that go on from before; after an undo both logs are known again', async () => {
    const atMs = await made('seen');
    const { respPort } = cluster.app.portal;
    await using client = await connect({ portals: [`127.0.0.1:${respPort}`] });
    const store = client.namespace('seen').typed(utf8);
    const next = async (watch: Watch<string>): Promise<string> => {
      const late = setTimeout(() => void watch.close(), 15_000);
      const { value } = await watch.next().finally(() => clearTimeout(late));
      return `${value?.key}=${value?.value}`;
    };
    await using live = await store.watch();
    await put('seen', 'c', 'last');
    expect(await next(live)).toBe('c=last');
    const before = live.token;
    const follows = next(live);
    const lost = expect(follows).rejects.toThrow(HistoryError);
    expect((await rewind('seen', { atMs })).lines.at(-1)).toMatchObject({ event: 'done' });
    await lost;
    await using old = await store.watch({ from: before });
    await expect(next(old)).rejects.toThrow(/LVHISTORY|created again, rewound/);

    await using anew = await store.watch();
    await put('seen', 'd', 'after');
    expect(await next(anew)).toBe('d=after');
    const rewound = anew.token;
    expect((await rewind('seen', { undo: true })).lines.at(-1)).toMatchObject({ event: 'done' });
    await using other = await store.watch({ from: rewound });
    await expect(next(other)).rejects.toThrow(HistoryError);
    // Where it stood is the log that the namespace has again, and nothing of the other one is told.
    await using back = await store.watch({ from: before });
    await put('seen', 'a', 'on');
    expect(await next(back)).toBe('a=on');
  });

  it('is let go of by a command that says so, and by no thaw of somebody else', async () => {
    const atMs = await made('left');
    const owner = 'rewind left';
    expect((await rewind('left', { cancel: true })).lines.at(-1)).toMatchObject({
      message: expect.stringMatching(/nothing was changed/) as string,
    });
    expect(
      (await post('/v1/commands', { kind: 'FreezeNamespace', payload: { name: 'left', reason: 'x', owner } })).status,
    ).toBe(200);
    const thaw = await ask('DELETE', '/v1/namespaces/left/freeze');
    expect([thaw.status, thaw.json['message']]).toEqual([
      409,
      expect.stringContaining('levee namespace rewind left --cancel'),
    ]);
    expect((await rewind('left', { cancel: true })).lines.at(-1)).toMatchObject({ message: 'left takes writes' });
    await put('left', 'd', 'after');
    expect((await rewind('left', { atMs })).lines.at(-1)).toMatchObject({ event: 'done', keys: 3 });
  });

  it.each([
    ['nothing', 'one', {}, 400, 'BAD_REQUEST', /one of atMs, undo and cancel/],
    ['two things', 'one', { atMs: 7, undo: true }, 400, 'BAD_REQUEST', /one of atMs, undo and cancel/],
    ['a time that is none', 'one', { atMs: 'noon' }, 400, 'BAD_REQUEST', /atMs is "noon"/],
    ['what is not there', 'nowhere', { atMs: 7 }, 404, 'LVNAMESPACE', /no active namespace nowhere/],
    ['a time before it was there', 'one', { atMs: 7 }, 422, 'NOT_PROVABLE', /its log says nothing of an earlier time/],
    ['a time to come', 'one', { atMs: 9e12 }, 422, 'NOT_PROVABLE', /partition 0: .*; partition 1: /],
    ['an undo of nothing', 'one', { undo: true }, 409, 'NAMESPACE_NOT_READY', /nothing to undo/],
    [
      'who did not end',
      'one',
      { undo: true, ended: ['p9'] },
      400,
      'BAD_REQUEST',
      /no portal, or run of one, is called p9/,
    ],
  ])('refuses %s, and freezes nothing', async (_what, name, body, status, code, message) => {
    await post('/v1/namespaces', { name: 'one', ...size });
    // What is refused after a while has a line of progress before it, and then the status is sent.
    const { status: is, lines } = await rewind(name, body);
    expect([lines.length > 1 ? status : is, lines.at(-1)]).toEqual([
      status,
      { code, message: expect.stringMatching(message) as string },
    ]);
    expect(await state('one')).toMatchObject({ frozenBy: null, number: 1 });
    expect((await ask('GET', '/v1/namespaces/one.before-rewind-1')).status).toBe(404);
  });
});
