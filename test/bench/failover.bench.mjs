/** What clients see while a master or a data node dies under load: kill -9 of real processes on real Kafka. */
import Redis from 'ioredis';
import { startCluster } from '../../tools/cluster/supervise.mjs';
import { eventually } from './processes.mjs';

const masterKills = 20;
const nodeKillsEach = 3;
const keys = 400;
const readers = 8;
const writers = 8;
/** How long after a kill an operation counts as failing over. */
const windowMs = 5_000;

export async function failover(report) {
  const cluster = await startCluster({
    masters: 2,
    nodes: 3,
    portals: 1,
    anyPorts: true,
    namespace: { name: 'default', partitions: 8, chunks: 8, replicas: 3, ack: 'primary' },
    env: { LEVEE_LOG_LEVEL: 'error', LEVEE_TOPIC_PREFIX: `failover${Date.now()}` },
  });
  try {
    const load = new Load(cluster.portals[0].resp);
    await load.start();
    await masters(report, cluster, load);
    await nodes(report, cluster, load);
    await load.stop();
  } finally {
    await cluster.stop();
  }
}

async function masters(report, cluster, load) {
  const tookMs = [];
  load.reset();
  for (let round = 0; round < masterKills; round++) {
    const before = await reigning(cluster);
    const atMs = performance.now();
    await cluster.kill(before.name);
    await reigning(cluster, before.term);
    tookMs.push(performance.now() - atMs);
    await cluster.restart(before.name);
  }
  const [p50, p99] = [percentile(tookMs, 0.5), percentile(tookMs, 0.99)];
  report.add({
    work: `kill -9 of the active master, ${masterKills} times: the next term serves`,
    measured: `p50 ${p50.toFixed(0)} ms, p99 ${p99.toFixed(0)} ms`,
    reach: 'p50 2 s, p99 4 s',
    ok: p50 < 2_000 && p99 < 4_000,
  });
  report.add({
    work: `meanwhile, of ${load.reads.length} reads and ${load.writes.length} writes, failed`,
    measured: String(load.failed.length),
    reach: '0',
    ok: load.failed.length === 0,
  });
}

async function nodes(report, cluster, load) {
  const reads = [];
  const gapsMs = [];
  load.reset();
  for (let round = 0; round < nodeKillsEach * cluster.nodes.length; round++) {
    const { name } = cluster.nodes[round % cluster.nodes.length];
    const atMs = performance.now();
    await cluster.kill(name);
    await new Promise((resolve) => setTimeout(resolve, windowMs));
    reads.push(...load.reads.filter(({ endMs }) => endMs >= atMs).map(({ tookMs }) => tookMs));
    // A key whose primary died waits for the next one: the longest write that was under way or came after the kill.
    gapsMs.push(
      Math.max(...load.writes.filter(({ endMs }) => endMs >= atMs).map((w) => Math.min(w.tookMs, w.endMs - atMs))),
    );
    load.trim();
    await cluster.restart(name);
    await eventually('the node is up', async () => {
      const { nodes: known } = await (await fetch(`${cluster.portals[0].http}/v1/nodes`)).json();
      return known.every(({ state }) => state === 'up');
    });
  }
  const readP99 = percentile(reads, 0.99);
  report.add({
    work: `kill -9 of a data node, ${gapsMs.length} times: reads within ${windowMs / 1000} s after it`,
    measured: `p99 ${readP99.toFixed(0)} ms, max ${percentile(reads, 1).toFixed(0)} ms`,
    reach: 'p99 1 s',
    ok: readP99 < 1_000,
  });
  report.add({
    work: 'meanwhile writes with ack=primary: longest wait for the next primary',
    measured: `p50 ${percentile(gapsMs, 0.5).toFixed(0)} ms, max ${Math.max(...gapsMs).toFixed(0)} ms`,
    reach: '3 s',
    ok: Math.max(...gapsMs) < 3_000,
  });
  report.add({
    work: 'meanwhile failed reads and writes',
    measured: String(load.failed.length),
    reach: '0',
    ok: load.failed.length === 0,
  });
}

/** Readers and writers with a connection each, one request at a time. */
class Load {
  reads = [];
  writes = [];
  failed = [];
  #stopping = false;
  #running = [];
  #clients = [];

  constructor(resp) {
    this.port = Number(resp.split(':').pop());
  }

  async start() {
    const first = this.#client();
    for (let i = 0; i < keys; i++) await first.set(`key${i}`, 'x'.repeat(100));
    for (let i = 0; i < readers; i++)
      this.#drive(this.reads, (client) => client.get(`key${Math.floor(Math.random() * keys)}`));
    for (let i = 0; i < writers; i++)
      this.#drive(this.writes, (client, n) => client.set(`key${(n * writers + i) % keys}`, `${n}`));
  }

  reset() {
    this.failed = [];
    this.trim();
  }

  /** The arrays stay the same: the loops write into them. */
  trim() {
    this.reads.length = 0;
    this.writes.length = 0;
  }

  async stop() {
    this.#stopping = true;
    await Promise.all(this.#running);
    for (const client of this.#clients) client.disconnect();
  }

  #client() {
    const client = new Redis(this.port, '127.0.0.1');
    this.#clients.push(client);
    return client;
  }

  #drive(into, ask) {
    const client = this.#client();
    const loop = async () => {
      for (let n = 0; !this.#stopping; n++) {
        const beganMs = performance.now();
        try {
          await ask(client, n);
          const endMs = performance.now();
          into.push({ endMs, tookMs: endMs - beganMs });
        } catch (error) {
          this.failed.push(error.message);
        }
        await new Promise((resolve) => setTimeout(resolve, 2));
      }
    };
    this.#running.push(loop());
  }
}

/** The master that serves a term above `after`. */
function reigning(cluster, after = 0) {
  return eventually('a master reigns', async () => {
    for (const { name, pid, http } of cluster.masters) {
      if (pid === undefined) continue;
      const status = await fetch(`${http}/v1/status`, { signal: AbortSignal.timeout(1_000) })
        .then((answer) => answer.json())
        .catch(() => undefined);
      if (status?.role === 'active' && status.term > after) return { name, term: status.term };
    }
    return undefined;
  });
}

function percentile(values, share) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];
}
