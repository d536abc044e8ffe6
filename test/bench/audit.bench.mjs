/**
 * The log as evidence: a namespace rebuilt beside Kafka Streams on the same topic, the past of one key, a journal that
 * is verified, and what readers feel of continuous proof.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { startKafka } from '../../tools/kafka/local-kafka.mjs';
import { load, records, streams } from './catch-up.bench.mjs';
import { ControlPlane } from './journal.bench.mjs';
import { loadTs } from './load-ts.mjs';
import { median, once, p99, rounds, started } from './locked.bench.mjs';
import { cluster, createNamespace, loadKeys, root, scratch } from './processes.mjs';
import { perSecond } from './report.mjs';

const onePartition = 'one';
/** A quarter of those that the goal names: they take longer to be made than to be verified. */
const decisions = 250_000;

export async function audit(report) {
  await onKafka(report);
  await verified(report);
  await proofBesideReads(report);
}

async function onKafka(report) {
  const dir = scratch('audit');
  const kafka = await startKafka({ nodes: 1, dir, c2: true });
  try {
    const prefix = `audit${Date.now()}`;
    const levee = await cluster(kafka.brokers, { nodes: 1, prefix });
    await createNamespace(levee.url, { name: onePartition, chunks: 1, partitions: 1, replicas: 1 });
    const topic = `${prefix}.binlog.default`;
    const lastKeys = await load(kafka.brokers, topic, 8);
    await load(kafka.brokers, `${prefix}.binlog.${onePartition}`, 1);
    await levee.stop();
    const command = (...words) =>
      seconds(['audit', ...words, '--brokers', [kafka.brokers].flat().join(','), '--quiet'], prefix);

    const rebuilt = [0, 1, 2].map((run) => command('rebuild', 'default', '--to', join(dir, `rebuilt${run}`)));
    const peer = await streams(kafka.brokers, topic, lastKeys, dir);
    const [ours, theirs] = [records / median(rebuilt), records / peer];
    report.add({
      work: 'levee audit rebuild, 1M records of 100 B in 8 partitions, the whole process',
      measured: perSecond(ours),
      peer: `Kafka Streams restores ${perSecond(theirs)}`,
      ratio: (ours / theirs).toFixed(2),
      reach: '400k/s and 2',
      ok: ours >= 400_000 && ours / theirs >= 2,
    });

    const key = `k${records / 2}`;
    const now = new Date().toISOString();
    for (const [what, words] of [
      ['get --at', ['get', onePartition, key, '--at', now]],
      ['history', ['history', onePartition, key]],
    ]) {
      const took = [0, 1, 2, 3, 4].map(() => command(...words));
      report.add({
        work: `levee audit ${what}, a partition of 1M records, the whole process`,
        measured: `${median(took).toFixed(2)} s`,
        reach: '0.8 s',
        ok: median(took) <= 0.8,
      });
    }
  } finally {
    await kafka.stop();
    rmSync(dir, { recursive: true, force: true });
  }
}

/** Of a command, which has to succeed. */
function seconds(words, prefix) {
  const began = performance.now();
  const run = spawnSync(process.execPath, [join(root, 'tools/levee.cjs'), ...words], {
    encoding: 'utf8',
    timeout: 300_000,
    env: { ...process.env, LEVEE_TOPIC_PREFIX: prefix },
  });
  // 3: it says that not all is proved, which no cluster that is as young as this one has.
  if (run.status !== 0 && run.status !== 3) throw new Error(`levee ${words.join(' ')}: ${run.stdout} ${run.stderr}`);
  return (performance.now() - began) / 1000;
}

/** In this process, on a log in memory: reading it is the smallest part of it. */
async function verified(report) {
  const require = loadTs();
  const { verifyLog } = require('@levee/audit');
  const plane = await ControlPlane.start(require);
  try {
    await plane.decide(decisions, 256);
    await plane.settled();
    const began = performance.now();
    const world = { log: plane.log, topics: plane.topics, clock: plane.clock, signal: new AbortController().signal };
    const { findings, journal } = await verifyLog(world, {});
    const took = (performance.now() - began) / 1000;
    if (findings.length > 0) throw new Error(JSON.stringify(findings[0]));
    const perMillion = (took / journal.decisions) * 1e6;
    report.add({
      work: `verify of ${journal.decisions} decisions`,
      measured: `${took.toFixed(1)} s, ${perMillion.toFixed(1)} s a million`,
      reach: '30 s a million',
      ok: perMillion <= 30,
    });
  } finally {
    await plane.close();
  }
}

/** Two stores of the same data; the one compares itself with its log without a pause, at the budget that is the default. */
async function proofBesideReads(report) {
  const dir = scratch('proof');
  const doors = {};
  try {
    for (const [kind, env] of [
      ['off', { LEVEE_PROOF: 'off' }],
      ['on', { LEVEE_PROOF_INTERVAL: '30s' }],
    ]) {
      mkdirSync(join(dir, kind));
      doors[kind] = await started(join(dir, kind), 'open', env, {});
      await loadKeys(doors[kind].resp);
    }
    const took = { off: [], on: [] };
    const slowest = { off: [], on: [] };
    for (const kind of ['off', 'on']) once(doors[kind], 'get');
    for (let round = 0; round < rounds; round++)
      for (const kind of round % 2 === 0 ? ['off', 'on'] : ['on', 'off']) {
        took[kind].push(once(doors[kind], 'get').perSecond);
        slowest[kind].push(await p99(doors[kind]));
      }
    const ratio = median(took.on.map((each, i) => each / took.off[i]));
    const p99Ratio = median(slowest.on.map((each, i) => each / slowest.off[i]));
    report.add({
      work: 'GET, -c 50, npm start, beside continuous proof at its default budget without a pause',
      measured: perSecond(median(took.on)),
      peer: `LEVEE_PROOF=off ${perSecond(median(took.off))}`,
      ratio: ratio.toFixed(3),
      reach: '0.97',
      ok: ratio >= 0.97,
    });
    report.add({
      work: 'p99 of GET, -c 8, the same',
      measured: `${median(slowest.on).toFixed(2)} ms`,
      peer: `LEVEE_PROOF=off ${median(slowest.off).toFixed(2)} ms`,
      ratio: p99Ratio.toFixed(2),
      reach: 'at most 1.2',
      ok: p99Ratio <= 1.2,
    });
  } finally {
    for (const { stop } of Object.values(doors)) await stop();
    rmSync(dir, { recursive: true, force: true });
  }
}
