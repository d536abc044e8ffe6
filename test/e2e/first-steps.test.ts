import { randomBytes } from 'node:crypto';
import Redis from 'ioredis';
import { createClient } from 'redis';
import { eventually, within } from '../support/deadline';
import { drawnLog } from '../support/drawn';
import { scratchFolder, StandaloneProcess } from '../support/standalone-process';

/** The newcomer's first ten minutes, on each log. */
describe.each(
  drawnLog('first-steps', [
    ['the embedded log', {}],
    ['real Kafka', { KAFKA_BROKERS: process.env.KAFKA_BROKERS ?? '', LEVEE_TOPIC_PREFIX: `first${process.pid}` }],
  ]),
)('npm start on %s', (_name, env) => {
  let levee: StandaloneProcess;
  let redis: Redis;

  beforeAll(async () => {
    levee = await StandaloneProcess.start(scratchFolder('first-steps'), env);
    redis = new Redis(levee.respPort, '127.0.0.1', { lazyConnect: false });
  }, 90_000);

  afterAll(async () => {
    redis.disconnect();
    expect(await levee.end('SIGTERM')).toBe(0);
    levee.remove();
  }, 60_000);

  it('prints its doors, where the data lives and three commands to try', async () => {
    await eventually('it prints them', () => levee.printed().includes('Ctrl-C'));
    const printed = levee.printed();
    expect(printed).toContain(levee.doors.resp);
    expect(printed).toContain(levee.url);
    expect(printed).toContain(levee.dataDir);
    expect(printed).toMatch(/redis-cli -p \d+/);
    expect(printed).toMatch(/curl /);
  });

  it('SET, GET, DEL, EXISTS, STRLEN, TYPE, MSET, MGET and TTL answer as Redis does', async () => {
    expect(await redis.set('price', '5')).toBe('OK');
    expect(await redis.set('price', '6')).toBe('OK');
    expect(await redis.get('price')).toBe('6');
    expect(await redis.exists('price', 'nothing')).toBe(1);
    expect(await redis.strlen('price')).toBe(1);
    expect(await redis.type('price')).toBe('string');
    expect(await redis.type('nothing')).toBe('none');
    expect(await redis.del('price', 'nothing')).toBe(1);
    expect(await redis.get('price')).toBeNull();
    expect(await redis.mset('a', '1', 'b', '2', 'c', '3')).toBe('OK');
    expect(await redis.mget('a', 'nothing', 'c')).toEqual(['1', null, '3']);
    expect(await redis.ttl('a')).toBe(-1);
    expect(await redis.ttl('nothing')).toBe(-2);
    // Long enough to be seen on a machine that is busy.
    expect(await redis.set('soon', 'gone', 'PX', 1_500)).toBe('OK');
    expect(await redis.pttl('soon')).toBeGreaterThan(0);
    await eventually('the value expires', async () => (await redis.get('soon')) === null);
  });

  it('binary keys and values, empty values and values of 1 MiB come back byte for byte', async () => {
    const table: Array<[string, Buffer, Buffer]> = [
      ['binary', Buffer.from([0, 255, 13, 10, 128, 36, 42]), Buffer.from([0, 1, 2, 253, 254, 255, 13, 10])],
      ['empty value', Buffer.from('empty'), Buffer.alloc(0)],
      ['1 MiB', Buffer.from('large'), randomBytes(1024 * 1024)],
      ['key of 1 KiB', randomBytes(1024), Buffer.from('long key')],
    ];
    for (const [name, key, value] of table) {
      expect(await redis.set(key, value)).toBe('OK');
      const back = await redis.getBuffer(key);
      expect([name, back?.equals(value)]).toEqual([name, true]);
    }
  });

  it('names the limit that a key or value passes, and writes nothing', async () => {
    await expect(redis.set('too large', Buffer.alloc(1024 * 1024 + 1))).rejects.toThrow(/1048576/);
    await expect(redis.set(Buffer.alloc(1025, 97), 'v')).rejects.toThrow(/1024/);
    await expect(redis.set(Buffer.from('\0levee\0genesis', 'latin1'), 'v')).rejects.toThrow(/reserved/i);
    await expect(redis.call('SET', 'k', 'v', 'NX')).rejects.toThrow(/NX/);
    await expect(redis.call('INCR', 'k')).rejects.toThrow();
    await expect(redis.call('NOSUCHCOMMAND')).rejects.toThrow(/unknown command/i);
    expect(await redis.get('too large')).toBeNull();
  });

  it('pipelined commands are answered in order', async () => {
    const pipeline = redis.pipeline();
    for (let i = 0; i < 500; i++) pipeline.set(`pipe${i}`, String(i)).get(`pipe${i}`);
    const results = await pipeline.exec();
    expect(results?.map(([, result]) => result)).toEqual(
      Array.from({ length: 1000 }, (_, i) => (i % 2 === 0 ? 'OK' : String(i >> 1))),
    );
  });

  it('scans 10,000 keys, each exactly once', async () => {
    for (let from = 0; from < 10_000; from += 1000) {
      const pipeline = redis.pipeline();
      for (let i = from; i < from + 1000; i++) pipeline.set(`scan:${i}`, 'v');
      await pipeline.exec();
    }
    const seen: string[] = [];
    let cursor = '0';
    do {
      const [next, keys] = await redis.scan(cursor, 'MATCH', 'scan:*', 'COUNT', 700);
      cursor = next;
      seen.push(...keys);
    } while (cursor !== '0');
    expect(seen.length).toBe(10_000);
    expect(new Set(seen).size).toBe(10_000);
  }, 60_000);

  it('node-redis 5 speaks RESP3 to it', async () => {
    const client = createClient({ url: `redis://127.0.0.1:${levee.respPort}`, RESP: 3 });
    client.on('error', () => undefined);
    await client.connect();
    expect(await client.set('resp3', 'yes')).toBe('OK');
    expect(await client.get('resp3')).toBe('yes');
    expect(await client.get('nothing')).toBeNull();
    expect(await client.mGet(['resp3', 'nothing'])).toEqual(['yes', null]);
    await client.close();
  });

  it('HTTP reads what RESP wrote, and the other way round, with raw bytes in keys', async () => {
    await redis.set(Buffer.from('a/b\0c'), 'slash and nul');
    const read = await fetch(`${levee.url}/v1/kv/default/a%2Fb%00c`, { headers: { 'levee-consistency': 'strong' } });
    expect([read.status, await read.text()]).toEqual([200, 'slash and nul']);
    const put = await fetch(`${levee.url}/v1/kv/default/from-http`, { method: 'PUT', body: 'hello' });
    expect(put.ok).toBe(true);
    expect(put.headers.get('levee-position')).toMatch(/^\d+:\d+$/);
    const session = put.headers.get('levee-session') as string;
    const again = await fetch(`${levee.url}/v1/kv/default/from-http`, { headers: { 'levee-session': session } });
    expect(await again.text()).toBe('hello');
    expect((await fetch(`${levee.url}/v1/kv/default/nothing`)).status).toBe(404);
    expect((await fetch(`${levee.url}/v1/kv/no-such-namespace/k`)).status).toBe(404);
    expect((await fetch(`${levee.url}/v1/kv/default/from-http`, { method: 'DELETE' })).ok).toBe(true);
    await eventually('deleted', async () => (await redis.get('from-http')) === null);
  });

  it('version sync says notChange, metaChange, or that a version is from the future', async () => {
    const table = (await (await fetch(`${levee.url}/v1/routes/default`)).json()) as { change: string; version: number };
    expect(table.change).toBe('metaChange');
    const same = await fetch(`${levee.url}/v1/routes/default?version=${table.version}`);
    expect(await same.json()).toMatchObject({ change: 'notChange' });
    const older = await fetch(`${levee.url}/v1/routes/default?version=0`);
    expect(await older.json()).toMatchObject({ change: 'metaChange', version: table.version });
    const future = await fetch(`${levee.url}/v1/routes/default?version=${table.version + 1000}`);
    expect([future.status, await future.json()]).toEqual([409, expect.objectContaining({ code: 'LVVERSION' })]);
  });

  it('another namespace holds another value under the same key', async () => {
    const created = await fetch(`${levee.url}/v1/namespaces`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ name: 'shop.orders', chunks: 4, partitions: 4 }),
    });
    expect([created.status, await created.text()]).toEqual([
      expect.any(Number),
      expect.stringContaining('shop.orders'),
    ]);
    expect(created.ok).toBe(true);
    const orders = new Redis(levee.respPort, '127.0.0.1', { username: 'shop.orders', password: '-' });
    await eventually('the namespace serves', async () => (await orders.set('same', 'orders')) === 'OK');
    await redis.set('same', 'default');
    expect([await orders.get('same'), await redis.get('same')]).toEqual(['orders', 'default']);
    orders.disconnect();
  });

  it('a second start on the same folder is refused and names the first', async () => {
    const second = StandaloneProcess.spawn(levee.dataDir, env);
    expect(await within('the second start ends', 50_000, second.closed)).toBe(1);
    expect(second.printed()).toContain(String(levee.child.pid));
    expect(await redis.ping()).toBe('PONG');
  });

  it('a port in use is said before anything starts, with the setting that changes it', async () => {
    const other = scratchFolder('port-in-use');
    const second = StandaloneProcess.spawn(other, {
      ...env,
      LEVEE_TOPIC_PREFIX: 'other',
      LEVEE_RESP_PORT: String(levee.respPort),
    });
    expect(await within('the second start ends', 50_000, second.closed)).toBe(1);
    expect(second.printed()).toMatch(
      new RegExp(`${levee.respPort}[\\s\\S]*LEVEE_RESP_PORT|LEVEE_RESP_PORT[\\s\\S]*${levee.respPort}`),
    );
    second.remove();
  });

  it('MULTI is refused whole until its namespace says batch, which a restart keeps', async () => {
    const multi = () => redis.multi().set('multi', '1').get('multi').exec();
    const batch = [
      [null, 'OK'],
      [null, '1'],
    ];
    await expect(multi()).rejects.toThrow(/nothing was carried out.*levee namespace alter default --multi batch/);
    expect(await redis.exists('multi')).toBe(0);
    const altered = await fetch(`${levee.url}/v1/namespaces/default`, {
      method: 'PATCH',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ multi: 'batch' }),
    });
    expect(await altered.json()).toMatchObject({ name: 'default', multi: 'batch' });
    await eventually('the portal reads it', () =>
      multi().then(
        () => true,
        () => false,
      ),
    );
    expect(await multi()).toEqual(batch);
    redis.disconnect();
    expect(await levee.end('SIGTERM')).toBe(0);
    levee = await StandaloneProcess.start(levee.dataDir, env);
    redis = new Redis(levee.respPort, '127.0.0.1');
    expect(await multi()).toEqual(batch);
  }, 120_000);
});
