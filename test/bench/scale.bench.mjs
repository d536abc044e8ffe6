/**
 * 1, 2 and 4 data nodes, one replica of every chunk: reads and apply as ratios to one node, and what bounds them. On a
 * small machine everything shares the cores, so what scales is the work of each node: its CPU time per operation.
 */
import { spawn } from 'node:child_process';
import { readFileSync, rmSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { startCluster } from '../../tools/cluster/supervise.mjs';
import { startKafka } from '../../tools/kafka/local-kafka.mjs';
import { loadBuilt } from './load-built.mjs';
import { eventually, loadKeys, root, scratch } from './processes.mjs';
import { perSecond } from './report.mjs';

const require = loadBuilt();
const counts = [1, 2, 4];
const portals = 2;
const requests = 150_000;
const keys = 100_000;
const records = 500_000;
const partitions = 16;
const ticksPerSecond = 100;

export async function scale(report) {
  const dir = scratch('scale');
  const kafka = await startKafka({ nodes: 1, dir, c2: true });
  const runs = [];
  try {
    for (const nodes of counts) runs.push(await measure(kafka, nodes));
  } finally {
    await kafka.stop();
    rmSync(dir, { recursive: true, force: true });
  }
  const [one] = runs;
  for (const run of runs)
    for (const [what, unit] of [
      ['reads', 'GET -c 50 through two portals each'],
      ['apply', `catching up with ${records / 1000}k records of 100 B`],
    ]) {
      const { rate, busy, largestNodeUs, shares } = run[what];
      report.add({
        work: `${what}, ${run.nodes} node${run.nodes > 1 ? 's' : ''}: ${unit}`,
        measured: `${perSecond(rate)}; cores busy ${Math.round(busy * 100)} % (${shares}); CPU of the busiest node ${largestNodeUs.toFixed(1)} us/op`,
        ratio: `${(rate / one[what].rate).toFixed(2)}, room by node CPU ${(one[what].largestNodeUs / largestNodeUs).toFixed(2)}`,
        reach: 'work per node falls: 1.4 with 2 nodes, 2.4 with 4',
        ok: one[what].largestNodeUs / largestNodeUs >= { 1: 1, 2: 1.4, 4: 2.4 }[run.nodes],
      });
    }
}

async function measure(kafka, nodes) {
  const prefix = `scale${Date.now()}`;
  const cluster = await startCluster({
    masters: 1,
    nodes,
    portals,
    anyPorts: true,
    brokers: kafka.brokers,
    namespace: { name: 'default', partitions, chunks: 16, replicas: 1 },
    env: { LEVEE_LOG_LEVEL: 'error', LEVEE_TOPIC_PREFIX: prefix },
    nodeArguments: ['--max-semi-space-size=32'],
  });
  try {
    const ports = cluster.portals.map(({ resp }) => Number(resp.split(':').pop()));
    await loadKeys(ports[0], keys);
    for (const port of ports) await benchmark(port, requests / 5);
    const reads = await busyDuring(cluster, kafka, requests * portals, async () => {
      await Promise.all(ports.map((port) => benchmark(port, requests)));
    });
    return { nodes, reads, apply: await apply(cluster, kafka, prefix) };
  } finally {
    await cluster.stop();
  }
}

/** The nodes stand still while the records are written, then catch up. */
async function apply(cluster, kafka, prefix) {
  const before = await applied(cluster);
  for (const { name } of cluster.nodes) cluster.pause(name);
  await write(kafka.brokers, `${prefix}.binlog.default`);
  return busyDuring(cluster, kafka, records, async () => {
    for (const { name } of cluster.nodes) cluster.resume(name);
    await eventually('all is applied', async () => (await applied(cluster)) - before >= records, 120_000);
  });
}

async function applied(cluster) {
  let sum = 0;
  for (const { http } of cluster.nodes) {
    const text = await (await fetch(`${http}/metrics`)).text();
    sum += Number(/^levee_node_applied_records_total\{[^}]*\} (\d+)/m.exec(text)?.[1] ?? NaN);
  }
  return sum;
}

async function write(brokers, topic) {
  const { KafkaLog } = require('@levee/log-kafka');
  const { encodePut } = require('@levee/codec');
  const { hashOf, partitionOf } = require('@levee/keyspace');
  const log = await KafkaLog.open({ brokers: brokers.split(','), clientId: 'scale' });
  const value = Buffer.alloc(100, 120);
  for (let from = 0; from < records; from += 20_000) {
    const batches = Array.from({ length: partitions }, () => []);
    for (let i = from; i < from + 20_000; i++) {
      const key = Buffer.from(`k${i}`);
      batches[partitionOf(hashOf(key, 'murmur2'), partitions)].push({ key, value: encodePut(key, value, null) });
    }
    await Promise.all(batches.map((batch, partition) => log.append(topic, partition, batch)));
  }
  await log.close();
}

function benchmark(port, count) {
  const args = ['-p', port, '-t', 'get', '-c', 50, '-n', count, '-r', keys, '-d', 100, '--csv'].map(String);
  return new Promise((resolve, reject) => {
    const child = spawn('redis-benchmark', args, { stdio: 'ignore' });
    child.once('error', reject);
    child.once('exit', (code) => (code === 0 ? resolve() : reject(new Error(`redis-benchmark ended with ${code}`))));
  });
}

/** Operations a second, and who used the cores meanwhile. */
async function busyDuring(cluster, kafka, operations, work) {
  const groups = {
    nodes: cluster.nodes.map(({ pid }) => pid),
    portals: cluster.portals.map(({ pid }) => pid),
    master: cluster.masters.map(({ pid }) => pid),
    Kafka: kafka.pids,
  };
  const cpu = () =>
    Object.fromEntries(
      Object.values(groups)
        .flat()
        .map((pid) => [pid, cpuSeconds(pid)]),
    );
  const [cores, idleBefore, before, beganMs] = [availableParallelism(), idleSeconds(), cpu(), performance.now()];
  await work();
  const seconds = (performance.now() - beganMs) / 1000;
  const after = cpu();
  const spent = (pid) => after[pid] - before[pid];
  const sum = (pids) => pids.reduce((total, pid) => total + spent(pid), 0);
  const share = (pids) => `${Math.round((100 * sum(pids)) / (seconds * cores))} %`;
  return {
    rate: operations / seconds,
    busy: 1 - (idleSeconds() - idleBefore) / (seconds * cores),
    largestNodeUs: (1e6 * Math.max(...groups.nodes.map(spent))) / operations,
    shares: Object.entries(groups)
      .map(([name, pids]) => `${name} ${share(pids)}`)
      .join(', '),
  };
}

function cpuSeconds(pid) {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /, '')
    .split(' ');
  return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond;
}

function idleSeconds() {
  const [, , , , idle, wait] = readFileSync('/proc/stat', 'utf8').split('\n')[0].split(/\s+/);
  return (Number(idle) + Number(wait)) / ticksPerSecond;
}
