/**
 * @levee/client, packed, in this one process: reads from nodes against reads through a portal, and against ioredis on
 * redis-server, and reads of a replica in the process. 200,000 keys of 100 B.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import Redis from 'ioredis';
import { startKafka } from '../../tools/kafka/local-kafka.mjs';
import { cluster, eventually, loadKeys, redisServer, root, scratch } from './processes.mjs';
import { perSecond } from './report.mjs';

const keys = Number(process.env.BENCH_KEYS ?? 200_000);
const requests = Number(process.env.BENCH_REQUESTS ?? 300_000);
const outstanding = 64;
const rounds = 3;
const many = 100;

export async function client(report) {
  const dir = scratch('client');
  const { connect, direct, local } = await packed(dir);
  const kafka = await startKafka({ nodes: 1, dir });
  const redis = await redisServer();
  try {
    await loadKeys(redis.port, keys);
    await onNodes(1, async (levee) => {
      await gets(report, { connect, direct, levee, redis });
      await localGets(report, { connect, local, levee, brokers: kafka.brokers.split(',') });
    });
    await onNodes(3, (levee) => getMany(report, { connect, direct, levee }));
  } finally {
    await redis.stop();
    await kafka.stop();
    rmSync(dir, { recursive: true, force: true });
  }

  async function onNodes(nodes, measure) {
    const levee = await cluster(kafka.brokers, { nodes });
    try {
      await loadKeys(levee.resp, keys);
      await measure(levee);
    } finally {
      await levee.stop();
    }
  }
}

/** What people install. */
async function packed(dir) {
  const said = execFileSync('npm', ['run', '-s', 'pack:client', '--', '--pack-destination', dir], { cwd: root });
  const [file, size] = String(said).trim().split(' ');
  console.log(`@levee/client, packed: ${size} bytes`);
  execFileSync('tar', ['-xzf', file, '-C', dir]);
  const { connect } = await import(join(dir, 'package', 'index.mjs'));
  const { direct } = await import(join(dir, 'package', 'direct.mjs'));
  // What who reads Kafka installs.
  mkdirSync(join(dir, 'package', 'node_modules', '@foxglove'), { recursive: true });
  for (const name of ['kafkajs', 'snappy', '@foxglove/wasm-zstd'])
    symlinkSync(join(root, 'node_modules', name), join(dir, 'package', 'node_modules', name));
  const { local } = await import(join(dir, 'package', 'local.mjs'));
  return { connect, direct, local };
}

async function localGets(report, { connect, local, levee, brokers }) {
  const here = await connect({
    portals: [`127.0.0.1:${levee.resp}`],
    reads: local({ brokers, namespaces: ['default'] }),
  });
  const all = here.namespace('default');
  const beganAt = performance.now();
  await eventually('the replica is complete', () => here.status().local.namespaces[0].isComplete);
  const loadMs = performance.now() - beganAt;
  await eventually('it answers', async () => {
    const { answered } = here.status().local;
    await all.get(anyKey());
    return here.status().local.answered > answered;
  });
  const { memoryBytes } = here.status().local;
  // In turns with what is measured, drawing a key costs as much as reading it.
  const drawn = Array.from({ length: 1 << 16 }, anyKey);
  const turns = [];
  for (let round = 0; round < 1 + rounds; round++) {
    const took = new Float64Array(requests);
    const startedAt = performance.now();
    for (let i = 0; i < requests; i++) {
      const sentAt = performance.now();
      const value = await all.get(drawn[i & 0xffff]);
      if (value?.length !== 100) throw new Error(`a value of ${value?.length} bytes`);
      took[i] = performance.now() - sentAt;
    }
    if (round > 0) turns.push(summary(took, performance.now() - startedAt));
  }
  const { answered } = here.status().local;
  if (answered < (1 + rounds) * requests) throw new Error(`the replica answered ${answered} only`);
  await here.close();
  const { rate, p50, p99 } = median(turns);
  report.add({
    work: 'local GET from memory, one after the other',
    measured: `${perSecond(rate)}, p50 ${(p50 * 1_000).toFixed(1)} us, p99 ${(p99 * 1_000).toFixed(1)} us`,
    peer: `loaded in ${Math.round(loadMs)} ms, ${Math.round(memoryBytes / keys)} B a key`,
    reach: '1M/s, p99 20 us',
    ok: rate >= 1e6 && p99 <= 0.02,
  });
}

async function gets(report, { connect, direct, levee, redis }) {
  const portals = [`127.0.0.1:${levee.resp}`];
  const near = await connect({ portals, reads: direct() });
  const far = await connect({ portals });
  const peer = new Redis(redis.port, '127.0.0.1');
  const [nearKeys, farKeys] = [near, far].map((one) => one.namespace('default'));
  await untilDirect(near, nearKeys);
  const ways = {
    redis: (key) => peer.getBuffer(key),
    direct: (key) => nearKeys.get(key),
    portal: (key) => farKeys.get(key),
  };
  const results = { redis: [], direct: [], portal: [] };
  for (const get of Object.values(ways)) await load(get, requests / 10);
  const before = near.status().direct;
  // Each in turn: what else the machine does falls on all of them.
  for (let round = 0; round < rounds; round++)
    for (const [name, get] of Object.entries(ways)) results[name].push(await load(get, requests));
  const { answered } = near.status().direct;
  const byNodes = (answered - before.answered) / (rounds * requests);
  await near.close();
  await far.close();
  peer.disconnect();
  const [d, p, r] = ['direct', 'portal', 'redis'].map((name) => median(results[name]));
  const told = ({ rate, p50, p99 }) => `${perSecond(rate)}, p50 ${p50.toFixed(3)} ms, p99 ${p99.toFixed(2)} ms`;
  report.add({
    work: `direct GET, ${outstanding} outstanding, one node`,
    measured: told(d),
    peer: `ioredis on redis-server ${told(r)}`,
    ratio: (d.rate / r.rate).toFixed(2),
    reach: '1.0',
    ok: d.rate >= r.rate,
  });
  report.add({
    work: 'direct GET against portal mode, throughput',
    measured: told(d),
    peer: `portal mode ${told(p)}`,
    ratio: (d.rate / p.rate).toFixed(2),
    reach: '1.3',
    ok: d.rate >= 1.3 * p.rate,
  });
  report.add({
    work: 'direct GET against portal mode, p50',
    measured: `${d.p50.toFixed(3)} ms`,
    peer: `portal mode ${p.p50.toFixed(3)} ms`,
    ratio: (d.p50 / p.p50).toFixed(2),
    reach: '0.5',
    ok: d.p50 <= 0.5 * p.p50,
  });
  report.add({
    work: 'direct GET: answered by nodes',
    measured: `${(byNodes * 100).toFixed(2)} %`,
    reach: '99 %',
    ok: byNodes >= 0.99,
  });
}

async function getMany(report, { connect, direct, levee }) {
  const near = await connect({ portals: [`127.0.0.1:${levee.resp}`], reads: direct() });
  const all = near.namespace('default');
  await untilDirect(near, all);
  const turns = requests / 100;
  const single = () => all.get(anyKey());
  const hundred = async () => {
    const values = await all.getMany(Array.from({ length: many }, anyKey));
    if (values.includes(undefined)) throw new Error('a key is missing');
  };
  for (const one of [single, hundred]) await oneByOne(one, turns / 5);
  const [singles, hundreds] = [[], []];
  for (let round = 0; round < rounds; round++) {
    singles.push(await oneByOne(single, turns));
    hundreds.push(await oneByOne(hundred, turns));
  }
  await near.close();
  const [one, hundredKeys] = [median(singles), median(hundreds)];
  report.add({
    work: `getMany of ${many} keys over 3 nodes against a single get, p50`,
    measured: `${hundredKeys.p50.toFixed(3)} ms, p99 ${hundredKeys.p99.toFixed(2)} ms`,
    peer: `single get ${one.p50.toFixed(3)} ms, p99 ${one.p99.toFixed(2)} ms`,
    ratio: (hundredKeys.p50 / one.p50).toFixed(2),
    reach: 'at most 3',
    ok: hundredKeys.p50 <= 3 * one.p50,
  });
}

const anyKey = () => `key:${String(Math.floor(Math.random() * keys)).padStart(12, '0')}`;

/** Nodes answer, and no portal. */
const untilDirect = (one, all) =>
  eventually('nodes answer', async () => {
    const { answered } = one.status().direct;
    await all.get(anyKey());
    return one.status().direct.answered > answered;
  });

/** So many requests, `outstanding` at a time. */
async function load(get, count) {
  const took = new Float64Array(count);
  let begun = 0;
  const beganAt = performance.now();
  const line = async () => {
    while (begun < count) {
      const i = begun++;
      const sentAt = performance.now();
      const value = await get(anyKey());
      if (value?.length !== 100) throw new Error(`a value of ${value?.length} bytes`);
      took[i] = performance.now() - sentAt;
    }
  };
  await Promise.all(Array.from({ length: outstanding }, line));
  return summary(took, performance.now() - beganAt);
}

async function oneByOne(one, count) {
  const took = new Float64Array(Math.floor(count));
  const beganAt = performance.now();
  for (let i = 0; i < took.length; i++) {
    const sentAt = performance.now();
    await one();
    took[i] = performance.now() - sentAt;
  }
  return summary(took, performance.now() - beganAt);
}

function summary(took, ms) {
  took.sort();
  const at = (share) => took[Math.floor(took.length * share)];
  return { rate: (took.length / ms) * 1_000, p50: at(0.5), p99: at(0.99) };
}

const median = (runs) => runs.sort((a, b) => a.rate - b.rate)[runs.length >> 1];
