import net from 'node:net';
import { acks } from '@levee/client';
import { asPartition, reservedKeyPrefix } from '@levee/kernel';
import { hashOf, partitionOf } from '@levee/keyspace';
import { type Portal } from '@levee/portal';
import { OwnTime } from '../../../test/support/own-time';
import { full } from '../../../test/support/seed';
import { transcripts } from './resp-transcripts';
import { TestCluster, until } from './test-cluster';

jest.setTimeout(60_000);

type Send = (...args: (string | Buffer)[]) => Promise<unknown>;
let cluster: TestCluster;
let portal: Portal;
const connect = (to = portal): Send => cluster.connect(to).send;

beforeAll(async () => {
  cluster = await TestCluster.start(2);
  await cluster.namespace('default');
  await cluster.namespace('shop.orders', { ack: 'all', consistency: 'strong' });
  portal = await cluster.portal();
});
afterAll(() => cluster?.close());

describe.each(Object.entries(transcripts))('%s', (_title, lines) => {
  it('answers', async () => {
    const send = connect();
    for (const [sent, reply] of lines) {
      const args = sent.match(/"[^"]*"|\S+/g)!.map((word) => word.replace(/^"|"$/g, ''));
      expect([sent, await send(...args)]).toEqual([sent, reply]);
    }
  });
});

it('keeps binary keys and values, 1 MiB values, and the limits', async () => {
  const send = connect();
  const bytes = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
  expect(await send('SET', bytes, bytes)).toBe('OK');
  expect(await send('GET', bytes)).toBe(bytes.toString('latin1'));
  const big = Buffer.alloc(1024 * 1024, 'x');
  expect(await send('SET', 'big', big)).toBe('OK');
  expect(((await send('GET', 'big')) as string).length).toBe(big.length);
  expect(await send('SET', 'big', Buffer.alloc(big.length + 1))).toMatch(/^-LVLIMIT a value of 1048577 bytes: at most/);
  expect(await send('SET', Buffer.alloc(1025), 'x')).toMatch(/^-LVLIMIT a key of 1025 bytes: at most 1024/);
  expect(await send('GET', Buffer.alloc(1025))).toMatch(/^-LVLIMIT/);
  const reserved = Buffer.concat([reservedKeyPrefix, Buffer.from('fence/x')]);
  expect(await send('SET', reserved, 'x')).toMatch(/^-LVRESERVED/);
  expect(await send('MSET', 'fine', '1', reserved, 'x')).toMatch(/^-LVRESERVED/);
  expect(await send('DEL', reserved)).toMatch(/^-LVRESERVED/);
});

it('answers a pipeline of mixed commands as if one by one', async () => {
  const send = connect();
  const replies = await Promise.all([
    send('DEL', 'p'),
    send('GET', 'p'),
    send('SET', 'p', '1'),
    send('GET', 'p'),
    send('SET', 'p', '2'),
    send('SET', 'q', '1'),
    send('GET', 'p'),
    send('DEL', 'p', 'q'),
    send('GET', 'p'),
    send('SET', 'p', '3'),
    send('MGET', 'p', 'q'),
  ]);
  expect(replies).toEqual([0, null, 'OK', '1', 'OK', 'OK', '2', 2, null, 'OK', ['3', null]]);
});

it('pipelines a thousand writes and reads them back', async () => {
  const send = connect();
  const keys = Array.from({ length: 1_000 }, (_, i) => `bulk:${i}`);
  const writes = keys.map((key) => send('SET', key, `value of ${key}`));
  const reads = keys.map((key) => send('GET', key));
  expect(new Set(await Promise.all(writes))).toEqual(new Set(['OK']));
  expect(await Promise.all(reads)).toEqual(keys.map((key) => `value of ${key}`));
});

it('never says that a key is absent which it did not read, to a client that ended its side long ago', async () => {
  await connect()('SET', 'there', 'v');
  const impatient = await cluster.portal({ respLimits: { halfClosedWaitMs: 0 } });
  const socket = net.connect({ port: impatient.respPort, host: '127.0.0.1', allowHalfOpen: true });
  const keys = ' there'.repeat(2_000);
  socket.end(`MGET${keys}\r\nEXISTS${keys}\r\nMGET there\r\nEXISTS there\r\n`);
  let replies = '';
  for await (const data of socket) replies += String(data);
  expect(replies.match(/-LVLIMIT the client ended its side long before/g)?.length).toBeGreaterThan(1);
  const value = '\\$1\r\nv\r\n';
  const whole = `\\*2000\r\n(${value}){2000}|:2000\r\n|\\*1\r\n${value}|:1\r\n|-LVLIMIT [^\r]*\r\n`;
  expect(replies).toMatch(new RegExp(`^(${whole}){4}$`));
});

it('scans every key once or more, with MATCH and COUNT', async () => {
  const send = connect();
  for (let i = 0; i < 300; i += 2) await send('MSET', `scan:${i}`, 'x', `scan:${i + 1}`, 'x');
  const seen = new Set<string>();
  let cursor = '0';
  let calls = 0;
  do {
    const [next, keys] = (await send('SCAN', cursor, 'MATCH', 'scan:*', 'COUNT', '20')) as [string, string[]];
    for (const key of keys) seen.add(key);
    cursor = next;
    calls++;
  } while (cursor !== '0');
  expect(seen.size).toBe(300);
  expect(calls).toBeGreaterThan(5);
  expect(await send('SCAN', '0', 'TYPE', 'list', 'COUNT', '10000')).toEqual(['0', []]);
});

it('goes on with a scan on any connection of its user and namespace, and says elsewhere why not', async () => {
  const send = connect();
  for (let i = 0; i < 50; i++) await send('SET', `cursor:${i}`, 'x');
  const [cursor] = (await send('SCAN', '0', 'COUNT', '5')) as [string];
  expect(Number.isSafeInteger(Number(cursor))).toBe(true);
  expect(await connect()('SCAN', cursor, 'COUNT', '5')).toEqual([expect.any(String), expect.any(Array)]);
  const other = connect();
  expect(await other('LV.USE', 'shop.orders')).toBe('OK');
  expect(await other('SCAN', cursor)).toMatch(/^-LVCURSOR the cursor is of a scan in another namespace/);
  const elsewhere = connect(await cluster.portal());
  expect(await elsewhere('SCAN', cursor)).toMatch(
    /^-LVCURSOR another portal gave this cursor, .*stays with its portal/,
  );
});

it('an error quotes little of what was sent', async () => {
  const send = connect();
  const long = Buffer.alloc(1 << 20, 'x');
  const commands = [
    ['AUTH', long, '-'],
    ['LV.USE', long],
    ['LV.ACK', long],
    ['LV.CONSISTENCY', long],
    [long],
    ['CLIENT', long],
  ];
  commands.push(
    ['CLIENT', 'SETINFO', long, 'v'],
    ['HELLO', '3', long],
    ['HELLO', '3', 'SETNAME', long],
    ['SCAN', long],
  );
  for (const command of commands) {
    const reply = await send(...command);
    expect(reply).toMatch(/^-/);
    expect(String(reply).length).toBeLessThan(700);
  }
});

it('a line feed in a name forges no line of CLIENT LIST', async () => {
  const send = connect();
  for (const name of ['x\nid=1 addr=evil', 'x\r', '\u0000', '\u007f', 'ö'])
    for (const command of [
      ['CLIENT', 'SETNAME', name],
      ['CLIENT', 'SETINFO', 'LIB-NAME', name],
      ['CLIENT', 'SETINFO', 'LIB-VER', name],
      ['HELLO', '2', 'SETNAME', name],
    ])
      expect(await send(...command)).toMatch(/cannot contain spaces, newlines or special characters\.$/);
  expect(await send('CLIENT', 'LIST')).not.toContain('evil');
});

it('a hostile pattern holds up nobody', async () => {
  const send = connect();
  const key = (i: number): string => `glob:${'a'.repeat(1_000)}${i}`;
  await Promise.all(Array.from({ length: 500 }, (_, i) => send('SET', key(i), 'v')));
  const time = new OwnTime();
  let latestMs = time.ms;
  let longestMs = 0;
  const look = setInterval(() => {
    longestMs = Math.max(longestMs, time.ms - latestMs);
    latestMs = time.ms;
  }, 1);
  const [, keys] = (await send('SCAN', '0', 'MATCH', `*${'a?'.repeat(480)}b*`, 'COUNT', '10000')) as [string, string[]];
  await send('CONFIG', 'GET', ...Array.from({ length: 64 }, () => '*a'.repeat(2_000)));
  clearInterval(look);
  time.stop();
  expect(keys).toEqual([]);
  expect(longestMs).toBeLessThan(400);
});

it('never misses with a strong SCAN a key acknowledged before, through two portals', async () => {
  const writer = connect();
  const reader = connect(await cluster.portal());
  await reader('LV.CONSISTENCY', 'strong');
  for (let i = 0; i < (full ? 60 : 15); i++) {
    expect(await writer('SET', `seen by scan ${i}`, 'v')).toBe('OK');
    const [next, keys] = (await reader('SCAN', '0', 'MATCH', 'seen by scan *', 'COUNT', '10000')) as [string, string[]];
    expect([next, keys.length]).toEqual(['0', i + 1]);
  }
});

it.each(acks)('answers a write with ack %s when it is applied there', async (ack) => {
  const send = connect();
  expect(await send('LV.ACK', ack)).toBe('OK');
  expect(await send('SET', `ack:${ack}`, '1')).toBe('OK');
  expect(await send('GET', `ack:${ack}`)).toBe('1');
});

it('reads its own writes through another portal with a session token', async () => {
  const other = connect(await cluster.portal());
  const send = connect();
  for (let i = 0; i < 50; i++) {
    await send('SET', 'mine', `${i}`);
    const [, token] = (await send('LV.POS')) as [string, string];
    await other('LV.POS', token);
    expect(await other('GET', 'mine')).toBe(`${i}`);
  }
});

it('never misses with strong reads a write acknowledged before, through two portals', async () => {
  const writer = connect();
  const reader = connect(await cluster.portal());
  await reader('LV.CONSISTENCY', 'strong');
  for (let i = 0; i < 100; i++) {
    await writer('SET', 'seen', `${i}`);
    expect(await reader('GET', 'seen')).toBe(`${i}`);
  }
});

it('waits for a position', async () => {
  const send = connect();
  await send('SET', 'w', '1');
  const [, , , positions] = (await send('LV.POS')) as [string, string, string, string[]];
  expect(positions).toHaveLength(1);
  expect(await send('LV.WAIT', positions[0] as string, 'all', '5000')).toBe('OK');
  const [partition] = (positions[0] as string).split(':');
  // The log ends far below: nothing that anybody was ever told stands there.
  expect(await send('LV.WAIT', `${partition}:999999`, 'primary', '50')).toMatch(
    new RegExp(`^-LVSESSION position ${partition}:999999 is none of \\S+ any more, which ends at ${partition}:\\d+: `),
  );
});

it('says where a key lives, and the routes', async () => {
  const send = connect();
  const partition = partitionOf(hashOf(Buffer.from('a'), 'murmur2'), 4);
  const where = (await send('LV.WHERE', 'a')) as unknown[];
  expect(where.slice(0, 2)).toEqual(['namespace', 'default']);
  expect(where[where.indexOf('partition') + 1]).toBe(partition);
  expect(where[where.indexOf('replicas') + 1]).toHaveLength(2);
  const routes = JSON.parse((await send('LV.ROUTES')) as string) as { change: string; version: number; routes: [] };
  expect(routes).toMatchObject({ change: 'metaChange', routes: { length: 4 } });
  expect(JSON.parse((await send('LV.ROUTES', `${routes.version}`)) as string)).toMatchObject({ change: 'notChange' });
});

it('makes exactly the key of a garbage record unreadable, and the next write heals it', async () => {
  const send = connect();
  await send('SET', 'broken', 'fine');
  const binlog = cluster.view.state.namespace('default')!.binlog;
  const partition = partitionOf(hashOf(Buffer.from('broken'), 'murmur2'), 4);
  await cluster.log.append(binlog, asPartition(partition), [
    { key: Buffer.from('broken'), value: Buffer.from('junk') },
  ]);
  await until('the record being seen', async () => String(await send('GET', 'broken')).startsWith('-LVUNREADABLE'));
  expect(await send('GET', 'broken')).toMatch(new RegExp(`^-LVUNREADABLE ${partition}:\\d+ `));
  expect(await send('EXISTS', 'broken')).toBe(1);
  await send('SET', 'whole', 'v');
  const unreadable = expect.stringMatching(/^-LVUNREADABLE \d+:\d+ .*\(key 'broken'\)$/) as string;
  expect(await send('GET', 'broken')).toEqual(unreadable);
  expect(await send('MGET', 'whole', 'broken', 'none', 'whole')).toEqual(['v', unreadable, null, 'v']);
  expect(await send('SET', 'broken', 'healed')).toBe('OK');
  expect(await send('GET', 'broken')).toBe('healed');
});

it('names the key that an error is about, escaped and cut', async () => {
  const send = connect();
  const long = `\0x'${'k'.repeat(1_100)}`;
  const named = new RegExp(`^-LVLIMIT a key of 1103 bytes: .*\\(key '\\\\x00x\\\\'k{61}'… of 1103 bytes\\)$`);
  for (const command of [['GET'], ['MGET', 'a'], ['EXISTS', 'a'], ['TTL'], ['DEL', 'a'], ['MSET', 'a', 'v']])
    expect(await send(...command, long, ...(command[0] === 'MSET' ? ['v'] : []))).toMatch(
      command[0] === 'DEL' ? /^-LVLIMIT 1 of 2 keys deleted, .*key '/ : named,
    );
  expect(await send('SET', long, 'v')).toMatch(named);
  expect(await send('SET', 'large', 'v'.repeat((1 << 20) + 1))).toMatch(/^-LVLIMIT a value of .*\(key 'large'\)$/);
});

it('limits requests of a namespace', async () => {
  await cluster.namespace('limited', { requestsPerSecond: 10 });
  const send = connect();
  await until('the portal knowing it', async () => (await send('LV.USE', 'limited')) === 'OK');
  await until('it being active', async () => !String(await send('GET', 'a')).startsWith('-LVNAMESPACE'));
  const beganMs = performance.now();
  const replies = await Promise.all(Array.from({ length: 100 }, () => send('SET', 'a', '1')));
  const most = 12 + ((performance.now() - beganMs) * 10) / 1000;
  expect(replies.filter((reply) => reply === 'OK').length).toBeLessThanOrEqual(most);
  expect(replies).toContainEqual(expect.stringMatching(/^-LVLIMIT more than 10 requests a second in limited/));
});
