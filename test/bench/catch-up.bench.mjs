/** 1M records of 100 B from Kafka into 8 chunks with every check on, against Kafka Streams with RocksDB on the same topic. */
import { spawnSync } from 'node:child_process';
import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { startKafka } from '../../tools/kafka/local-kafka.mjs';
import { kafkaJars } from '../../tools/kafka/artifacts.mjs';
import { loadBuilt } from './load-built.mjs';
import { cluster, eventually, root, scratch, stop } from './processes.mjs';
import { perSecond } from './report.mjs';

const require = loadBuilt();
/** BENCH_RECORDS: fewer, to see a bench work; its figures say nothing then. */
export const records = Number(process.env.BENCH_RECORDS ?? 1_000_000);

export async function catchUp(report) {
  const dir = scratch('catch-up');
  const kafka = await startKafka({ nodes: 1, dir, c2: true });
  try {
    const prefix = `catchup${Date.now()}`;
    const levee = await cluster(kafka.brokers, { nodes: 1, prefix });
    const topic = `${prefix}.binlog.default`;
    const lastKeys = await load(kafka.brokers, topic, 8);
    const seconds = await caughtUp(levee, kafka.brokers, prefix);
    const peer = await streams(kafka.brokers, topic, lastKeys, dir);
    const [ours, theirs] = [records / seconds, records / peer];
    report.add({
      work: `catch-up: ${records} records, Kafka -> 8 chunks, all integrity on`,
      measured: perSecond(ours),
      peer: `Kafka Streams ${perSecond(theirs)}`,
      ratio: (ours / theirs).toFixed(2),
      reach: '300k/s and 1.5',
      ok: ours >= 300_000 && ours / theirs >= 1.5,
    });
  } finally {
    await kafka.stop();
    rmSync(dir, { recursive: true, force: true });
  }
}

/** Seconds, the median of three, in which a node of a cluster holds all again from an empty disk; the cluster is stopped. */
export async function caughtUp(levee, brokers, prefix) {
  const folder = levee.nodeFolder('n1');
  await stop(levee.nodes[0]);
  const runs = [];
  for (let run = 0; run < 3; run++) {
    // The disk keeps its identity and loses its data: the wait for a rival of an unknown disk is another matter.
    rmSync(join(folder, 'units'), { recursive: true, force: true });
    runs.push(await materialise(brokers, prefix, folder));
  }
  await levee.stop();
  return runs.sort((a, b) => a - b)[1];
}

/** The log of these brokers; the caller closes it. */
export function openLog(brokers, clientId) {
  const { KafkaLog } = require('@levee/log-kafka');
  const { silentLogger } = require('@levee/kernel');
  return KafkaLog.open({ brokers: [brokers].flat().join(',').split(','), clientId, logger: silentLogger });
}

/** Appends the records as Puts to the partitions of their keys, `k0` and on; returns the last key of each partition. */
export async function load(brokers, topic, partitions) {
  const { encodePut } = require('@levee/codec');
  const { hashOf, partitionOf } = require('@levee/keyspace');
  const log = await openLog(brokers, 'bench-load');
  const value = Buffer.alloc(100, 120);
  const last = new Array(partitions);
  for (let from = 0; from < records; from += 20_000) {
    const batches = Array.from({ length: partitions }, () => []);
    for (let i = from; i < from + 20_000; i++) {
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

/** Seconds from an empty disk to a node that is ready: start, registration and all records, in this process. */
async function materialise(brokers, prefix, folder) {
  const { DataNode } = require('@levee/data-node');
  const { controlTopics } = require('@levee/journal');
  const { silentLogger } = require('@levee/kernel');
  const log = await openLog(brokers, 'bench-node');
  const began = performance.now();
  const node = new DataNode(
    {
      nodeId: 'n1',
      folder,
      units: '32x256MiB:leveldb',
      domain: 'n1',
      host: '127.0.0.1',
      advertisedHost: '127.0.0.1',
      respPort: 0,
      memoryBudgetBytes: 128 * 1024 * 1024,
      heartbeatMs: 300,
      topics: controlTopics(prefix),
    },
    { log, logger: silentLogger },
  );
  await node.start();
  node.announce('127.0.0.1:1');
  await eventually('the node is ready', () => node.readyProblem() === undefined, 180_000);
  const seconds = (performance.now() - began) / 1000;
  await node.close();
  await log.close();
  return seconds;
}

/** Seconds that Kafka Streams takes to restore a store of the topic; `kind`: of a table, or a `global` one. */
export async function streams(brokers, topic, lastKeys, dir, kind = 'table') {
  const words = [[brokers].flat().join(','), topic, lastKeys.join(','), kind];
  const lines = await java('StreamsPeer.java', words, dir);
  const seconds = Number(lines.pop());
  if (!(seconds > 0)) throw new Error(`Kafka Streams: ${lines.join(' ')}`);
  return seconds;
}

/** Lines that a program of test/bench/java prints. */
export async function java(program, words, dir) {
  const jars = await kafkaJars({ peers: true });
  if (!existsSync(jars)) throw new Error(`no jars in ${jars}`);
  const args = ['-Xmx1g', '-cp', join(jars, '*'), join(root, 'test/bench/java', program), ...words];
  const run = spawnSync('java', args, { encoding: 'utf8', timeout: 300_000, env: { ...process.env, TMPDIR: dir } });
  if (run.status !== 0) throw new Error(`${program}: ${run.stdout} ${run.stderr}`);
  return run.stdout.trim().split('\n');
}
