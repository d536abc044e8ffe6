import { rmSync } from 'node:fs';
import Redis from 'ioredis';
import { ClusterProcess } from '../support/cluster-process';
import { pause } from '../support/cluster-under-load';
import { eventually } from '../support/deadline';
import { drawnLog } from '../support/drawn';
import type { RunningCluster } from '../support/one-process';
import { PartsInOneProcess } from '../support/parts-in-one-process';
import { bound, full } from '../support/seed';
import { scratchFolder } from '../support/standalone-process';

interface Change {
  readonly id: number;
  readonly atMs: number;
}

/** The versions that a portal's watch gives, as they come. */
class Watch {
  readonly changes: Change[] = [];
  private readonly stop = new AbortController();
  private readonly ended: Promise<void>;

  constructor(url: string, after?: number) {
    this.ended = this.follow(`${url}/v1/watch/default`, after).catch(() => undefined);
  }

  get newest(): number {
    return this.changes.at(-1)?.id ?? 0;
  }

  /** When a change above `version` came, by performance.now(). */
  after(version: number): Promise<Change> {
    return eventually('a change is told', async () => this.changes.find(({ id }) => id > version), 10_000);
  }

  async close(): Promise<void> {
    this.stop.abort();
    await this.ended;
  }

  private async follow(url: string, after: number | undefined): Promise<void> {
    const headers: Record<string, string> = after === undefined ? {} : { 'last-event-id': String(after) };
    const answer = await fetch(url, { signal: this.stop.signal, headers });
    const decoder = new TextDecoder();
    let text = '';
    for await (const chunk of answer.body as unknown as AsyncIterable<Uint8Array>) {
      text += decoder.decode(chunk, { stream: true });
      const blocks = text.split('\n\n');
      text = blocks.pop() ?? '';
      for (const block of blocks) {
        const id = /^id: (\d+)$/m.exec(block)?.[1];
        if (id !== undefined) this.changes.push({ id: Number(id), atMs: performance.now() });
      }
    }
  }
}

const keys = 300;
const readers = 48;
const restMs = full ? 4 : 16;

const quantile = (sorted: readonly number[], share: number): number =>
  sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? NaN;

const shape = { partitions: 4, chunks: 6, replicas: 3 } as const;
const units = '24x64MiB:leveldb';

const onKafka = (dir: string): Promise<ClusterProcess> => {
  const brokers = process.env.KAFKA_BROKERS ?? '';
  if (brokers === '') throw new Error('KAFKA_BROKERS is not set: npm test starts a Kafka, npm run kafka:start another');
  const { partitions, chunks } = shape;
  return ClusterProcess.start(
    ['--brokers', brokers, '--dir', dir, '--masters', '1', '--partitions', `${partitions}`, '--chunks', `${chunks}`],
    { LEVEE_TOPIC_PREFIX: `portals${process.pid}`, LEVEE_UNITS: units },
  );
};

const embedded = (dir: string): Promise<PartsInOneProcess> =>
  PartsInOneProcess.start(dir, { nodes: 3, portals: 2, namespace: shape }, { LEVEE_UNITS: units });

describe.each(
  drawnLog('portals', [
    ['real Kafka', onKafka, full ? 50 : 6],
    ['the embedded log', embedded, full ? 50 : 3],
  ]),
)('portals of a cluster on %s', (name, start, rounds) => {
  const figures: Record<string, unknown> = {};
  let dir: string;
  let cluster: RunningCluster;

  beforeAll(async () => {
    dir = scratchFolder('portals');
    cluster = await start(dir);
  }, 180_000);

  afterAll(async () => {
    const said = await cluster?.end();
    process.stdout.write(`portals on ${name}: ${JSON.stringify(figures)}\n`);
    rmSync(dir, { recursive: true, force: true });
    expect(said).toBe('');
  }, 120_000);

  const urlOf = (portal: number): string => cluster.doors.portals[portal]?.http ?? '';

  /** Version of the route by which a portal serves a key now. */
  async function servedBy(portal: number, key: string): Promise<{ version: number; primary: string | undefined }> {
    const answer = await fetch(`${urlOf(portal)}/v1/where/default/${key}`, { signal: AbortSignal.timeout(5_000) });
    const { version, replicas } = (await answer.json()) as {
      version: number;
      replicas: { nodeId: string; role: string }[];
    };
    return { version, primary: replicas.find(({ role }) => role === 'primary')?.nodeId };
  }

  it('serve by a new route, and tell their watchers, within 500 ms of the decision', async () => {
    const watches = [new Watch(urlOf(0)), new Watch(urlOf(1))] as const;
    const slowest: number[] = [];
    try {
      for (const watch of watches) await watch.after(0);
      for (let round = 0; round < rounds; round++) {
        const key = `route-${round % 2}`;
        const { primary, version } = await servedBy(0, key);
        const before = Math.max(...watches.map(({ newest }) => newest));
        const answer = await fetch(`${urlOf(round % 2)}/v1/nodes/${primary}/maintenance`, {
          method: 'POST',
          body: '{"forMs":600000}',
          headers: { 'content-type': 'application/json' },
        });
        expect(answer.status).toBe(200);
        // The portal that was asked answers once it has read the decision.
        const decidedMs = performance.now();
        const told = await Promise.all(watches.map((watch) => watch.after(before)));
        const served = await Promise.all(
          [0, 1].map((portal) =>
            eventually('the new route', async () => {
              const now = await servedBy(portal, key);
              return now.version > version && now.primary !== primary ? performance.now() : undefined;
            }),
          ),
        );
        slowest.push(Math.max(...told.map(({ atMs }) => atMs), ...served) - decidedMs);
        await fetch(`${urlOf(0)}/v1/nodes/${primary}/maintenance`, { method: 'DELETE' });
        await eventually('the node is up again', async () => {
          const { nodes } = (await (await fetch(`${urlOf(0)}/v1/nodes`)).json()) as {
            nodes: { nodeId: string; state: string }[];
          };
          return nodes.every(({ state }) => state === 'up') || undefined;
        });
      }
    } finally {
      for (const watch of watches) await watch.close();
    }
    figures['decisionToServedMs'] = slowest.map(Math.round);
    // One slow moment may be the machine's; portals that are slow by themselves are so most of the time.
    expect(
      quantile(
        [...slowest].sort((a, b) => a - b),
        0.5,
      ),
    ).toBeLessThan(bound(500));
    expect(Math.max(...slowest)).toBeLessThan(full ? 500 : 10_000);
  }, 180_000);

  it('take up a watch that began at the other one, missing nothing and repeating nothing', async () => {
    const first = new Watch(urlOf(0));
    const { id } = await first.after(0);
    await first.close();
    const second = new Watch(urlOf(1), id);
    await pause(300);
    expect(second.changes).toEqual([]);
    await fetch(`${urlOf(0)}/v1/nodes/n1/maintenance`, {
      method: 'POST',
      body: '{"forMs":600000}',
      headers: { 'content-type': 'application/json' },
    });
    expect((await second.after(id)).id).toBeGreaterThan(id);
    await second.close();
    await fetch(`${urlOf(0)}/v1/nodes/n1/maintenance`, { method: 'DELETE' });
  }, 60_000);

  // In one process no part stands still alone.
  const itWithProcesses = (title: string, test: (parts: ClusterProcess) => Promise<void>, deadlineMs: number): void => {
    if (start === onKafka) it(title, () => test(cluster as ClusterProcess), deadlineMs);
  };

  itWithProcesses(
    'read on while a node is frozen: p99 at most five times the quiet one, and nothing fails',
    async (parts) => {
      const client = new Redis(cluster.respPorts[0] as number, '127.0.0.1');
      const took: number[] = [];
      const failures: string[] = [];
      let reading = true;
      try {
        await Promise.all(Array.from({ length: keys }, (_, i) => client.set(`frozen${i}`, `v${i}`)));
        const reader = async (number: number): Promise<void> => {
          for (let i = number; reading; i = (i * 7 + 1) % keys) {
            const beganMs = performance.now();
            const found = await client.get(`frozen${i}`).catch((error: Error) => error.message);
            took.push(performance.now() - beganMs);
            if (found !== `v${i}`) failures.push(`frozen${i}: ${found}`);
            await pause(restMs);
          }
        };
        const all = Array.from({ length: readers }, (_, i) => reader(i));
        const p99During = async (ms: number): Promise<{ p99Ms: number; reads: number }> => {
          took.length = 0;
          await pause(ms);
          const sorted = [...took].sort((a, b) => a - b);
          return { p99Ms: quantile(sorted, 0.99), reads: sorted.length };
        };
        await pause(1_500);
        const measured: { fine: boolean }[] = [];
        // A slow moment may be the machine's, in a quick run; portals that wait for a frozen node do so each time.
        while (measured.length < (full ? 1 : 3) && measured.at(-1)?.fine !== true) {
          const quiet = await p99During(3_000);
          await parts.pause('n2');
          const frozen = await p99During(4_000);
          await parts.resume('n2');
          const after = await p99During(2_000);
          const fine = frozen.reads > (full ? 1_000 : 200) && frozen.p99Ms <= 5 * Math.max(quiet.p99Ms, 4);
          measured.push({ fine, ...{ quiet, frozen, after } });
        }
        reading = false;
        await Promise.all(all);
        figures['frozenNode'] = measured;
        expect(failures).toEqual([]);
        expect(measured.at(-1)).toMatchObject({ fine: true });
      } finally {
        reading = false;
        client.disconnect();
      }
    },
    120_000,
  );
});
