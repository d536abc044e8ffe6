import Redis from 'ioredis';
import { PortalProcess } from '../support/portal-process';
import { dice, full, seed } from '../support/seed';
import { scratchFolder, StandaloneProcess } from '../support/standalone-process';

const env = { KAFKA_BROKERS: process.env.KAFKA_BROKERS ?? '', LEVEE_TOPIC_PREFIX: `twoportals${process.pid}` };

describe('two portals of one cluster on real Kafka', () => {
  let levee: StandaloneProcess;
  let portal: PortalProcess;
  let clients: [Redis, Redis];

  beforeAll(async () => {
    levee = await StandaloneProcess.start(scratchFolder('two-portals'), env);
    portal = await PortalProcess.start(env);
    clients = [new Redis(levee.respPort, '127.0.0.1'), new Redis(portal.respPort, '127.0.0.1')];
    for (const client of clients) await client.call('LV.CONSISTENCY', 'strong');
  }, 120_000);

  afterAll(async () => {
    for (const client of clients ?? []) client.disconnect();
    expect(await portal?.end()).toBe(0);
    expect(await levee.end()).toBe(0);
    levee.remove();
  }, 60_000);

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
      const put = await fetch(`${levee.url}/v1/kv/default/hop`, { method: 'PUT', body: `v${i}` });
      const read = await fetch(`${portal.url}/v1/kv/default/hop`, {
        headers: { 'levee-session': put.headers.get('levee-session') as string, 'levee-consistency': 'session' },
      });
      expect(await read.text()).toBe(`v${i}`);
    }
  });
});
