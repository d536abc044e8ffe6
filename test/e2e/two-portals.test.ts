import { rmSync } from 'node:fs';
import Redis from 'ioredis';
import { drawnLog } from '../support/drawn';
import { PartsInOneProcess } from '../support/parts-in-one-process';
import { PortalProcess } from '../support/portal-process';
import { dice, full, seed } from '../support/seed';
import { scratchFolder, StandaloneProcess } from '../support/standalone-process';

/** Two portals of one cluster, wherever they run. */
interface TwoPortals {
  readonly urls: readonly string[];
  readonly respPorts: readonly number[];
  /** Ends everything; what did not end cleanly, as text. */
  end(): Promise<string>;
}

async function onKafka(dir: string): Promise<TwoPortals> {
  const brokers = process.env.KAFKA_BROKERS ?? '';
  if (brokers === '') throw new Error('KAFKA_BROKERS is not set: npm test starts a Kafka, npm run kafka:start another');
  const env = { KAFKA_BROKERS: brokers, LEVEE_TOPIC_PREFIX: `twoportals${process.pid}` };
  const levee = await StandaloneProcess.start(dir, env);
  const portal = await PortalProcess.start(env);
  return {
    urls: [levee.url, portal.url],
    respPorts: [levee.respPort, portal.respPort],
    end: async () => `${await portal.end()} ${await levee.end()}`.replace('0 0', ''),
  };
}

async function embedded(dir: string): Promise<TwoPortals> {
  const namespace = { partitions: 8, chunks: 8, replicas: 3 };
  const parts = await PartsInOneProcess.start(dir, { nodes: 3, portals: 2, namespace });
  return {
    urls: parts.doors.portals.map(({ http }) => http),
    respPorts: parts.respPorts,
    end: () => parts.end(),
  };
}

describe.each(
  drawnLog('two-portals', [
    ['real Kafka', onKafka],
    ['the embedded log', embedded],
  ]),
)('two portals of one cluster on %s', (_name, start) => {
  const dir = scratchFolder('two-portals');
  let levee: TwoPortals;
  let clients: [Redis, Redis];

  beforeAll(async () => {
    levee = await start(dir);
    const [first, second] = levee.respPorts as [number, number];
    clients = [new Redis(first, '127.0.0.1'), new Redis(second, '127.0.0.1')];
    for (const client of clients) await client.call('LV.CONSISTENCY', 'strong');
  }, 120_000);

  afterAll(async () => {
    for (const client of clients ?? []) client.disconnect();
    const said = await levee?.end();
    rmSync(dir, { recursive: true, force: true, maxRetries: 5 });
    expect(said).toBe('');
  }, 120_000);

  it('I4: a strong read never misses a write acknowledged before it began, through either portal', async () => {
    const rounds = full ? 20_000 : 500;
    const keys = 16;
    const newest = new Array<number>(keys).fill(0);
    const random = dice(seed);
    const missed: string[] = [];
    let reads = 0;
    let next = 0;
    const writer = async (side: Redis, own: readonly number[]): Promise<void> => {
      while (next < rounds) {
        const number = ++next;
        const key = own[Math.floor(random() * own.length)] as number;
        await side.set(`strong${key}`, String(number));
        newest[key] = number;
      }
    };
    const reader = async (side: Redis): Promise<void> => {
      while (next < rounds) {
        const key = Math.floor(random() * keys);
        const least = newest[key] as number;
        const found = Number((await side.get(`strong${key}`)) ?? 0);
        reads += 1;
        if (found < least) missed.push(`strong${key}: found ${found}, acknowledged before ${least}`);
      }
    };
    const even = Array.from({ length: keys }, (_, i) => i).filter((i) => i % 2 === 0);
    const odd = Array.from({ length: keys }, (_, i) => i).filter((i) => i % 2 === 1);
    await Promise.all([
      writer(clients[0], even),
      writer(clients[1], odd),
      ...clients.flatMap((side) => [reader(side), reader(side), reader(side)]),
    ]);
    expect({ seed, missed }).toEqual({ seed, missed: [] });
    expect(reads).toBeGreaterThan(100);
  }, 300_000);

  it('a session token taken at one portal is honoured by the other', async () => {
    for (let i = 0; i < 50; i++) {
      const put = await fetch(`${levee.urls[0]}/v1/kv/default/hop`, { method: 'PUT', body: `v${i}` });
      const read = await fetch(`${levee.urls[1]}/v1/kv/default/hop`, {
        headers: { 'levee-session': put.headers.get('levee-session') as string, 'levee-consistency': 'session' },
      });
      expect(await read.text()).toBe(`v${i}`);
    }
  });
});
