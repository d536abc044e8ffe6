/**
 * Appends of 100 B values to the embedded log on disk, 8 partitions, fsync on: callers outstanding x tailing readers.
 * `node test/bench/log-embedded.bench.mjs [seconds per row] [rows as outstanding:tails, ...]`
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadTs } from './load-ts.mjs';

const require = loadTs();
const { EmbeddedLog } = require('@levee/log-embedded');
const seconds = Number(process.argv[2] ?? 2);
const rows = process.argv.slice(3).map((row) => row.split(':').map(Number));
if (rows.length === 0)
  for (const tails of [0, 1, 3]) for (const outstanding of [1, 16, 256, 1024]) rows.push([outstanding, tails]);

const partitions = 8;
const value = Buffer.alloc(100, 'v');
console.log(
  '| outstanding | tails | appends | p50 ms | p99 ms | appends per sync | read |\n|---|---|---|---|---|---|---|',
);
for (const [outstanding, tails] of rows) console.log(await measure(outstanding, tails));

async function measure(outstanding, tails) {
  const location = mkdtempSync(join(tmpdir(), 'levee-bench-'));
  const log = await EmbeddedLog.open({ location });
  await log.ensureTopics([{ name: 'bench', partitions, settings: { 'cleanup.policy': 'compact' } }]);
  const read = new Array(tails).fill(0);
  const readers = [];
  for (let tail = 0; tail < tails; tail++)
    for (let p = 0; p < partitions; p++) readers.push(follow(log, read, tail, p));
  await run(log, outstanding, 300, []);
  const before = log.stats();
  const readBefore = [...read];
  const latencies = [];
  const begun = performance.now();
  await run(log, outstanding, seconds * 1000, latencies);
  const took = (performance.now() - begun) / 1000;
  const after = log.stats();
  const rates = read.map((n, tail) => (n - readBefore[tail]) / took);
  await log.close();
  await Promise.all(readers);
  rmSync(location, { recursive: true });
  latencies.sort((a, b) => a - b);
  const at = (q) => (latencies[Math.floor(latencies.length * q)] ?? 0).toFixed(2);
  const perSync = ((after.appends - before.appends) / (after.syncs - before.syncs)).toFixed(1);
  const rate = (n) => `${(n / 1000).toFixed(1)}k/s`;
  return `| ${outstanding} | ${tails} | ${rate((after.appends - before.appends) / took)} | ${at(0.5)} | ${at(0.99)} | ${perSync} | ${rates.map(rate).join(' ')} |`;
}

async function follow(log, read, tail, partition) {
  for await (const batch of log.tail('bench', partition, { nextOffset: 0, leaderEpoch: -1 })) {
    let bytes = 0;
    for (const record of batch.records) bytes += record.value.length;
    if (bytes >= 0) read[tail] += batch.records.length;
  }
}

function run(log, outstanding, forMs, latencies) {
  const end = performance.now() + forMs;
  let n = 0;
  const caller = async () => {
    while (performance.now() < end) {
      const begun = performance.now();
      const key = Buffer.from(`key:${n % 200_000}`);
      await log.append('bench', n++ % partitions, [{ key, value }]);
      latencies.push(performance.now() - begun);
    }
  };
  return Promise.all(Array.from({ length: outstanding }, caller));
}
