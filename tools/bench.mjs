#!/usr/bin/env node
/**
 * `npm run bench [-- part ...]`: measures against peers in the same run, asserts the figures, prints a table.
 * Parts: planner (of healing and balance), doors (GET, SET, memory on Kafka), locked (what authentication and TLS cost),
 * codecs (topics of producers, bound as they are, by compression), times (what timing requests costs), client (reads of @levee/client from nodes, through portals, and of ioredis), guesses (reads
 * while passwords are guessed), embedded (npm start), log (append and tail on Kafka), catch-up,
 * copy (a chunk moves while it is read), elastic (copy, and what clients notice of moves, splits and merges),
 * audit (rebuild, verify, the past of a key, what continuous proof costs readers),
 * io (point reads beside scans, copies and digests), failover (masters and nodes killed under load), scale (1, 2, 4 data nodes),
 * strangers (a bystander beside hostile clients of npm start, and the memory that they take; STRANGER=scans for one of them),
 * journal (the control plane alone: many chunks, a long journal), soak (memory of data nodes; `--minutes 30`, default 3).
 */
import { spawnSync } from 'node:child_process';
import { parseArgs } from 'node:util';
import { Report } from '../test/bench/report.mjs';

const parts = {
  planner: async (report) => (await import('../test/bench/planner.bench.mjs')).planner(report),
  'catch-up': async (report) => (await import('../test/bench/catch-up.bench.mjs')).catchUp(report),
  codecs: async (report) => (await import('../test/bench/codecs.bench.mjs')).codecs(report),
  copy: async (report) => (await import('../test/bench/copy.bench.mjs')).copy(report),
  audit: async (report) => (await import('../test/bench/audit.bench.mjs')).audit(report),
  io: async (report) => (await import('../test/bench/io.bench.mjs')).io(report),
  elastic: async (report) => (await import('../test/bench/elastic.bench.mjs')).elastic(report),
  failover: async (report) => (await import('../test/bench/failover.bench.mjs')).failover(report),
  soak: async (report) => (await import('../test/bench/soak.bench.mjs')).soak(report, { minutes }),
  journal: async (report) => (await import('../test/bench/journal.bench.mjs')).onJournal(report),
  strangers: async (report) => (await import('../test/bench/strangers.bench.mjs')).strangers(report),
  scale: async (report) => (await import('../test/bench/scale.bench.mjs')).scale(report),
  log: async (report) => (await import('../test/bench/log-kafka.bench.mjs')).onLog(report),
  embedded: async (report) => (await import('../test/bench/doors.bench.mjs')).onEmbedded(report),
  doors: async (report) => (await import('../test/bench/doors.bench.mjs')).onKafka(report),
  client: async (report) => (await import('../test/bench/client.bench.mjs')).client(report),
  locked: async (report) => (await import('../test/bench/locked.bench.mjs')).locked(report),
  times: async (report) => (await import('../test/bench/times.bench.mjs')).times(report),
  guesses: async (report) => (await import('../test/bench/locked.bench.mjs')).guesses(report),
};

const { values, positionals: wanted } = parseArgs({
  allowPositionals: true,
  options: { minutes: { type: 'string', default: '3' } },
});
const minutes = Number(values.minutes);
const unknown = wanted.filter((part) => !(part in parts));
if (unknown.length > 0) {
  console.error(`no such part: ${unknown.join(', ')}; there are: ${Object.keys(parts).join(', ')}`);
  process.exit(2);
}
if (spawnSync(process.execPath, ['tools/start.cjs'], { stdio: 'inherit' }).status !== 0) process.exit(1);
const report = new Report();
// What another part repeats is left out when all are run.
for (const [name, run] of Object.entries(parts))
  if (wanted.length === 0 ? name !== 'copy' : wanted.includes(name)) await run(report);
process.exit(report.print() ? 0 : 1);
