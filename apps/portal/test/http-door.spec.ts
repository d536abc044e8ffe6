import { request } from 'node:http';
import { storeLimits } from '@levee/client';
import { reservedKeyPrefix } from '@levee/kernel';
import { OneNodeCluster } from './one-node-cluster';

jest.setTimeout(120_000);

let cluster: OneNodeCluster;
const ask: OneNodeCluster['ask'] = (...args) => cluster.ask(...args);

beforeAll(async () => {
  cluster = await OneNodeCluster.start();
  const size = { partitions: 4, chunks: 4, replicas: 1, chunkCapacityBytes: 8 << 20 };
  const created = await ask('POST', '/v1/namespaces', JSON.stringify({ name: 'default', ...size }), {
    'content-type': 'application/json',
  });
  expect([created.status, created.body.toString()]).toEqual([201, expect.stringContaining('"state":"active"')]);
});
afterAll(() => cluster?.close());

/** Percent-encodes every byte. */
const encoded = (bytes: Buffer): string => [...bytes].map((byte) => `%${byte.toString(16).padStart(2, '0')}`).join('');

describe('keys and values', () => {
  it('puts, gets, heads, deletes', async () => {
    const put = await ask('PUT', '/v1/kv/default/a', 'one');
    expect(put.status).toBe(204);
    expect(put.headers['levee-position']).toMatch(/^\d:\d+$/);
    const got = await ask('GET', '/v1/kv/default/a');
    expect([got.status, got.body.toString(), got.headers['content-type']]).toEqual([
      200,
      'one',
      'application/octet-stream',
    ]);
    expect(got.headers['levee-position']).toBe(put.headers['levee-position']);
    const head = await ask('HEAD', '/v1/kv/default/a');
    expect([head.status, head.headers['content-length'], head.body.length]).toEqual([200, '3', 0]);
    const deleted = await ask('DELETE', '/v1/kv/default/a', undefined, {
      'levee-session': String(got.headers['levee-session']),
    });
    expect(deleted.status).toBe(204);
    const after = { 'levee-session': String(deleted.headers['levee-session']) };
    const gone = await ask('GET', '/v1/kv/default/a', undefined, after);
    expect([gone.status, gone.json]).toEqual([404, { code: 'NOT_FOUND', message: 'there is no such key in default' }]);
    expect((await ask('HEAD', '/v1/kv/default/a', undefined, after)).status).toBe(404);
  });

  it('joins a repeated write by its request id: one record, one position', async () => {
    const id = { 'levee-request-id': 'order-7', 'levee-ack': 'primary' };
    const put = (value: string, headers = id) => ask('PUT', '/v1/kv/default/joined', value, headers);
    const both = await Promise.all([put('one'), put('one')]);
    expect(both.map(({ status }) => status)).toEqual([204, 204]);
    const again = await put('one');
    const positions = [...both, again].map(({ headers }) => headers['levee-position']);
    expect(new Set(positions).size).toBe(1);
    expect([again.headers['levee-repeated'], both[0]!.headers['levee-repeated']]).toEqual(['true', undefined]);
    const session = { 'levee-session': String(again.headers['levee-session']) };
    expect((await ask('GET', '/v1/kv/default/joined', undefined, session)).body.toString()).toBe('one');
    const other = await put('two');
    expect([other.status, other.json['code']]).toEqual([409, 'LVREQUEST']);
    const deleted = await ask('DELETE', '/v1/kv/default/joined', undefined, id);
    expect([deleted.status, deleted.json['code']]).toEqual([409, 'LVREQUEST']);
    expect((await put('three', { ...id, 'levee-request-id': 'a b' })).status).toBe(400);
    expect((await ask('GET', '/v1/kv/default/joined', undefined, session)).body.toString()).toBe('one');
  });

  it.each([
    ['a slash', Buffer.from('a/b//c')],
    ['a NUL', Buffer.from([0, 1])],
    ['no UTF-8', Buffer.from([0xff, 0xfe, 0x80])],
    ['a question mark and a percent', Buffer.from('a?b%c#d')],
    ['a dash', Buffer.from('-')],
    ['a hundred bytes of every kind', Buffer.from(Array.from({ length: 100 }, (_, i) => (i * 37) & 0xff))],
  ])('takes a key with %s as bytes', async (_name, key) => {
    const value = Buffer.concat([Buffer.from([0, 0xff]), key]);
    const put = await ask('PUT', `/v1/kv/default/${encoded(key)}`, value, { 'content-type': 'application/json' });
    expect(put.status).toBe(204);
    const session = { 'levee-session': String(put.headers['levee-session']) };
    const got = await ask('GET', `/v1/kv/default/${encoded(key)}`, undefined, session);
    expect([got.status, got.body]).toEqual([200, value]);
  });

  it('tells a slash in a path from an encoded one only by the key', async () => {
    await ask('PUT', '/v1/kv/default/dir/file', 'x', { 'levee-ack': 'all' });
    expect((await ask('GET', '/v1/kv/default/dir%2Ffile')).body.toString()).toBe('x');
  });

  it('keeps empty values and values of 1 MiB, and an expiry', async () => {
    const all = { 'levee-ack': 'all' };
    expect((await ask('PUT', '/v1/kv/default/empty', '', all)).status).toBe(204);
    expect(await ask('GET', '/v1/kv/default/empty')).toMatchObject({ status: 200, body: Buffer.alloc(0) });
    const big = Buffer.alloc(1024 * 1024, 'b');
    expect((await ask('PUT', '/v1/kv/default/big', big, all)).status).toBe(204);
    expect((await ask('GET', '/v1/kv/default/big')).body.equals(big)).toBe(true);
    await ask('PUT', '/v1/kv/default/soon', 'x', { ...all, 'levee-expires-at': '4000000000000' });
    expect((await ask('GET', '/v1/kv/default/soon')).headers['levee-expires-at']).toBe('4000000000000');
  });
});

describe('refusals', () => {
  const long = 'k'.repeat(1025);
  const reserved = encoded(Buffer.concat([reservedKeyPrefix, Buffer.from('genesis')]));
  it.each<[string, string, string | Buffer | undefined, Record<string, string>, number, string]>([
    ['GET', '/v1/kv/nowhere/a', undefined, {}, 404, 'LVNAMESPACE'],
    ['GET', '/v1/kv/default/', undefined, {}, 400, 'BAD_REQUEST'],
    ['GET', '/v1/kv/default/a%zz', undefined, {}, 400, 'BAD_REQUEST'],
    ['GET', '/v1/kv/default/a', undefined, { 'levee-consistency': 'some' }, 400, 'BAD_REQUEST'],
    ['GET', '/v1/kv/default/a', undefined, { 'levee-session': 'nonsense' }, 400, 'LVSESSION'],
    ['PUT', '/v1/kv/default/a', 'x', { 'levee-ack': 'none' }, 400, 'BAD_REQUEST'],
    ['PUT', '/v1/kv/default/a', 'x', { 'levee-expires-at': 'soon' }, 400, 'BAD_REQUEST'],
    ['PUT', '/v1/kv/default/a', Buffer.alloc(1024 * 1024 + 1), {}, 413, 'LVLIMIT'],
    ['PUT', '/v1/kv/default/a', Buffer.alloc(3 * 1024 * 1024), {}, 413, 'LVLIMIT'],
    ['PUT', `/v1/kv/default/${long}`, 'x', {}, 413, 'LVLIMIT'],
    ['GET', `/v1/kv/default/${long}`, undefined, {}, 413, 'LVLIMIT'],
    ['PUT', `/v1/kv/default/${reserved}`, 'x', {}, 403, 'LVRESERVED'],
    ['GET', '/v1/kv/default?limit=0', undefined, {}, 400, 'BAD_REQUEST'],
    ['GET', '/v1/kv/default?cursor=9', undefined, {}, 410, 'LVCURSOR'],
    ['GET', '/v1/routes/nowhere', undefined, {}, 404, 'LVNAMESPACE'],
    ['GET', '/v1/routes/default?version=9999999', undefined, {}, 409, 'LVVERSION'],
    ['GET', '/v1/routes/default?version=x', undefined, {}, 400, 'BAD_REQUEST'],
    ['GET', '/v1/nodes/nope/units', undefined, {}, 404, 'NODE_UNKNOWN'],
    ['POST', '/v1/plans/p999/finish', '{"reason":"seen enough"}', {}, 404, 'PLAN_UNKNOWN'],
    ['POST', '/v1/plans/p999/finish', '{"force":true}', {}, 400, 'BAD_COMMAND'],
    ['POST', '/v1/namespaces', '{"name":"default","partitions":8}', {}, 409, 'NAMESPACE_EXISTS'],
    ['POST', '/v1/namespaces', '{"name":"Bad Name"}', {}, 422, 'BAD_NAME'],
    ['POST', '/v1/namespaces', 'no json', {}, 400, 'BAD_REQUEST'],
    ['POST', '/v1/commands', '{"kind":1}', {}, 400, 'BAD_REQUEST'],
    ['POST', '/v1/commands', '{"kind":"Dance"}', {}, 422, 'UNKNOWN_KIND'],
    ['GET', '/v1/commands/2f0e6ef8-47b6-4a5c-9d8a-7a3f0fe3a5a1', undefined, {}, 404, 'NOT_FOUND'],
    ['GET', '/v1/log/no.such.topic/0', undefined, {}, 404, 'TOPIC_MISSING'],
    ['GET', '/v1/log/levee.journal/7', undefined, {}, 404, 'NOT_FOUND'],
    ['GET', '/v1/log/levee.journal/0?from=999999', undefined, {}, 416, 'OFFSET_OUT_OF_RANGE'],
    ['GET', '/nowhere', undefined, {}, 404, 'NOT_FOUND'],
  ])('%s %.60s', async (method, path, body, headers, status, code) => {
    const answer = await ask(method, path, body, headers);
    expect([answer.status, answer.json['code'], answer.json['message']]).toEqual([status, code, expect.any(String)]);
  });
});

describe('scan', () => {
  beforeAll(async () => {
    for (let i = 0; i < 40; i++)
      await ask('PUT', `/v1/kv/default/scan%2F${String(i).padStart(2, '0')}`, `v${i}`, { 'levee-ack': 'all' });
    await ask('PUT', '/v1/kv/default/scan%2Fzz%ff', Buffer.from([0xff]), { 'levee-ack': 'all' });
  });

  it('gives keys of a prefix in order, across chunks, with a cursor', async () => {
    const first = (await ask('GET', '/v1/kv/default?prefix=scan%2F&limit=15')).lines;
    expect(first.slice(0, 2)).toEqual([
      { key: 'scan/00', value: 'v0', offset: expect.any(Number) },
      { key: 'scan/01', value: 'v1', offset: expect.any(Number) },
    ]);
    expect(first).toHaveLength(16);
    let { cursor } = first[15] as { cursor: string | null };
    const keys = first.slice(0, 15).map(({ key }) => key);
    let last: Record<string, unknown> | undefined;
    while (cursor !== null) {
      const page = (await ask('GET', `/v1/kv/default?prefix=scan%2F&limit=15&cursor=${cursor}`)).lines;
      cursor = (page.pop() as { cursor: string | null }).cursor;
      keys.push(...page.map(({ key }) => key));
      last = page.at(-1) ?? last;
    }
    expect(keys.slice(0, 40)).toEqual(Array.from({ length: 40 }, (_, i) => `scan/${String(i).padStart(2, '0')}`));
    expect(last).toEqual({
      keyBase64: Buffer.from([...Buffer.from('scan/zz'), 0xff]).toString('base64'),
      valueBase64: '/w==',
      offset: expect.any(Number),
    });
  });

  it('keeps within from and to, without values when asked', async () => {
    const { lines } = await ask('GET', '/v1/kv/default?from=scan%2F05&to=scan%2F08&keysOnly=true');
    expect(lines).toEqual([{ key: 'scan/05' }, { key: 'scan/06' }, { key: 'scan/07' }, { cursor: null }]);
    const strong = await ask('GET', '/v1/kv/default?from=scan%2F05&to=scan%2F06', undefined, {
      'levee-consistency': 'strong',
    });
    expect(strong.lines).toHaveLength(2);
  });

  it('says which chunks it visited when that is asked for', async () => {
    const { lines } = await ask('GET', '/v1/kv/default?prefix=scan%2F&keysOnly=1&visited=1');
    const { visited } = lines.pop() as { visited: { nodeIds: string[]; keys: number; slotStart: number }[] };
    expect(visited.map(({ slotStart }) => slotStart)).toEqual([0, 250_000, 500_000, 750_000]);
    expect(visited.reduce((sum, { keys }) => sum + keys, 0)).toBe(lines.length);
    expect(visited.every(({ nodeIds }) => nodeIds.length === 1)).toBe(true);
  });
});

it('a reader that hangs up in the middle of a scan leaves nothing behind', async () => {
  const value = Buffer.alloc(256 << 10, 'x');
  for (let i = 0; i < 16; i++) expect((await ask('PUT', `/v1/kv/default/large${i}`, value)).status).toBe(204);
  const hangUp = (): Promise<void> =>
    new Promise((resolve, reject) => {
      const outgoing = request({ host: '127.0.0.1', port: cluster.app.port, path: '/v1/kv/default', agent: false });
      outgoing.once('error', reject).once('response', (response) => {
        response.once('data', () => {
          response.destroy();
          resolve();
        });
      });
      outgoing.end();
    });
  for (let i = 0; i < storeLimits.scansMax + 6; i++) await hangUp();
  const answer = await ask('GET', '/v1/kv/default?prefix=large&keysOnly=1');
  expect([answer.status, answer.lines.length]).toEqual([200, 17]);
  for (let i = 0; i < 16; i++) await ask('DELETE', `/v1/kv/default/large${i}`);
}, 240_000);

describe('a switch of the query', () => {
  const split = JSON.stringify({ kind: 'split', chunkId: 'default#1/c00001', parts: 2 });

  it.each(['1', 'true'])('dryRun=%s changes nothing', async (on) => {
    const { json } = await ask('POST', `/v1/plans?dryRun=${on}`, split);
    expect(json).not.toHaveProperty('plan');
    expect((await ask('GET', '/v1/plans?state=all')).json).toEqual({ plans: [] });
  });

  it.each(['/v1/plans?dryRun=yes', '/v1/plans?dryRun=TRUE', '/v1/plans?dryRun=2'])(
    'that is neither on nor off is refused, and nothing happens: %s',
    async (path) => {
      expect(await ask('POST', path, split)).toMatchObject({ status: 400, json: { code: 'BAD_REQUEST' } });
      expect((await ask('GET', '/v1/plans?state=all')).json).toEqual({ plans: [] });
    },
  );
});

describe('what a request may say', () => {
  it.each([
    ['GET', '/v1/kv/default?limt=5', /no query parameter 'limt' here: there are .*limit/],
    ['GET', '/v1/kv/default/k?consistency=strong', /no query parameter 'consistency' here: it takes none/],
    ['PUT', '/v1/kv/default/k?ttl=soon', /ttl is 'soon', it must be a duration .*1.5s/],
    ['PUT', '/v1/kv/default/k?tll=1s', /no query parameter 'tll' here: there are ttl/],
    ['GET', '/v1/status?verbose=1', /no query parameter 'verbose'/],
    ['GET', '/v1/plans?dryRun=1', /no query parameter 'dryRun' here: there are .*state/],
  ])('%s %s is refused', async (method, path, message) => {
    const body = method === 'PUT' ? 'v' : undefined;
    expect(await ask(method, path, body)).toMatchObject({
      status: 400,
      json: { code: 'BAD_REQUEST', message: expect.stringMatching(message) as unknown },
    });
  });

  it('a time to live, as parameter or header, and no time in seconds', async () => {
    const expiry = async (): Promise<number> =>
      Number(
        (await ask('GET', '/v1/kv/default/ttl', undefined, { 'levee-consistency': 'strong' })).headers[
          'levee-expires-at'
        ],
      );
    const put = (query: string, headers: Record<string, string>) =>
      ask('PUT', `/v1/kv/default/ttl${query}`, 'v', headers);
    for (const [query, headers] of [
      ['?ttl=30m', {}],
      ['', { 'levee-ttl': '1800s' }],
    ] as const) {
      const askedAtMs = Date.now();
      expect((await put(query, headers)).status).toBe(204);
      expect((await expiry()) - askedAtMs).toBeGreaterThanOrEqual(1_800_000 - 1_000);
      expect((await expiry()) - askedAtMs).toBeLessThan(1_800_000 + 60_000);
    }
    const seconds = { 'levee-expires-at': String(Math.round(Date.now() / 1_000) + 60) };
    expect(await put('', seconds)).toMatchObject({
      status: 400,
      json: { message: expect.stringMatching(/is 1970-01-.*milliseconds, not seconds/) as unknown },
    });
    expect((await put('?ttl=1s', { 'levee-expires-at': String(Date.now() + 1_000) })).status).toBe(400);
    const again = { 'levee-request-id': 'with-ttl' };
    expect((await put('?ttl=1h', again)).headers['levee-repeated']).toBeUndefined();
    expect((await put('?ttl=1h', again)).headers['levee-repeated']).toBe('true');
  });

  it('/ leads to what describes the door', async () => {
    expect(await ask('GET', '/')).toMatchObject({ status: 302, headers: { location: '/docs' } });
  });
});
