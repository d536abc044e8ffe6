// The control plane alone, on the embedded log in memory: decisions per second, and what many chunks cost.
// Usage: node --expose-gc test/bench/journal.bench.mjs [chunks]
import { randomUUID } from 'node:crypto';
import { loadTs } from './load-ts.mjs';

const require = loadTs();
const { MemoryLevel } = require('memory-level');
const { EmbeddedLog } = require('@levee/log-embedded');
const { systemClock, systemTimers, systemRandom } = require('@levee/log');
const { asPartition, silentLogger } = require('@levee/kernel');
const journal = require('@levee/journal');

const chunksWanted = Number(process.argv[2] ?? 100_000);
const world = { clock: systemClock, timers: systemTimers, random: systemRandom, logger: silentLogger };
const topics = journal.controlTopics('bench');
const log = await EmbeddedLog.open({
  db: new MemoryLevel({ keyEncoding: 'buffer', valueEncoding: 'buffer' }),
  cleanEveryMs: 0,
});
const master = new journal.Master(log, { ...world, topics, instance: 'm1', address: () => 'none', claimAtOnce: true });
await master.start();
await master.view.until(() => (master.candidacy.reign === undefined ? undefined : true), 10_000, 'a reign');
const { reign } = master.candidacy;
const { view } = master;

const own = async (kind, payload) => {
  const outcome = await reign.own(kind, payload);
  if (outcome.rejectionCode !== null) throw new Error(`${kind}: ${outcome.rejectionCode} ${outcome.rejectionMessage}`);
};
const node = (nodeId, units, incarnation) => ({
  nodeId,
  storeId: `s-${nodeId}`,
  incarnation,
  domain: nodeId,
  respAddress: '127.0.0.1:1',
  httpAddress: '127.0.0.1:2',
  featureLevel: 1,
  units: Array.from({ length: units }, (_, i) => ({
    unitId: `${nodeId}/u${i}`,
    capacityBytes: 1 << 28,
    engine: 'leveldb',
    generation: 0,
  })),
});
const say = (what, figure) => console.log(`${what.padEnd(60)} ${figure}`);
const heapMb = () => {
  globalThis.gc?.();
  return process.memoryUsage().heapUsed / 2 ** 20;
};

async function decisionsPerSecond(label, count, outstanding) {
  const began = performance.now();
  const times = [];
  let left = count;
  await Promise.all(
    Array.from({ length: outstanding }, async () => {
      while (left-- > 0) {
        const at = performance.now();
        await own('RegisterNode', node('n0', 1, randomUUID()));
        times.push(performance.now() - at);
      }
    }),
  );
  times.sort((a, b) => a - b);
  const rate = Math.round((count / (performance.now() - began)) * 1000);
  say(label, `${rate}/s, p50 ${times[count >> 1].toFixed(2)} ms, p99 ${times[Math.floor(count * 0.99)].toFixed(2)} ms`);
}

await decisionsPerSecond('decisions, 1 outstanding', 1_000, 1);
await decisionsPerSecond('decisions, 256 outstanding', 10_000, 256);

const before = heapMb();
const perNamespace = 2_000;
const nodes = 300;
const unitsPerNode = Math.ceil((chunksWanted / nodes) * 1.1);
for (let i = 1; i <= nodes; i++) await own('RegisterNode', node(`n${i}`, Math.min(1_000, unitsPerNode), randomUUID()));
const beganCreating = performance.now();
for (let made = 0, number = 0; made < chunksWanted; made += perNamespace, number++)
  await own('CreateNamespace', { name: `bench.ns${number}`, partitions: 1, chunks: perNamespace, replicas: 1 });
await view.until(
  () => ([...view.state.namespaces()].every(({ state }) => state === 'active') ? true : undefined),
  120_000,
  'activation',
);
say(
  `creating ${chunksWanted} chunks in namespaces of ${perNamespace}`,
  `${((performance.now() - beganCreating) / 1000).toFixed(1)} s`,
);
await decisionsPerSecond(`decisions with ${view.state.counts.chunks} chunks, 1 outstanding`, 300, 1);
while (reign.projections.seq < view.seq) await new Promise((resolve) => setTimeout(resolve, 50));
const heap = heapMb();
say('heap of state, encoded entities and the log in memory', `${heap.toFixed(0)} MB`);
const beganBoot = performance.now();
const booted = new journal.ClusterView(log, topics, world);
await booted.start();
say(`boot of a view from the checkpoint (${booted.boot.source})`, `${(performance.now() - beganBoot).toFixed(0)} ms`);
const perChunk = ((heapMb() - heap) * 2 ** 20) / view.state.counts.chunks;
say('heap of one more view, per chunk (1 unit, 1 chunk, 1 route)', `${Math.round(perChunk)} B`);
say('entities', JSON.stringify(view.state.counts));
if (booted.journal.digest !== view.journal.digest) throw new Error('digests differ');
await booted.close();
await master.close();
await log.close();
void before;
void asPartition;
