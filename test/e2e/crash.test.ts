import { rmSync } from 'node:fs';
import { join } from 'node:path';
import Redis from 'ioredis';
import { eventually } from '../support/deadline';
import { Ledger } from '../support/ledger';
import { dice, full, seed } from '../support/seed';
import { scratchFolder, StandaloneProcess } from '../support/standalone-process';

interface ReplicaDigestLine {
  readonly chunkId: string;
  readonly partition: number;
  readonly digest: string;
  readonly keys: number;
  readonly nodeId: string;
}

function connect(levee: StandaloneProcess): Redis {
  const client = new Redis(levee.respPort, '127.0.0.1', {
    retryStrategy: null,
    maxRetriesPerRequest: 0,
    enableOfflineQueue: true,
  });
  client.on('error', () => undefined);
  return client;
}

/** Asks for a digest barrier on every partition of `default` and waits until all replicas have published theirs. */
async function digests(levee: StandaloneProcess): Promise<string[]> {
  const response = await fetch(`${levee.url}/v1/namespaces/default/digests`, { method: 'POST' });
  expect(response.status).toBe(200);
  const lines = (await response.json()) as { replicas: ReplicaDigestLine[] };
  return lines.replicas.map((line) => `${line.chunkId} ${line.partition} ${line.digest} ${line.keys}`).sort();
}

const logs = [
  ['the embedded log', {}, full ? 50 : 2],
  ['real Kafka', { KAFKA_BROKERS: process.env.KAFKA_BROKERS ?? '' }, full ? 20 : 1],
] as const;

describe.each(logs)('kill -9 on %s', (name, env, rounds) => {
  const random = dice(seed + name.length);
  const settings = 'KAFKA_BROKERS' in env ? { ...env, LEVEE_TOPIC_PREFIX: `crash${process.pid}` } : env;

  it(
    `I2: every acknowledged write is there after each of ${rounds} kills under load`,
    async () => {
      const dataDir = scratchFolder('crash');
      const ledger = new Ledger('ledger:', 64);
      let acknowledged = 0;
      for (let round = 0; round < rounds; round++) {
        const levee = await StandaloneProcess.start(dataDir, settings);
        const client = connect(levee);
        const wrong = await ledger.contradictions(client);
        expect({ round, seed, wrong }).toEqual({ round, seed, wrong: [] });
        const stop = { now: false };
        const writing = ledger.write(client, stop);
        await new Promise((resolve) => setTimeout(resolve, 300 + random() * 1200));
        const before = acknowledged;
        await eventually('a write is acknowledged', () => ledger.acknowledgedWrites > before);
        await levee.end('SIGKILL');
        stop.now = true;
        client.disconnect();
        await writing;
        expect(ledger.acknowledgedWrites).toBeGreaterThan(acknowledged);
        acknowledged = ledger.acknowledgedWrites;
      }
      const levee = await StandaloneProcess.start(dataDir, settings);
      const client = connect(levee);
      expect({ seed, wrong: await ledger.contradictions(client) }).toEqual({ seed, wrong: [] });
      client.disconnect();
      expect(await levee.end()).toBe(0);
      levee.remove();
    },
    rounds * 30_000 + 60_000,
  );

  it('everything comes back from the log alone: node folders deleted, digests equal to before', async () => {
    const dataDir = scratchFolder('rebuild');
    const own = 'KAFKA_BROKERS' in env ? { ...env, LEVEE_TOPIC_PREFIX: `rebuild${process.pid}` } : env;
    let levee = await StandaloneProcess.start(dataDir, own);
    let client = connect(levee);
    for (let from = 0; from < 5000; from += 500) {
      const pipeline = client.pipeline();
      for (let i = from; i < from + 500; i++) pipeline.set(`k${i % 4000}`, `v${i}`);
      await pipeline.exec();
    }
    await client.del('k1', 'k2', 'k3');
    const before = await digests(levee);
    expect(before.length).toBe(new Set(before).size * 3);
    client.disconnect();
    expect(await levee.end()).toBe(0);

    for (const { nodeId } of levee.doors.nodes) rmSync(join(dataDir, 'nodes', nodeId), { recursive: true });
    levee = await StandaloneProcess.start(dataDir, own);
    client = connect(levee);
    await eventually('reads are back', async () => (await client.get('k4')) === 'v4004');
    expect(await client.mget('k1', 'k2', 'k3', 'k3999')).toEqual([null, null, null, 'v3999']);
    expect(await digests(levee)).toEqual(before);
    client.disconnect();
    expect(await levee.end()).toBe(0);
    levee.remove();
  }, 120_000);
});
