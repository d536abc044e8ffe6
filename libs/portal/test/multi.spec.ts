import Redis from 'ioredis';
import { createClient } from 'redis';
import { asPartition } from '@levee/kernel';
import { hashOf, partitionOf } from '@levee/keyspace';
import type { Portal } from '@levee/portal';
import { TestCluster, until } from './test-cluster';

jest.setTimeout(60_000);

let cluster: TestCluster;
let portal: Portal;
type Send = (...args: (string | Buffer)[]) => Promise<unknown>;
const connect = (): Send => cluster.connect(portal).send;

beforeAll(async () => {
  cluster = await TestCluster.start(1);
  await cluster.namespace('default');
  await cluster.namespace('batched', { multi: 'batch' });
  portal = await cluster.portal();
});
afterAll(() => cluster?.close());

const error = (text: string): unknown => expect.stringMatching(new RegExp(`^-${text}`));
const refused = error(
  'LVUNSUPPORTED EXEC: nothing was carried out.* levee namespace alter default --multi batch.*docs/redis-differences.md#multi.$',
);
const aborted = (why: string): unknown => error(`EXECABORT Transaction discarded because of previous errors: ${why}`);

/** What is sent, and the reply. Each begins with a new connection in `default`. */
const transcripts: Readonly<Record<string, readonly (readonly [sent: string, reply: unknown])[]>> = {
  'refused: the first command says so, and EXEC, and nothing is there': [
    ['SET r before', 'OK'],
    ['MULTI', 'OK'],
    ['SET r after', refused],
    ['DEL r', 'QUEUED'],
    ['MSET r 1 r2 2', 'QUEUED'],
    ['EXEC', refused],
    ['GET r', 'before'],
    ['GET r2', null],
    ['MULTI', 'OK'],
    ['EXEC', []],
  ],
  'a batch: in order, each with its answer, and what follows waits for it': [
    ['LV.USE batched', 'OK'],
    ['MULTI', 'OK'],
    ['SET b 1', 'QUEUED'],
    ['GET b', 'QUEUED'],
    ['SET b 2 EX 100', 'QUEUED'],
    ['MSET b2 x b3 y', 'QUEUED'],
    ['MGET b b2 none', 'QUEUED'],
    ['DEL b b2', 'QUEUED'],
    ['GET b', 'QUEUED'],
    ['PING', 'QUEUED'],
    ['UNWATCH', 'QUEUED'],
    ['LV.ACK all', 'QUEUED'],
    ['SET b 3', 'QUEUED'],
    ['EXEC', ['OK', '1', 'OK', 'OK', ['2', 'x', null], 2, null, 'PONG', 'OK', 'OK', 'OK']],
    ['GET b', '3'],
    ['LV.ACK', 'all'],
    ['EXEC', '-ERR EXEC without MULTI'],
  ],
  'a batch in RESP3': [
    ['HELLO 3 AUTH batched -', expect.objectContaining({ proto: 3 })],
    ['MULTI', 'OK'],
    ['SET three 3', 'QUEUED'],
    ['GET none', 'QUEUED'],
    ['CONFIG GET save', 'QUEUED'],
    ['EXEC', ['OK', null, { save: '' }]],
  ],
  'DISCARD and RESET forget it, a nested MULTI changes nothing': [
    ['LV.USE batched', 'OK'],
    ['DISCARD', '-ERR DISCARD without MULTI'],
    ['MULTI', 'OK'],
    ['SET d 1', 'QUEUED'],
    ['MULTI', '-ERR MULTI calls can not be nested'],
    ['DISCARD', 'OK'],
    ['GET d', null],
    ['MULTI', 'OK'],
    ['SET d 2', 'QUEUED'],
    ['RESET', 'RESET'],
    ['EXEC', '-ERR EXEC without MULTI'],
    ['LV.USE batched', 'OK'],
    ['MULTI', 'OK'],
    ['MULTI', '-ERR MULTI calls can not be nested'],
    ['EXEC', []],
    ['GET d', null],
    ['UNWATCH', 'OK'],
  ],
  ...Object.fromEntries(
    (
      [
        ['NONSENSE a', "ERR unknown command 'NONSENSE'"],
        ['GET', "ERR wrong number of arguments for 'get' command"],
        ['INCR q', 'LVUNSUPPORTED INCR'],
        ['WATCH q', 'LVUNSUPPORTED WATCH'],
        ['LPUSH q 1', 'LVUNSUPPORTED LPUSH'],
        ['SET q 1 NX', 'LVUNSUPPORTED SET … NX'],
        ['SET q 1 EX 0', "ERR invalid expire time in 'set' command"],
        ['SETEX q soon 1', 'ERR value is not an integer'],
        ['MSET q 1 q2', "ERR wrong number of arguments for 'mset' command"],
        [`GET ${'k'.repeat(1_025)}`, 'LVLIMIT a key of 1025 bytes'],
        [`MSET q 1 ${'k'.repeat(1_025)} 2`, 'LVLIMIT a key of 1025 bytes'],
        [`SET q ${'v'.repeat(1024 * 1024 + 1)}`, 'LVLIMIT a value of 1048577 bytes'],
        ['LV.WAIT 0:1', 'ERR Command not allowed inside a transaction: send LV.WAIT before MULTI, or after EXEC'],
        ['HELLO 3', 'ERR Command not allowed inside a transaction'],
        ['LV.USE', 'ERR Command not allowed inside a transaction'],
      ] as const
    ).map(([sent, why]) => [
      `an error at queueing is said at once, and EXEC carries out nothing: ${sent.slice(0, 20)}`,
      [
        ['LV.USE batched', 'OK'],
        ['SET q before', 'OK'],
        ['MULTI', 'OK'],
        ['SET q after', 'QUEUED'],
        [sent, error(why)],
        ['SET q after', 'QUEUED'],
        ['EXEC', aborted(why)],
        ['GET q', 'before'],
        ['MULTI', 'OK'],
        ['GET q', 'QUEUED'],
        ['EXEC', ['before']],
      ],
    ]),
  ),
  ...Object.fromEntries(
    ['SELECT 1', 'SELECT 0', 'AUTH batched -', 'LV.USE batched', 'HELLO 3 AUTH batched -'].map((sent) => [
      `${sent} is not allowed in it, and nobody goes on in the namespace before`,
      [
        ['LV.USE batched', 'OK'],
        ['MULTI', 'OK'],
        ['SET s 1', 'QUEUED'],
        [sent, error('ERR Command not allowed inside a transaction')],
        ['GET s', error('LVNAMESPACE nothing is read or written on this connection')],
        ['EXEC', aborted('ERR Command not allowed inside a transaction')],
        ['SET s 1', error('LVNAMESPACE nothing is read or written on this connection')],
        ['LV.USE batched', 'OK'],
        ['GET s', null],
      ],
    ]),
  ),
  'without a namespace nothing is queued': [
    ['AUTH no.such -', error('LVNAMESPACE there is no namespace')],
    ['MULTI', 'OK'],
    ['SET n 1', error('LVNAMESPACE nothing is read or written on this connection')],
    ['EXEC', aborted('LVNAMESPACE nothing is read or written')],
  ],
};

describe.each(Object.entries(transcripts))('%s', (_title, lines) => {
  it('answers', async () => {
    const send = connect();
    for (const [sent, reply] of lines) expect([sent, await send(...sent.split(' '))]).toEqual([sent, reply]);
  });
});

it('an element may be an error, and the others are carried out', async () => {
  const send = connect();
  const { binlog } = cluster.view.state.namespace('batched')!;
  await send('LV.USE', 'batched');
  await send('SET', 'fine', '1');
  const partition = asPartition(partitionOf(hashOf(Buffer.from('broken'), 'murmur2'), 4));
  await cluster.log.append(binlog, partition, [{ key: Buffer.from('broken'), value: Buffer.from('junk') }]);
  await until('it being unreadable', async () => String(await send('GET', 'broken')).startsWith('-LVUNREADABLE'));
  await send('MULTI');
  for (const key of ['fine', 'broken', 'fine']) await send('GET', key);
  expect(await send('EXEC')).toEqual(['1', error('LVUNREADABLE'), '1']);
});

it('a batch of thousands, sent at once with what follows', async () => {
  const send = connect();
  await send('LV.USE', 'batched');
  const many = Array.from({ length: 3_000 }, (_, i) => `many:${i}`);
  const replies = [send('MULTI'), ...many.map((key) => send('SET', key, key)), send('EXEC'), send('MGET', ...many)];
  const [begun, ...rest] = await Promise.all(replies);
  expect([begun, ...new Set(rest.slice(0, many.length))]).toEqual(['OK', 'QUEUED']);
  expect(rest.slice(many.length)).toEqual([many.map(() => 'OK'), many]);
});

it('more commands, or bytes, than one connection may queue', async () => {
  const small = await cluster.portal({ respLimits: { deferredCommandsMax: 3, deferredBytesMax: 100_000 } });
  const { send } = cluster.connect(small);
  await until('the namespace being there', async () => (await send('LV.USE', 'batched')) === 'OK');
  for (const [value, why] of [
    ['x', 'LVLIMIT more than 3 commands are queued: send them in several parts'],
    [
      'x'.repeat(60_000),
      'LVLIMIT the commands that are queued have more than 100000 bytes: send them in several parts',
    ],
  ] as const) {
    await send('MULTI');
    const replies = await Promise.all([1, 2, 3, 4].map(() => send('SET', 'room', value)));
    expect(replies).toContainEqual(error(why));
    expect(await send('EXEC')).toEqual(aborted(why));
    expect(await send('GET', 'room')).toBeNull();
    expect(small.door.server.stats().inputBytes).toBe(0);
  }
});

it('a connection that closes in MULTI carries out nothing', async () => {
  const { client, send } = cluster.connect(portal);
  await send('LV.USE', 'batched');
  await send('MULTI');
  expect(await send('SET', 'closed', '1')).toBe('QUEUED');
  const before = portal.door.server.stats().connections;
  client.close();
  await until('the connection being gone', () => portal.door.server.stats().connections < before);
  const other = connect();
  await other('LV.USE', 'batched');
  expect(await other('GET', 'closed')).toBeNull();
});

it('the knob changes while connections are open, and who starts later reads it too', async () => {
  await cluster.namespace('changing');
  const send = connect();
  const exec = async (to: Send): Promise<unknown> => {
    await to('MULTI');
    await to('SET', 'k', 'v');
    return to('EXEC');
  };
  await until('the portal knowing it', async () => (await send('LV.USE', 'changing')) === 'OK');
  await until('it being active', async () => (await send('GET', 'k')) === null);
  expect(await exec(send)).toEqual(error('LVUNSUPPORTED EXEC'));
  await cluster.alter('changing', { multi: 'batch' });
  await until('the portal knowing it', async () => Array.isArray(await exec(send)));
  const { send: later } = cluster.connect(await cluster.portal());
  expect(await later('LV.USE', 'changing')).toBe('OK');
  expect(await exec(later)).toEqual(['OK']);
  await cluster.alter('changing', { multi: 'refuse' });
  await until('the portal knowing it', async () => String(await exec(send)).startsWith('-LVUNSUPPORTED EXEC'));
});

describe('what libraries send as a pipeline by default', () => {
  const url = (namespace: string): string => `redis://${namespace}:-@127.0.0.1:${portal.respPort}`;

  it('ioredis multi()', async () => {
    const io = { refuse: new Redis(url('default')), batch: new Redis(url('batched')) };
    try {
      const multi = (redis: Redis) => redis.multi().set('io', '1').get('io').del('io').set('io2', '2').exec();
      await expect(multi(io.refuse)).rejects.toThrow(/^LVUNSUPPORTED EXEC: nothing was carried out/);
      expect(await io.refuse.exists('io', 'io2')).toBe(0);
      expect(await multi(io.batch)).toEqual([
        [null, 'OK'],
        [null, '1'],
        [null, 1],
        [null, 'OK'],
      ]);
      await expect(io.batch.multi().set('io2', '3').incr('io2').exec()).rejects.toThrow(
        /^EXECABORT .*LVUNSUPPORTED INCR/,
      );
      expect(await io.batch.get('io2')).toBe('2');
      // One after the other, as `multi({ pipeline: false })` sends them.
      await io.batch.multi({ pipeline: false });
      await io.batch.set('io2', '4');
      expect(await io.batch.exec()).toEqual([[null, 'OK']]);
    } finally {
      for (const each of Object.values(io)) each.disconnect();
    }
  });

  it.each([2, 3] as const)('node-redis multi(), RESP%d', async (RESP) => {
    const clients = ['default', 'batched'].map((name) => createClient({ RESP, url: url(name) }));
    for (const client of clients) client.on('error', () => undefined);
    const [refuse, batch] = clients as [(typeof clients)[0], (typeof clients)[0]];
    await Promise.all(clients.map((client) => client.connect()));
    try {
      const key = `node:${RESP}`;
      const multi = (client: typeof batch) => client.multi().set(key, '1').get(key).mGet([key, 'none']).del(key);
      await expect(multi(refuse).exec()).rejects.toThrow(/^LVUNSUPPORTED EXEC: nothing was carried out/);
      expect(await refuse.exists(key)).toBe(0);
      expect(await multi(batch).exec()).toEqual(['OK', '1', ['1', null], 1]);
      expect(await multi(refuse).execAsPipeline()).toEqual(['OK', '1', ['1', null], 1]);
      await expect(batch.multi().set(key, '2').incr(key).exec()).rejects.toThrow(/LVUNSUPPORTED INCR/);
      expect(await batch.exists(key)).toBe(0);
    } finally {
      for (const client of clients) client.destroy();
    }
  });
});
