import Redis from 'ioredis';
import { createClient } from 'redis';
import { eventually } from '../support/deadline';
import { drawnLog } from '../support/drawn';
import { PlanDoor, type Route } from '../support/plan-door';
import { full } from '../support/seed';
import { scratchFolder, StandaloneProcess } from '../support/standalone-process';

const connections = 10;
const roundsMin = full ? 20_000 : 1_000;
const planDeadlineMs = 120_000;
const stillKeys = 300;

/** Applications write with one connection and read with another, and know nothing of plans. */
describe.each(
  drawnLog('pools', [
    ['the embedded log', {}],
    ['real Kafka', { KAFKA_BROKERS: process.env.KAFKA_BROKERS ?? '', LEVEE_TOPIC_PREFIX: `pools${process.pid}` }],
  ]),
)('a pool of connections to one portal, on %s', (_name, env) => {
  let levee: StandaloneProcess;
  let door: PlanDoor;
  let pool: Redis[];
  let scans: ReturnType<typeof createClient>;

  beforeAll(async () => {
    levee = await StandaloneProcess.start(scratchFolder('pools'), { ...env, LEVEE_BARRIER_INTERVAL: '500ms' });
    door = new PlanDoor({ doors: { portals: [{ http: levee.url }] } });
    await door.post('/v1/namespaces', { name: 'pools', partitions: 4, chunks: 2, replicas: 2 });
    const url = `redis://pools:-@127.0.0.1:${levee.respPort}`;
    scans = createClient({ url });
    scans.on('error', () => undefined);
    await eventually('the namespace serves', async () => {
      if (!scans.isOpen) await scans.connect();
      return (await scans.set('ready', 'yes')) === 'OK';
    });
    pool = Array.from({ length: connections }, () => new Redis(url));
    await Promise.all(Array.from({ length: stillKeys }, (_, i) => (pool[0] as Redis).set(`still:${i}`, 'x')));
  }, 120_000);

  afterAll(async () => {
    scans?.destroy();
    for (const client of pool ?? []) client.disconnect();
    expect(await levee.end('SIGTERM')).toBe(0);
    levee.remove();
  }, 60_000);

  it('I4: reads with any connection what another one wrote, and scans to the end, while chunks split and move', async () => {
    const missed: string[] = [];
    let rounds = 0;
    let planned = false;
    const worker = async (worker: number): Promise<void> => {
      while (!planned || rounds < roundsMin) {
        const round = rounds++;
        const key = `pool:${worker}:${round % 40}`;
        const value = round % 10 === 9 ? null : `v${round}`;
        const any = (turn: number): Redis => pool[turn % connections] as Redis;
        if (value === null) await any(round).del(key);
        else await any(round).set(key, value);
        const found = await any(round * 3 + 1).get(key);
        if (found !== value) missed.push(`round ${round}: ${key} is ${found}, not ${value}`);
      }
    };
    /** Every key that nobody touches, each time, whatever becomes of the chunks. */
    const scanned: number[] = [];
    const scanner = async (): Promise<void> => {
      while (!planned) {
        const found = new Set<string>();
        for await (const keys of (pool[0] as Redis).scanStream({ match: 'still:*', count: 20 }))
          for (const key of keys as string[]) found.add(key);
        scanned.push(found.size);
        const again = new Set<string>();
        for await (const keys of scans.scanIterator({ MATCH: 'still:*', COUNT: 50 }))
          keys.forEach((key) => again.add(key));
        scanned.push(again.size);
      }
    };
    const plans = async (): Promise<void> => {
      const [first] = (await door.routes('pools')) as [Route];
      await door.carryOut({ kind: 'split', chunkId: first.chunkId, observeMs: 500 }, planDeadlineMs);
      for (const route of await door.routes('pools')) {
        const from = route.replicas[0]?.nodeId;
        const to = ['n1', 'n2', 'n3'].find((nodeId) => route.replicas.every((replica) => replica.nodeId !== nodeId));
        await door.carryOut({ kind: 'move', chunkId: route.chunkId, from, to, observeMs: 500 }, planDeadlineMs);
      }
    };
    await Promise.all([
      plans().finally(() => (planned = true)),
      scanner(),
      ...Array.from({ length: connections / 2 }, (_, i) => worker(i)),
    ]);
    expect(scanned.length).toBeGreaterThan(0);
    expect(new Set(scanned)).toEqual(new Set([stillKeys]));
    expect({ missed: missed.length, first: missed.slice(0, 3) }).toEqual({ missed: 0, first: [] });
    expect(rounds).toBeGreaterThanOrEqual(roundsMin);
  }, 600_000);
});
