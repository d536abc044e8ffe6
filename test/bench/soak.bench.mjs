/**
 * Does a data node stay within its memory budget? Writes, reads, readers that take their pages slowly, moves of chunks
 * to and fro and digests of everything, for minutes, on real processes and a real Kafka; resident memory every second.
 */
import { readFileSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { startCluster } from '../../tools/cluster/supervise.mjs';
import { startKafka } from '../../tools/kafka/local-kafka.mjs';
import { loadBuilt } from './load-built.mjs';
import { eventually, root, scratch } from './processes.mjs';

const require = loadBuilt();

const budgetMb = 32;
/**
 * What a node takes beside it: Node, the code, threads (some 130 MB with nothing to do), 45 MB of heap, and what the
 * garbage collector leaves lying about: V8 lets 64 MB of buffers alone go out of use before it looks. The reader thread
 * has a heap of its own, and what it leaves lying about: some 60 MB more.
 */
const baseMb = 384;
/** Growth over the second half of the run that is the collector's to and fro, not a leak. */
const growthMbMax = 24;
const keys = 40_000;
const valueBytes = 1_000;
const slowReaders = 24;
const pageBytes = 1 << 20;
/** A move takes seconds; everything that this run does beside it is in its way. */
const moveDeadlineMs = 300_000;

export async function soak(report, { minutes = 3 } = {}) {
  const dir = scratch('soak');
  const kafka = await startKafka({ nodes: 1, dir });
  try {
    const cluster = await startCluster({
      masters: 1,
      nodes: 2,
      portals: 1,
      anyPorts: true,
      brokers: kafka.brokers,
      namespace: { name: 'default', partitions: 4, chunks: 4, replicas: 2 },
      env: {
        LEVEE_TOPIC_PREFIX: `soak${Date.now()}`,
        LEVEE_UNITS: '32x256MiB:leveldb',
        LEVEE_MEMORY_BUDGET: `${budgetMb}MiB`,
        LEVEE_LOG_LEVEL: 'warn',
      },
    });
    try {
      await measure(report, cluster, minutes);
    } finally {
      await cluster.stop();
    }
  } finally {
    await kafka.stop();
    rmSync(dir, { recursive: true, force: true });
  }
}

async function measure(report, cluster, minutes) {
  const load = new Load(cluster);
  await load.prepare();
  const nodes = cluster.nodes.map((node) => ({ ...node, residentMb: [], networkPeakMb: 0 }));
  const startMb = nodes.map(({ pid }) => residentMb(pid));
  const stop = load.start();
  const endMs = performance.now() + minutes * 60_000;
  for (let second = 1; performance.now() < endMs; second++) {
    await sleep(1_000);
    for (const node of nodes) node.residentMb.push(residentMb(node.pid));
    if (second % 30 === 0)
      console.log(
        `soak: ${second} s, resident ${nodes.map(({ residentMb: all }) => `${all.at(-1).toFixed(0)} MB`).join(', ')}; ` +
          load.says(),
      );
  }
  await stop();
  for (const [i, node] of nodes.entries()) {
    const figure = await metrics(node.http);
    const sorted = [...node.residentMb].sort((a, b) => a - b);
    const half = node.residentMb.slice(node.residentMb.length >> 1);
    const slope = slopePerMinute(half);
    const growth = slope * (half.length / 60);
    const max = sorted.at(-1);
    const mb = (bytes) => (bytes / 1e6).toFixed(1);
    report.add({
      work: `soak: resident memory of ${node.name} with a budget of ${budgetMb} MB, ${minutes} min (${load.says()})`,
      measured:
        `start ${startMb[i].toFixed(0)}, p50 ${sorted[sorted.length >> 1].toFixed(0)}, max ${max.toFixed(0)} MB, ` +
        `slope ${slope.toFixed(1)} MB/min; network buffers at most ` +
        `${mb(figure('levee_node_memory_bytes', 'what="network_peak"'))} of ` +
        `${mb(figure('levee_node_memory_bytes', 'what="network_budget"'))} MB, ` +
        `at the end heap ${mb(figure('levee_process_heap_used_bytes'))}, ` +
        `buffers ${mb(figure('levee_process_external_bytes'))}, ` +
        `closed as crowded ${figure('levee_node_resp_closed_total', 'reason="crowded"')}`,
      reach: `at most ${budgetMb} + ${baseMb} MB, growing by at most ${growthMbMax} MB over the second half`,
      ok: max <= budgetMb + baseMb && growth <= growthMbMax,
    });
  }
}

/** Without mapped table files: those are pages of the system's cache, which it takes back when it needs them. */
function residentMb(pid) {
  return Number(/RssAnon:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))[1]) / 1024;
}

/** Least squares over samples of one second. */
function slopePerMinute(samples) {
  const meanX = (samples.length - 1) / 2;
  const meanY = samples.reduce((sum, y) => sum + y, 0) / samples.length;
  let over = 0;
  let under = 0;
  for (const [x, y] of samples.entries()) {
    over += (x - meanX) * (y - meanY);
    under += (x - meanX) ** 2;
  }
  return (over / under) * 60;
}

/** What a process says now: a value by the name of its metric and a label; one that is not there is a mistake. */
async function metrics(url) {
  const text = await (await fetch(`${url}/metrics`)).text();
  return (name, label = '') => {
    const line = text.split('\n').find((each) => each.startsWith(`${name}{`) && each.includes(label));
    if (line === undefined) throw new Error(`${url}/metrics has no ${name}{${label}}`);
    return Number(line.slice(line.lastIndexOf(' ') + 1));
  };
}

/** Everything that fills a node's memory, each as long as the run goes. */
class Load {
  counts = { written: 0, read: 0, pages: 0, moves: 0, digests: 0 };
  over = false;

  constructor(cluster) {
    this.cluster = cluster;
    this.url = cluster.portals[0].http;
    this.port = Number(cluster.portals[0].resp.split(':').pop());
  }

  async prepare() {
    await this.post('/v1/namespaces', { name: 'moving', partitions: 2, chunks: 2, replicas: 1 });
    await eventually('the second namespace serves', async () => (await this.routes('moving')).length === 2);
    await this.write({ namespace: 'default', count: keys, pause: 0 });
    await this.write({ namespace: 'moving', count: keys / 2, pause: 0 });
  }

  /** Resolves, once called again, when everything has ended. */
  start() {
    const loops = [
      this.write({ namespace: 'default', count: Infinity, pause: 20 }),
      this.read(),
      this.move(),
      this.digest(),
      ...Array.from({ length: slowReaders }, (_, i) => this.takePagesSlowly(i)),
    ];
    return async () => {
      this.over = true;
      await Promise.all(loops);
    };
  }

  says() {
    const { written, read, pages, moves, digests } = this.counts;
    return `${written} written, ${read} read, ${pages} pages taken slowly, ${moves} moves, ${digests} digests`;
  }

  /** 100 at a time over one connection. */
  async write({ namespace, count, pause }) {
    const client = new Client(this.port);
    await client.ask(['LV.USE', namespace]);
    const value = Buffer.alloc(valueBytes, 120);
    for (let i = 0; i < count && !this.over; i += 100) {
      await client.askAll(Array.from({ length: 100 }, (_, n) => ['SET', `key-${(i + n) % keys}`, value]));
      this.counts.written += 100;
      if (pause > 0) await sleep(pause);
    }
    client.close();
  }

  async read() {
    const client = new Client(this.port);
    for (let i = 0; !this.over; i += 100) {
      await client.askAll(Array.from({ length: 100 }, (_, n) => ['GET', `key-${((i + n) * 7_919) % keys}`]));
      this.counts.read += 100;
      await sleep(10);
    }
    client.close();
  }

  /** Asks a node for pages without end, and takes 16 KiB of them at a time. */
  async takePagesSlowly(number) {
    const node = this.cluster.nodes[number % 2];
    while (!this.over) {
      const [route] = await this.routes('default');
      const [host, port] = node.resp.split(':');
      const socket = connect(Number(port), host).on('error', () => undefined);
      const range = {
        ...{ namespace: 'default', tableVersion: 0, maxAgeMs: -1, nowMs: Date.now(), deadlineMs: 0 },
        ...{ chunkId: route.chunkId, from: Buffer.alloc(0), to: Buffer.alloc(0), limit: 10_000, bytesMax: pageBytes },
        ...{ keysOnly: false, positions: [] },
      };
      const { encodeCommand, rangeCommand } = require('@levee/wire');
      for (let i = 0; i < 32; i++) for (const piece of encodeCommand(rangeCommand(range))) socket.write(piece);
      socket.pause();
      let taken = 0;
      for (let turn = 0; turn < 200 && !this.over && !socket.destroyed; turn++) {
        taken += socket.read(16 * 1024)?.length ?? socket.read()?.length ?? 0;
        await sleep(25);
      }
      this.counts.pages += Math.ceil(taken / pageBytes);
      socket.destroy();
    }
  }

  /** A chunk of the second namespace goes to the other node, again and again. */
  async move() {
    for (let i = 0; !this.over; i++) {
      const route = (await this.routes('moving'))[i % 2];
      const from = route.replicas[0].nodeId;
      const to = from === 'n1' ? 'n2' : 'n1';
      const { plan } = await this.post('/v1/plans', { kind: 'move', chunkId: route.chunkId, from, to, observeMs: 200 });
      let last;
      const done = async () => {
        last = (await (await fetch(`${this.url}/v1/plans/${plan.planId}`)).json()).plan;
        return this.over || last.state === 'done';
      };
      await eventually(`${plan.planId} is done`, done, moveDeadlineMs).catch((error) => {
        throw new Error(`${error.message}: ${JSON.stringify(last)}`);
      });
      this.counts.moves++;
    }
  }

  async digest() {
    while (!this.over) {
      const { equal } = await this.post('/v1/namespaces/default/digests', {});
      if (!equal) throw new Error('replicas differ');
      this.counts.digests++;
      await sleep(2_000);
    }
  }

  async routes(namespace) {
    return (await (await fetch(`${this.url}/v1/routes/${namespace}`)).json()).routes ?? [];
  }

  async post(path, body) {
    const headers = { 'content-type': 'application/json' };
    const answer = await fetch(`${this.url}${path}`, { method: 'POST', headers, body: JSON.stringify(body) });
    if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
    return answer.json();
  }
}

/** A pipelined connection to a portal; an error reply ends the run. */
class Client {
  constructor(port) {
    const { RespClient } = require('@levee/wire');
    this.client = new RespClient({ host: '127.0.0.1', port });
  }

  ask(args) {
    return this.client.request(args, 30_000);
  }

  async askAll(commands) {
    await Promise.all(commands.map((args) => this.ask(args)));
  }

  close() {
    this.client.close();
  }
}
