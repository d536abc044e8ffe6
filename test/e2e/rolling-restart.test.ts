import { rmSync } from 'node:fs';
import Redis from 'ioredis';
import { Balancer } from '../support/balancer';
import { ClusterProcess } from '../support/cluster-process';
import { unexcused, underLoad } from '../support/cluster-under-load';
import { tell } from '../support/counts';
import {
  http,
  ioredis,
  nodeRedis,
  nodeRedisTold,
  oneCommandAConnection,
  whileClientsWork,
} from '../support/ordinary-clients';
import { dice, full, seed } from '../support/seed';
import { scratchFolder } from '../support/standalone-process';

const rounds = full ? 10 : 1;

describe('a rolling restart of everything, on real Kafka', () => {
  const brokers = process.env.KAFKA_BROKERS ?? '';
  const figures: Record<string, unknown> = {};
  let dir: string;
  let cluster: ClusterProcess;
  let resp: Balancer;
  let web: Balancer;

  beforeAll(async () => {
    if (brokers === '')
      throw new Error('KAFKA_BROKERS is not set: npm test starts a Kafka, npm run kafka:start another');
    dir = scratchFolder('rolling');
    cluster = await ClusterProcess.start(
      ['--brokers', brokers, '--dir', dir, '--partitions', '8', '--chunks', '8', '--dispatchers', '1'],
      { LEVEE_TOPIC_PREFIX: `rolling${process.pid}`, LEVEE_DRAIN_NOTICE: '3s' },
    );
    const { portals } = cluster.doors;
    const healthUrl = (url: string): string => `${url}/health/ready`;
    const portOf = (address: string): number => Number(address.split(':').pop());
    resp = await Balancer.listen(portals.map((each) => ({ port: portOf(each.resp), healthUrl: healthUrl(each.http) })));
    web = await Balancer.listen(portals.map((each) => ({ port: portOf(each.http), healthUrl: healthUrl(each.http) })));
  }, 180_000);

  afterAll(async () => {
    await resp?.close();
    await web?.close();
    const said = await cluster?.end();
    process.stdout.write(`rolling restart, seed ${seed}: ${JSON.stringify(figures)}\n`);
    rmSync(dir, { recursive: true, force: true });
    expect(said).toBe('');
  }, 120_000);

  /** Each is away until it is ready again; all of them drain by themselves. */
  async function restartAll(): Promise<void> {
    const { masters, nodes, portals, dispatchers } = cluster.doors;
    for (const { name } of [...portals, ...nodes, ...masters, ...dispatchers]) {
      const before = cluster.exits.length;
      await cluster.stop(name);
      expect(cluster.exits.slice(before)).toEqual([{ event: 'exit', name, how: 0 }]);
      await cluster.start(name);
    }
  }

  it(
    `S82: ${rounds} rounds fail no operation of ordinary clients and lose nothing; who tries nothing again sees connections end, and no contradiction`,
    async () => {
      const [first, second] = cluster.respPorts as [number, number];
      const clients = [
        ioredis('ioredis', resp.port),
        ioredis('ioredis-busy', resp.port),
        // It tries again for ten seconds: on a machine that is busy a portal may be away for longer.
        ...(full ? [ioredis('ioredis-p1', first), ioredis('ioredis-p2', second)] : []),
        await nodeRedis('node-redis', resp.port),
        await nodeRedisTold('node-redis-busy', resp.port),
        await nodeRedis('node-redis-p1', first),
        await nodeRedis('node-redis-p2', second),
        oneCommandAConnection('redis-cli', resp.port),
        http('fetch', web.port),
      ];
      const isBusy = ({ name }: { name: string }): boolean => name.endsWith('busy');
      // Tries nothing again that it has sent: it may be met between two commands only, and here its process is slow.
      const rests = ({ name }: { name: string }): boolean => name.startsWith('node-redis');
      const load = {
        clients,
        keyPrefix: 'rolling:',
        restMs: (client: { name: string }) => (isBusy(client) ? 10 : rests(client) ? 2_000 : 60),
        lines: (client: { name: string }) => (isBusy(client) ? 6 : client.name === 'fetch' ? 3 : 1),
      };
      const random = dice(seed);
      const excused: string[] = [];
      const outcome = await whileClientsWork(load, async () => {
        for (let round = 0; round < rounds; round++) {
          const judgement = await underLoad(cluster, { consistency: 'strong', random }, restartAll);
          excused.push(...judgement.reasons);
          expect(unexcused(judgement)).toEqual([]);
        }
      });
      const { failures, beside, operations, slowestMs } = outcome;
      Object.assign(figures, { operations, slowestMs, connectionsEnded: excused.length, beside });
      tell({
        scenario: 'rolling restart of every process, ordinary clients',
        repetitions: rounds,
        failures: failures.length,
        figure: 'ms of the slowest operation of a client',
        values: Object.values(slowestMs),
      });
      expect(failures).toEqual([]);
      expect(operations).toBeGreaterThan(1_000 * rounds);
      expect(await wrongValues(outcome.acknowledged, first)).toEqual([]);
    },
    rounds * 150_000,
  );
});

/** Keys that do not hold what was acknowledged last, read strongly. */
async function wrongValues(acknowledged: ReadonlyMap<string, string>, port: number): Promise<string[]> {
  const reader = new Redis(port, '127.0.0.1');
  const wrong: string[] = [];
  try {
    await reader.call('LV.CONSISTENCY', 'strong');
    for (const [key, value] of acknowledged) {
      const found = await reader.get(key);
      if (found !== value) wrong.push(`${key}: ${found}, acknowledged ${value}`);
    }
  } finally {
    reader.disconnect();
  }
  return wrong;
}
