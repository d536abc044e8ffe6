/**
 * What clients notice while chunks move, split and merge, and how soon a route change is everywhere: real processes on
 * Kafka, one chunk that all reads and writes go to. The copy alone, with a million records, is `copy.bench.mjs`.
 */
import Redis from 'ioredis';
import { startCluster } from '../../tools/cluster/supervise.mjs';
import { copy } from './copy.bench.mjs';
import { eventually } from './processes.mjs';

const namespace = 'default';
const records = 100_000;
const valueBytes = 100;
const readsPerSecond = 500;
const writers = 8;
const writerPauseMs = 2;
const quietMs = 30_000;
const observeMs = 1_000;
const rounds = 2;
const promotions = 100;

export async function elastic(report) {
  await copy(report);
  await noticed(report);
}

export async function noticed(report) {
  const cluster = await startCluster({
    masters: 1,
    nodes: 3,
    portals: 2,
    anyPorts: true,
    kafka: { c2: true },
    namespace: { name: namespace, partitions: 8, chunks: 1, replicas: 2 },
    env: { LEVEE_LOG_LEVEL: 'error', LEVEE_TOPIC_PREFIX: `elastic${Date.now()}`, LEVEE_UNITS: '12x512MiB:leveldb' },
  });
  const clients = [];
  const connect = async (portal) => {
    const client = new Redis(Number(cluster.portals[portal].resp.split(':').pop()), '127.0.0.1');
    clients.push(client);
    return client;
  };
  try {
    await load(await connect(0));
    const clientLoad = new Load(await Promise.all(Array.from({ length: writers + 4 }, (_, i) => connect(i % 2))));
    const door = new Door(cluster.portals[0].http);
    await clientLoad.during(() => pause(3_000));
    const quiet = await clientLoad.during(() => pause(quietMs));
    const seen = { move: [], split: [], merge: [] };
    for (let round = 0; round < rounds; round++) {
      const [chunk] = await door.chunks();
      const from = chunk.replicas[round % 2].nodeId;
      seen.move.push(await clientLoad.during(() => door.carryOut({ kind: 'move', chunkId: chunk.chunkId, from })));
      seen.split.push(await clientLoad.during(() => door.carryOut({ kind: 'split', chunkId: chunk.chunkId })));
      const chunkIds = (await door.chunks()).map(({ chunkId }) => chunkId);
      seen.merge.push(await clientLoad.during(() => door.carryOut({ kind: 'merge', chunkIds })));
    }
    for (const [kind, runs] of Object.entries(seen)) judge(report, kind, runs, quiet);
    await routeChanges(report, cluster, door);
  } finally {
    for (const client of clients) client.disconnect();
    await cluster.stop();
  }
}

function judge(report, kind, runs, quiet) {
  const reads = runs.flatMap((run) => run.reads);
  const failed = runs.flatMap((run) => run.failed);
  const [p99, quietP99] = [percentile(reads, 0.99), percentile(quiet.reads, 0.99)];
  const longest = Math.max(...runs.map((run) => run.writeGapMs));
  const what = `${kind} of ${records} records under load, ${runs.length} times`;
  report.add({
    work: `${what}: GET p99 (${reads.length} reads)`,
    measured: `${p99.toFixed(1)} ms`,
    peer: `quiet ${quietP99.toFixed(1)} ms`,
    ratio: (p99 / quietP99).toFixed(2),
    reach: 'at most 3',
    ok: p99 <= quietP99 * 3,
  });
  report.add({
    work: `${what}: longest gap between acknowledged writes`,
    measured: `${longest.toFixed(0)} ms`,
    peer: `quiet ${quiet.writeGapMs.toFixed(0)} ms`,
    reach: '50 ms beyond the quiet one',
    ok: longest <= quiet.writeGapMs + 50,
  });
  report.add({
    work: `${what}: failed reads and writes`,
    measured: `${failed.length}${failed.length > 0 ? `, first: ${failed[0]}` : ''}`,
    reach: '0',
    ok: failed.length === 0,
  });
}

/** From the master's decision, by its clock, to the news at each portal: promotions, which move nothing. */
async function routeChanges(report, cluster, door) {
  const watchers = cluster.portals.map(({ http }) => new Watcher(`${http}/v1/watch/${namespace}`));
  const tookMs = [];
  try {
    for (let i = 0; i < promotions; i++) {
      const chunk = (await door.chunks())[0];
      const to = chunk.replicas.find(({ role }) => role === 'follower').nodeId;
      const plan = await door.carryOut({ kind: 'promote', chunkId: chunk.chunkId, to, observeMs: 0 });
      const switched = plan.history.find(({ step, what }) => step === 'switch' && what === 'ended');
      const told = await Promise.all(watchers.map((watcher) => watcher.toldAtMs(switched.seq)));
      tookMs.push(Math.max(...told) - switched.atMs);
    }
  } finally {
    for (const watcher of watchers) watcher.close();
  }
  const p99 = percentile(tookMs, 0.99);
  report.add({
    work: `a route change, from its decision to all of ${watchers.length} portals, ${promotions} times`,
    measured: `p50 ${percentile(tookMs, 0.5)} ms, p99 ${p99} ms`,
    reach: 'p99 200 ms',
    ok: p99 <= 200,
  });
}

async function load(client) {
  const value = 'v'.repeat(valueBytes);
  for (let from = 0; from < records; from += 5_000) {
    const pipeline = client.pipeline();
    for (let i = from; i < Math.min(from + 5_000, records); i++) pipeline.set(`k${i}`, value);
    for (const [error] of await pipeline.exec()) if (error !== null) throw error;
  }
}

/** Reads at a steady pace, whatever the answers do, and writers that write again a moment after each answer. */
class Load {
  constructor(clients) {
    this.writing = clients.slice(0, writers);
    this.reading = clients.slice(writers);
  }

  /** Latencies, failures and the longest gap between acknowledged writes, in ms, while `work` goes on. */
  async during(work) {
    const reads = [];
    const acknowledged = [];
    const failed = [];
    let over = false;
    const loops = this.writing.map(async (client, writer) => {
      for (let i = 0; !over; i++) {
        try {
          await client.set(`k${(i * writers + writer) % records}`, 'w'.repeat(valueBytes));
          acknowledged.push(performance.now());
        } catch (error) {
          failed.push(error.message);
        }
        await pause(writerPauseMs);
      }
    });
    const pending = [];
    const paced = (async () => {
      const everyMs = 1_000 / readsPerSecond;
      for (let due = performance.now(), i = 0; !over; await pause(everyMs))
        for (; due <= performance.now(); due += everyMs) pending.push(this.#read(i++, reads, failed));
    })();
    try {
      await work();
    } finally {
      over = true;
      await Promise.all([...loops, paced]);
      await Promise.all(pending);
    }
    acknowledged.sort((a, b) => a - b);
    const gaps = acknowledged.slice(1).map((atMs, i) => atMs - acknowledged[i]);
    return { reads, failed, writeGapMs: Math.max(...gaps) };
  }

  async #read(i, reads, failed) {
    const askedMs = performance.now();
    try {
      const value = await this.reading[i % this.reading.length].get(`k${Math.floor(Math.random() * records)}`);
      reads.push(performance.now() - askedMs);
      if (value === null) failed.push('a key is missing');
    } catch (error) {
      failed.push(error.message);
    }
  }
}

/** Plans and chunks at a portal's HTTP door. */
class Door {
  constructor(url) {
    this.url = url;
  }

  /** By slots, each with its primary first. */
  async chunks() {
    const { routes } = await this.#call(`routes/${namespace}`);
    const primaryFirst = (a, b) => Number(b.role === 'primary') - Number(a.role === 'primary');
    return routes.map((route) => ({ ...route, replicas: [...route.replicas].sort(primaryFirst) }));
  }

  /** The plan once it is done; fails when it stops. */
  async carryOut(payload) {
    const { plan } = await this.#call('plans', { observeMs, ...payload });
    return eventually(
      `plan ${plan.planId} is done`,
      async () => {
        const { plan: now } = await this.#call(`plans/${plan.planId}`);
        return now.state === 'done' ? now : undefined;
      },
      300_000,
      200,
    );
  }

  async #call(path, body) {
    const headers = { 'content-type': 'application/json' };
    const init = body && { method: 'POST', headers, body: JSON.stringify(body) };
    const answer = await fetch(`${this.url}/v1/${path}`, init);
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${path}: ${answer.status} ${text}`);
    return JSON.parse(text);
  }
}

/** When a portal told its watcher of a decision, by Date.now(). */
class Watcher {
  #told = new Map();
  #stop = new AbortController();

  constructor(url) {
    this.#follow(url).catch(() => undefined);
  }

  toldAtMs(seq) {
    return eventually(`decision ${seq} is told`, async () => this.#told.get(seq), 10_000);
  }

  close() {
    this.#stop.abort();
  }

  async #follow(url) {
    const answer = await fetch(url, { signal: this.#stop.signal });
    const decoder = new TextDecoder();
    let text = '';
    for await (const piece of answer.body) {
      text += decoder.decode(piece, { stream: true });
      const blocks = text.split('\n\n');
      text = blocks.pop();
      for (const block of blocks) {
        const id = /^id: (\d+)$/m.exec(block)?.[1];
        if (id !== undefined) this.#told.set(Number(id), Date.now());
      }
    }
  }
}

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

function percentile(values, share) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];
}
