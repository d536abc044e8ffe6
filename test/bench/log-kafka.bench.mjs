/**
 * Appends to Kafka and tails of it through log-kafka, against Java's own performance tools on the same broker.
 * `npm run bench -- log`, or by itself: `node test/bench/log-kafka.bench.mjs`
 */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { kafkaJars } from '../../tools/kafka/artifacts.mjs';
import { startKafka } from '../../tools/kafka/local-kafka.mjs';
import { loadTs } from './load-ts.mjs';
import { perSecond, Report } from './report.mjs';

const partitions = 8;
const valueBytes = 100;
const outstanding = 256;
const records = 1_500_000;
const settings = { 'message.timestamp.type': 'LogAppendTime', 'compression.type': 'uncompressed' };

/** Young objects of a fetched batch die together: with the default of 16 MiB a third of the time is garbage collection. */
const semiSpaceMb = 64;

/** Appends with 256 callers and no readers, tail with checksums and decoding, append -> own read-back. */
export async function onLog(report) {
  const jars = await kafkaJars({ peers: true });
  const kafka = await startKafka({ c2: true, heapMb: 1024 });
  try {
    await client(kafka.brokers, 'prepare', 0);
    await client(kafka.brokers, 'appends', 400_000, 'warm');
    await producerPerformance(jars, kafka.brokers, 'warm', 200_000);
    const java = await producerPerformance(jars, kafka.brokers, 'java', records);
    const ours = await client(kafka.brokers, 'appends', records, 'ours');
    report.add({
      work: `append ${valueBytes} B, ${partitions} partitions, ${outstanding} outstanding, no readers`,
      measured: `${perSecond(ours.rate)}, p50 ${ours.p50.toFixed(2)} ms, p99 ${ours.p99.toFixed(1)} ms, ${ours.cpuUs.toFixed(1)} us CPU each`,
      peer: `ProducerPerformance ${perSecond(java)}`,
      ratio: (ours.rate / java).toFixed(2),
      reach: '300k/s and ahead of Java',
      ok: ours.rate >= 300_000 && ours.rate > java,
    });
    const read = await client(kafka.brokers, 'tails', records, 'ours');
    report.add({
      work: 'tail + CRC + decode',
      measured: `${perSecond(read.rate)}, ${read.cpuUs.toFixed(2)} us CPU each`,
      reach: '1.5M rec/s',
      ok: read.rate >= 1_500_000,
    });
    const seen = await client(kafka.brokers, 'visible', 3_000, 'visible');
    report.add({
      work: 'append -> own read-back, one partition',
      measured: `p50 ${seen.p50.toFixed(2)} ms, p99 ${seen.p99.toFixed(1)} ms`,
      reach: 'p50 1 ms',
      ok: seen.p50 < 1,
    });
  } finally {
    await kafka.stop();
  }
}

/** One kind of work in a process of its own, once to warm up and once measured. */
function client(brokers, work, count, topic = '') {
  const args = [
    `--max-semi-space-size=${semiSpaceMb}`,
    fileURLToPath(import.meta.url),
    work,
    brokers,
    `${count}`,
    topic,
  ];
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    let output = '';
    child.stdout.on('data', (chunk) => (output += chunk));
    child.on('error', reject);
    child.on('close', (code) =>
      code === 0 ? resolve(JSON.parse(output)) : reject(new Error(`${work}: ended with ${code}`)),
    );
  });
}

async function clientMain([work, brokers, count, topic]) {
  const require = loadTs();
  const { KafkaLog } = require('@levee/log-kafka');
  const log = await KafkaLog.open({ brokers: brokers.split(','), clientId: 'bench' });
  const works = {
    prepare: async () => {
      const names = ['warm', 'ours', 'java', 'visible'];
      await log.ensureTopics(names.map((name) => ({ name, partitions, settings })));
      return {};
    },
    appends: async () => {
      await appends(log, 'warm', Math.min(count, 300_000));
      return appends(log, topic, Number(count));
    },
    tails: async () => {
      await tails(log, topic, Number(count));
      return tails(log, topic, Number(count));
    },
    visible: () => visible(log, topic, Number(count)),
  };
  process.stdout.write(JSON.stringify(await works[work]()));
  await log.close();
}

async function appends(log, topic, count) {
  const value = Buffer.alloc(valueBytes, 'v');
  const latencies = new Float64Array(count);
  let n = 0;
  const cpu = process.cpuUsage();
  const begun = performance.now();
  const caller = async () => {
    while (n < count) {
      const i = n++;
      const at = performance.now();
      await log.append(topic, i % partitions, [{ key: Buffer.from(`key:${i}`), value }]);
      latencies[i] = performance.now() - at;
    }
  };
  await Promise.all(Array.from({ length: outstanding }, caller));
  return figures(count, begun, cpu, latencies);
}

async function tails(log, topic, count) {
  let n = 0;
  let bytes = 0;
  const cpu = process.cpuUsage();
  const begun = performance.now();
  const stop = new AbortController();
  const reader = async (partition) => {
    for await (const batch of log.tail(topic, partition, { nextOffset: 0, leaderEpoch: -1 }, { signal: stop.signal })) {
      for (const { value } of batch.records) bytes += value.length;
      n += batch.records.length;
      if (n >= count) stop.abort();
    }
  };
  await Promise.all(Array.from({ length: partitions }, (_, partition) => reader(partition)));
  if (bytes !== n * valueBytes) throw new Error(`${bytes} bytes in ${n} records`);
  return figures(n, begun, cpu);
}

async function visible(log, topic, rounds) {
  const latencies = new Float64Array(rounds);
  const tail = log.tail(topic, 0, { nextOffset: 0, leaderEpoch: -1 })[Symbol.asyncIterator]();
  await tail.next();
  const begun = performance.now();
  for (let i = 0; i < rounds; i++) {
    const at = performance.now();
    const { baseOffset } = await log.append(topic, 0, [{ key: null, value: Buffer.from(`${i}`) }]);
    for (;;) {
      const { value: batch } = await tail.next();
      if (batch.nextOffset > baseOffset) break;
    }
    latencies[i] = performance.now() - at;
  }
  await tail.return();
  return figures(rounds, begun, process.cpuUsage(), latencies);
}

function figures(count, begun, cpuBefore, latencies) {
  const seconds = (performance.now() - begun) / 1000;
  const cpu = process.cpuUsage(cpuBefore);
  latencies?.sort();
  const at = (q) => latencies?.[Math.floor(count * q)] ?? NaN;
  return { rate: count / seconds, p50: at(0.5), p99: at(0.99), cpuUs: (cpu.user + cpu.system) / count };
}

/** Records per second as ProducerPerformance itself reports them at its end; its defaults are acks=all, idempotent. */
function producerPerformance(jars, brokers, topic, count) {
  const args = ['-cp', join(jars, '*'), 'org.apache.kafka.tools.ProducerPerformance', '--topic', topic];
  args.push('--num-records', `${count}`, '--record-size', `${valueBytes}`, '--throughput', '-1');
  args.push('--producer-props', `bootstrap.servers=${brokers}`, 'acks=all');
  return new Promise((resolve, reject) => {
    const child = spawn('java', args, { stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    child.stdout.on('data', (chunk) => (output += chunk));
    child.stderr.on('data', (chunk) => (output += chunk));
    child.on('error', reject);
    child.on('close', () => {
      const rates = [...output.matchAll(new RegExp(`${count} records sent, ([\\d.]+) records/sec`, 'g'))];
      if (rates.length === 0) reject(new Error(`ProducerPerformance:\n${output.slice(-3000)}`));
      else resolve(Number(rates.at(-1)[1]));
    });
  });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  if (process.argv.length > 2) {
    await clientMain(process.argv.slice(2));
  } else {
    const report = new Report();
    await onLog(report);
    process.exit(report.print() ? 0 : 1);
  }
}
