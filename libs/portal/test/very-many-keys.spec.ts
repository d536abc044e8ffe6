import type { Portal } from '@levee/portal';
import { TestCluster } from './test-cluster';

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

const keys = Array.from({ length: 1_100 }, (_, i) => `many:${i}`);
const pairs = keys.flatMap((key) => [key, `of ${key}`]);

describe('a command of very many arguments', () => {
  it.each([
    ['MSET', () => pairs, 'OK'],
    ['MGET', () => ['none', ...keys, 'none', 'many:7'], [null, ...keys.map((key) => `of ${key}`), null, 'of many:7']],
    ['mget', () => keys, keys.map((key) => `of ${key}`)],
    ['EXISTS', () => [...keys, 'none', 'many:7'], keys.length + 1],
    ['TOUCH', () => keys, keys.length],
  ] as const)('does what one of few does, for each key in its place: %s', async (name, args, reply) => {
    expect(await connect()(name, ...args())).toEqual(reply);
  });

  it('is refused as one of few is', async () => {
    const send = connect();
    const tooLong = 'k'.repeat(1_025);
    const others = keys.map((key) => `other ${key}`);
    const pairs = others.flatMap((key) => [key, 'v']);
    expect(await send('MSET', ...pairs, 'odd')).toBe("-ERR wrong number of arguments for 'mset' command");
    expect(await send('MSET', ...pairs, tooLong, 'v')).toMatch(/^-LVLIMIT a key of 1025 bytes/);
    expect(await send('EXISTS', ...others)).toBe(0);
    expect(await send('MGET', ...keys, tooLong)).toMatch(/^-LVLIMIT a key of 1025 bytes/);
    expect(await send('GET', ...keys)).toBe("-ERR wrong number of arguments for 'get' command");
    expect(await send('SET', ...keys)).toBe('-ERR syntax error');
    expect(await send('DANCE', ...keys)).toMatch(/^-ERR unknown command 'DANCE', with args beginning with: 'many:0' /);
    expect(await send('PING')).toBe('PONG');
  });

  it('is queued by MULTI', async () => {
    const send = connect();
    await send('LV.USE', 'batched');
    expect(await send('MULTI')).toBe('OK');
    for (const name of ['MGET', 'EXISTS', 'TOUCH']) expect(await send(name, ...keys)).toBe('QUEUED');
    expect(await send('EXEC')).toEqual([keys.map(() => null), 0, 0]);
  });

  it.each(['DEL', 'UNLINK'])('counts each key once, and what this connection wrote just before: %s', async (name) => {
    const send = connect();
    const mine = Array.from({ length: 1_300 }, (_, i) => `${name}:${i}`);
    const written = mine.filter((_, i) => i % 3 !== 0);
    const pairs = written.flatMap((key) => [key, 'v']);
    // In one go: a read that did not wait for the write before it would count it as absent.
    const [set, one, deleted, again] = await Promise.all([
      send('MSET', ...pairs),
      send('SET', `${name}:0`, 'v'),
      send(name, ...mine, 'none', ...mine.slice(0, 300)),
      send(name, ...mine),
    ]);
    expect([set, one, deleted, again]).toEqual(['OK', 'OK', written.length + 1, 0]);
    expect(await send('EXISTS', ...mine)).toBe(0);
  });
});
