import { rejectionCodes } from '@levee/cluster';
import { storeErrors } from '@levee/client';
import { doorCode, doorCodes, Failure, reservedKeyPrefix, silentLogger } from '@levee/kernel';
import { FailureFilter, httpStatusByCode } from '@levee/service-kit';
import { RespClient, RespError } from '@levee/wire';
import { statusByCode } from '../src/http-status';
import { OneNodeCluster } from './one-node-cluster';

jest.setTimeout(60_000);

const ofHttpAlone = ['BAD_REQUEST', 'NOT_FOUND', 'DEADLINE', 'INTERNAL'];

describe('one condition has one code', () => {
  it.each(Object.entries(doorCodes))('%s is %s at the doors, which RESP says too, and has a status', (inside, told) => {
    expect(Object.keys(storeErrors)).toContain(told);
    const { status, body } = new FailureFilter(silentLogger, statusByCode).answerTo(new Failure(inside, 'why'));
    expect(body).toEqual({ code: told, message: 'why' });
    expect(status).not.toBe(500);
    expect(doorCode(told)).toBe(told);
  });

  it('what the doors can say is LV…, a rejection, or of HTTP alone', () => {
    const codes = [...Object.keys(statusByCode), ...Object.keys(httpStatusByCode)].map(doorCode);
    const lv = codes.filter((code) => code.startsWith('LV'));
    expect(lv.filter((code) => !(code in storeErrors))).toEqual([]);
    // No word of the one is in the other: LVLIMIT and LIMIT would be two codes.
    const words = Object.keys(storeErrors).map((code) => code.slice(2));
    const others = [...Object.keys(rejectionCodes), ...ofHttpAlone].filter((code) => doorCode(code) === code);
    expect(others.filter((code) => words.includes(code.replaceAll('_', '')))).toEqual([]);
  });
});

describe('at the doors of one portal', () => {
  let cluster: OneNodeCluster;
  let resp: RespClient;

  beforeAll(async () => {
    cluster = await OneNodeCluster.start();
    const size = { partitions: 2, chunks: 2, replicas: 1, chunkCapacityBytes: 8 << 20, maxTtlMs: 60_000 };
    const created = await cluster.ask('POST', '/v1/namespaces', JSON.stringify({ name: 'default', ...size }));
    expect(created.status).toBe(201);
    resp = new RespClient({ host: '127.0.0.1', port: cluster.app.portal.respPort });
  });
  afterAll(async () => {
    resp?.close();
    await cluster?.close();
  });

  const saidByResp = (...args: (string | Buffer)[]): Promise<string> =>
    new Promise((resolve, reject) =>
      resp.send(args, 10_000, (failure, reply) => {
        if (failure) reject(failure);
        else resolve(reply instanceof RespError ? (reply.text.split(' ')[0] as string) : 'no error');
      }),
    );

  const longKey = 'k'.repeat(1_025);
  const longValue = Buffer.alloc(1024 * 1024 + 1);
  const encoded = [...reservedKeyPrefix].map((byte) => `%${byte.toString(16).padStart(2, '0')}`).join('');
  const json = { 'content-type': 'application/json' };

  it.each<[code: string, command: (string | Buffer)[], requests: Parameters<OneNodeCluster['ask']>[]]>([
    [
      'LVNAMESPACE',
      ['LV.USE', 'nowhere'],
      [
        ['GET', '/v1/kv/nowhere/k'],
        ['GET', '/v1/namespaces/nowhere'],
        ['GET', '/v1/routes/nowhere'],
        ['GET', '/v1/where/nowhere/k'],
        ['GET', '/v1/watch/nowhere'],
        ['PATCH', '/v1/namespaces/nowhere', '{"ack":"all"}', json],
        ['DELETE', '/v1/namespaces/nowhere?confirm=nowhere'],
        ['POST', '/v1/namespaces/nowhere/flush?confirm=nowhere'],
        ['POST', '/v1/namespaces/nowhere/digests'],
        ['POST', '/v1/plans', '{"kind":"rebalance","namespace":"nowhere"}', json],
        ['POST', '/v1/log/repair', '{"namespace":"nowhere"}', json],
      ],
    ],
    ['LVLIMIT', ['GET', longKey], [['GET', `/v1/kv/default/${longKey}`]]],
    [
      'LVLIMIT',
      ['SET', 'k', longValue],
      [
        ['PUT', '/v1/kv/default/k', longValue],
        ['PUT', '/v1/kv/default/k', Buffer.alloc(3 << 20)],
        ['PUT', '/v1/kv/default/k', Buffer.alloc(3 << 20), { 'transfer-encoding': 'chunked' }],
        ['POST', '/v1/namespaces', Buffer.alloc(3 << 20, ' '), { 'transfer-encoding': 'chunked' }],
        ['POST', '/v1/namespaces', Buffer.alloc(3 << 20, ' ')],
        ['POST', '/v1/commands', JSON.stringify({ kind: 'X', payload: { long: 'x'.repeat(600_000) } }), json],
      ],
    ],
    ['LVLIMIT', ['SET', 'k', 'v', 'EX', '3600'], [['PUT', '/v1/kv/default/k?ttl=1h', 'v']]],
    ['LVRESERVED', ['GET', Buffer.from(reservedKeyPrefix)], [['GET', `/v1/kv/default/${encoded}`]]],
    ['LVSESSION', ['LV.POS', 'nonsense'], [['GET', '/v1/kv/default/k', undefined, { 'levee-session': 'nonsense' }]]],
    ['LVUNSUPPORTED', ['FLUSHDB'], [['POST', '/v1/namespaces/default/flush?confirm=default']]],
    [
      'LVVERSION',
      ['LV.ROUTES', '999999'],
      [
        ['GET', '/v1/routes/default?version=999999'],
        ['GET', '/v1/watch/default?version=999999'],
      ],
    ],
  ])('%s', async (code, command, requests) => {
    expect(await saidByResp(...command)).toBe(code);
    await saidByResp('LV.USE', 'default');
    for (const [method, path, body, headers] of requests) {
      const answer = await cluster.ask(method, path, body, headers);
      // A stream that began says it in its last line.
      const said = answer.lines.at(-1)?.['code'];
      expect([method, path.slice(0, 60), said]).toEqual([method, path.slice(0, 60), code]);
    }
  });
});
