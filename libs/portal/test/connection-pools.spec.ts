import Redis from 'ioredis';
import { createClientPool } from 'redis';
import type { Portal } from '@levee/portal';
import { dice, full, seed } from '../../../test/support/seed';
import { lateLog } from './late-log';
import { TestCluster } from './test-cluster';

jest.setTimeout(full ? 600_000 : 60_000);

const connections = 10;
const rounds = full ? 20_000 : 1_000;

let cluster: TestCluster;
let portal: Portal;

/** Replicas hear of a write some ms after it was answered, each in its own time, as from a log across a network. */
const random = dice();
const late = (nodeId: string): number => (nodeId === 'n1' ? 2 : 6) * random();

beforeAll(async () => {
  cluster = await TestCluster.start(3, (nodeId, log) =>
    lateLog(log, (topic) => (topic.includes('binlog') ? late(nodeId) : 0)),
  );
  await cluster.namespace('default');
  portal = await cluster.portal();
});
afterAll(() => cluster?.close());

interface Pool {
  set(round: number, key: string, value: string): Promise<unknown>;
  get(round: number, key: string): Promise<string | null>;
  delete(round: number, key: string): Promise<unknown>;
  close(): Promise<unknown> | void;
}

/** Another connection for each command. */
function ioredisPool(): Pool {
  const clients = Array.from({ length: connections }, () => new Redis(portal.respPort, '127.0.0.1'));
  const any = (turn: number): Redis => clients[turn % connections] as Redis;
  return {
    set: (round, key, value) => any(round).set(key, value),
    delete: (round, key) => any(round).del(key),
    get: (round, key) => any(round * 3 + 1).get(key),
    close: () => clients.forEach((client) => client.disconnect()),
  };
}

/** The pool itself chooses. */
async function nodeRedisPool(): Promise<Pool> {
  const pool = createClientPool(
    { url: `redis://127.0.0.1:${portal.respPort}` },
    { minimum: connections, maximum: connections },
  );
  pool.on('error', () => undefined);
  await pool.connect();
  return {
    set: (_, key, value) => pool.set(key, value),
    delete: (_, key) => pool.del(key),
    get: (_, key) => pool.get(key),
    close: () => pool.destroy(),
  };
}

it.each<[string, () => Pool | Promise<Pool>]>([
  ['ioredis', ioredisPool],
  ['node-redis', nodeRedisPool],
])(
  'I4: a pool of connections (%s) reads with any of them what it wrote or deleted with another',
  async (name, open) => {
    const pool = await open();
    const missed: string[] = [];
    let next = 0;
    const worker = async (worker: number): Promise<void> => {
      while (next < rounds) {
        const round = next++;
        const key = `${name}:${worker}:${round % 50}`;
        const value = round % 10 === 9 ? null : `v${round}`;
        if (value === null) await pool.delete(round, key);
        else await pool.set(round, key, value);
        const found = await pool.get(round, key);
        if (found !== value) missed.push(`round ${round}: ${key} is ${found}, not ${value}`);
      }
    };
    try {
      // So many at a time that the pool uses all of its connections, and few enough that each answer is awaited.
      await Promise.all(Array.from({ length: connections / 2 }, (_, i) => worker(i)));
      expect({ seed, missed: missed.length, first: missed.slice(0, 3) }).toEqual({ seed, missed: 0, first: [] });
    } finally {
      await pool.close();
    }
  },
);

it('I4: a scan with one connection gives what another one wrote', async () => {
  const writer = cluster.connect(portal).send;
  const reader = cluster.connect(portal).send;
  for (let i = 0; i < 100; i++) {
    expect(await writer('SET', `scanned:${i}`, 'v')).toBe('OK');
    const [, keys] = (await reader('SCAN', '0', 'MATCH', 'scanned:*', 'COUNT', '10000')) as [string, string[]];
    expect(keys).toHaveLength(i + 1);
  }
});
