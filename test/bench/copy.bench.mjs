/**
 * A chunk of 1M records of 100 B, then one of 200,000 of 1,000 B, moves to another node while it is read: processes on
 * Kafka, source and target on one machine.
 */
import { spawnSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { startKafka } from '../../tools/kafka/local-kafka.mjs';
import { loadBuilt } from './load-built.mjs';
import { cluster, eventually, root, scratch } from './processes.mjs';
import { perSecond } from './report.mjs';

const require = loadBuilt();
const namespace = 'bench';
const partitions = 8;

export async function copy(report) {
  await move(report, { records: 1_000_000, bytes: 100 });
  await move(report, { records: 200_000, bytes: 1_000 });
}

async function move(report, { records, bytes }) {
  const dir = scratch('copy');
  const kafka = await startKafka({ nodes: 1, dir, c2: true });
  try {
    const prefix = `copy${Date.now()}`;
    const levee = await cluster(kafka.brokers, { nodes: 2, prefix, units: '12x512MiB:leveldb' });
    await call(levee.url, 'namespaces', { name: namespace, partitions, chunks: 1, replicas: 1 });
    const lastKeys = await load(kafka.brokers, `${prefix}.binlog.${namespace}`, { records, bytes });
    const reads = await Reads.open(levee.resp, records);
    await eventually('everything is applied', () => reads.allThere(lastKeys), 180_000);
    // What loading left to be written to the disk is no part of what follows.
    spawnSync('sync');
    const quiet = await reads.during(new Promise((resolve) => setTimeout(resolve, 5_000)));
    const before = await eventually(
      'the chunk',
      async () => (await call(levee.url, `namespaces/${namespace}`)).placement,
    );
    const [chunk] = before;
    const from = chunk.replicas[0].nodeId;
    let plan;
    const began = performance.now();
    const moved = await reads.during(
      (async () => {
        const { planId } = await propose(levee.url, { kind: 'move', chunkId: chunk.chunkId, from, observeMs: 2_000 });
        await eventually(
          'the switch',
          async () => {
            ({ plan } = await call(levee.url, `plans/${planId}`));
            if (plan.state === 'failed') throw new Error(`${plan.failureCode}: ${plan.failureMessage}`);
            return plan.state === 'observing' || plan.state === 'done';
          },
          180_000,
          200,
        );
      })(),
    );
    const seconds = (performance.now() - began) / 1000;
    const at = (what, step) => plan.history.find((each) => each.what === what && each.step === step)?.atMs;
    const copySeconds = (at('ended', 'copy') - at('began', 'allocate')) / 1000;
    const { recordsCopied, bytesCopied } = plan.targets[0].replicas[0];
    const [rate, mb] = [recordsCopied / copySeconds, bytesCopied / copySeconds / 1e6];
    report.add({
      work: `copy: ${records} records of ${bytes} B, node to node, read meanwhile`,
      measured: `${perSecond(rate)}, ${mb.toFixed(0)} MB/s`,
      reach: '300k/s or 50 MB/s',
      ok: rate >= 300_000 || mb >= 50,
    });
    report.add({
      work: `copy: the whole move of ${records} records of ${bytes} B, from proposal to switch`,
      measured: `${seconds.toFixed(1)} s`,
      reach: 'under 20 s',
      ok: seconds < 20,
    });
    report.add({
      work: `copy: GET p99 while ${records} records of ${bytes} B move (${moved.failed} of ${moved.count} failed)`,
      measured: `${moved.p99.toFixed(1)} ms`,
      peer: `quiet ${quiet.p99.toFixed(1)} ms`,
      ratio: (moved.p99 / quiet.p99).toFixed(2),
      reach: 'at most 3, none failed',
      ok: moved.p99 <= quiet.p99 * 3 && moved.failed === 0,
    });
    reads.close();
    await levee.stop();
  } finally {
    await kafka.stop();
    rmSync(dir, { recursive: true, force: true });
  }
}

async function call(url, path, body) {
  const init = body && {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  };
  const answer = await fetch(`${url}/v1/${path}`, init);
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${path}: ${answer.status} ${text}`);
  return text === '' ? undefined : JSON.parse(text);
}

async function propose(url, payload) {
  const { plan } = await call(url, 'plans', payload);
  return plan;
}

/** Appends the records as Puts to the partitions of their keys; returns the last key of each partition. */
async function load(brokers, topic, { records, bytes }) {
  const { KafkaLog } = require('@levee/log-kafka');
  const { encodePut } = require('@levee/codec');
  const { hashOf, partitionOf } = require('@levee/keyspace');
  const { silentLogger } = require('@levee/kernel');
  const log = await KafkaLog.open({
    brokers: [brokers].flat().join(',').split(','),
    clientId: 'bench-load',
    logger: silentLogger,
  });
  await eventually('the binlog', async () => (await log.offsets(topic)).length === partitions);
  const value = Buffer.alloc(bytes, 120);
  const last = new Array(partitions);
  for (let from = 0; from < records; from += 20_000) {
    const batches = Array.from({ length: partitions }, () => []);
    for (let i = from; i < Math.min(records, from + 20_000); i++) {
      const key = Buffer.from(`k${i}`);
      const partition = partitionOf(hashOf(key, 'murmur2'), partitions);
      batches[partition].push({ key, value: encodePut(key, value, null) });
      last[partition] = `k${i}`;
    }
    await Promise.all(
      batches.flatMap((batch, partition) => {
        const appends = [];
        for (let at = 0; at < batch.length; at += 1000)
          appends.push(log.append(topic, partition, batch.slice(at, at + 1000)));
        return appends;
      }),
    );
  }
  await log.close();
  return last;
}

/** GETs at a steady pace over one connection, each timed: 500 a second, whatever the answers do. */
class Reads {
  constructor(socket, records) {
    this.socket = socket;
    this.records = records;
    this.waiting = [];
    let left = Buffer.alloc(0);
    socket.on('data', (piece) => {
      left = Buffer.concat([left, piece]);
      for (;;) {
        const line = left.indexOf('\r\n');
        if (line < 0) return;
        const head = left.toString('latin1', 0, line);
        const size = head.startsWith('$') && head !== '$-1' ? Number(head.slice(1)) + 2 : 0;
        if (left.length < line + 2 + size) return;
        left = left.subarray(line + 2 + size);
        this.waiting.shift()?.(head);
      }
    });
  }

  static async open(port, records) {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true });
    await new Promise((resolve, reject) => socket.once('connect', resolve).once('error', reject));
    const reads = new Reads(socket, records);
    await eventually('the namespace is served', async () => (await reads.send('LV.USE', namespace)) === '+OK');
    await reads.send('LV.CONSISTENCY', 'eventual');
    return reads;
  }

  send(...args) {
    this.socket.write(`*${args.length}\r\n${args.map((arg) => `$${Buffer.byteLength(arg)}\r\n${arg}\r\n`).join('')}`);
    return new Promise((resolve) => this.waiting.push(resolve));
  }

  async allThere(keys) {
    const found = await Promise.all(keys.map((key) => this.send('GET', key)));
    return found.every((head) => head.startsWith('$') && head !== '$-1');
  }

  /** What reads took until `work` was done. */
  async during(work) {
    const times = [];
    let failed = 0;
    let over = false;
    const pending = [];
    void work.finally(() => (over = true)).catch(() => undefined);
    let due = performance.now();
    while (!over) {
      for (; due <= performance.now(); due += 2) {
        const sentMs = performance.now();
        const key = `k${Math.floor(Math.random() * this.records)}`;
        pending.push(
          this.send('GET', key).then((head) => {
            times.push(performance.now() - sentMs);
            if (!head.startsWith('$') || head === '$-1') failed++;
          }),
        );
      }
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    await work;
    await Promise.all(pending);
    times.sort((a, b) => a - b);
    return { p99: times[Math.floor(times.length * 0.99)], count: times.length, failed };
  }

  close() {
    this.socket.destroy();
  }
}
