/**
 * The control plane alone, on the embedded log in memory: decisions a second, what many chunks cost, and whether a boot
 * stays flat while the journal grows. `node --expose-gc tools/bench.mjs journal` for exact heap figures.
 */
import { randomUUID } from 'node:crypto';
import { loadTs } from './load-ts.mjs';
import { perSecond } from './report.mjs';

const chunks = 100_000;
const chunksPerNamespace = 2_000;
const nodes = 300;
const decisionsOnce = 2_000;
const timesMore = 100;
const hourMs = 3_600_000;

export async function onJournal(report) {
  const require = loadTs();
  await manyChunks(report, require);
  await longJournal(report, require);
}

async function manyChunks(report, require) {
  const plane = await ControlPlane.start(require);
  const one = await plane.decide(1_000, 1);
  const many = await plane.decide(10_000, 256);
  report.add({
    work: 'decisions, 1 outstanding; 256 outstanding',
    measured: `${perSecond(one.rate)}, p50 ${one.p50.toFixed(2)} ms; ${perSecond(many.rate)}`,
    reach: 'p50 2 ms; 1k/s',
    ok: one.p50 < 2 && many.rate > 1_000,
  });
  const units = Math.ceil((chunks / nodes) * 1.1);
  for (let i = 1; i <= nodes; i++) await plane.own('RegisterNode', node(`n${i}`, units));
  const beganMs = performance.now();
  for (let made = 0; made < chunks; made += chunksPerNamespace) {
    const name = `bench.ns${made / chunksPerNamespace}`;
    await plane.own('CreateNamespace', { name, partitions: 1, chunks: chunksPerNamespace, replicas: 1 });
  }
  await plane.settled(require);
  const seconds = (performance.now() - beganMs) / 1000;
  const before = heapMb();
  const { view, ms } = await plane.boot();
  const perChunk = ((heapMb() - before) * 2 ** 20) / chunks;
  const { counts } = plane.master.view.state;
  if (view.journal.digest !== plane.master.view.journal.digest) throw new Error('the digests differ');
  await view.close();
  report.add({
    work: `${chunks / 1000}k chunks: created; a view boots with ${Object.values(counts).reduce((a, b) => a + b)} entities`,
    measured: `${seconds.toFixed(1)} s; ${(ms / 1000).toFixed(1)} s, ${Math.round(perChunk)} bytes of heap a chunk`,
    reach: '10 s, 4 kB',
    ok: ms < 10_000 && perChunk < 4_096,
  });
  await plane.close();
}

/** The same small state after a hundred times as many decisions, over as many days of the clock. */
async function longJournal(report, require) {
  const plane = await ControlPlane.start(require, { controlSegmentBytes: 256 * 1024 });
  const boots = [];
  for (let block = 1; block <= timesMore; block++) {
    await plane.decide(decisionsOnce, 256);
    await plane.settled(require);
    await plane.compact();
    if (block === 1 || block === timesMore) boots.push(await plane.bootMedian());
    // What became of commands is remembered for a day, and forgotten by the decisions after it.
    plane.clock.aheadMs += 26 * hourMs;
  }
  const [first, last] = boots;
  report.add({
    work: `boot after ${decisionsOnce} decisions, and after ${decisionsOnce * timesMore} over ${timesMore} days`,
    measured: `${first.ms.toFixed(0)} ms, ${last.ms.toFixed(0)} ms (journal records read: ${first.records}, ${last.records})`,
    ratio: (last.ms / first.ms).toFixed(2),
    reach: '2, or 100 ms',
    ok: last.ms / first.ms < 2 || last.ms < 100,
  });
  await plane.close();
}

export class ControlPlane {
  /** The clock of masters and commands; it may be set ahead. */
  clock;

  static async start(require, { controlSegmentBytes } = {}) {
    const plane = new ControlPlane();
    const { MemoryLevel } = require('memory-level');
    const { EmbeddedLog } = require('@levee/log-embedded');
    const { systemClock, systemTimers, systemRandom } = require('@levee/log');
    const { silentLogger } = require('@levee/kernel');
    const { ClusterView, controlTopics, defaultControlPolicy } = require('@levee/journal');
    const { Master } = require('@levee/master');
    plane.clock = {
      aheadMs: 0,
      nowMs: () => systemClock.nowMs() + plane.clock.aheadMs,
      monotonicMs: () => systemClock.monotonicMs(),
    };
    const world = { clock: plane.clock, timers: systemTimers, random: systemRandom, logger: silentLogger };
    plane.topics = controlTopics('bench');
    plane.log = await EmbeddedLog.open({
      db: new MemoryLevel({ keyEncoding: 'buffer', valueEncoding: 'buffer' }),
      cleanEveryMs: 0,
      clock: plane.clock,
    });
    plane.master = new Master(plane.log, {
      ...world,
      topics: plane.topics,
      instance: 'm1',
      address: () => 'none',
      claimAtOnce: true,
      ...(controlSegmentBytes === undefined
        ? {}
        : { policy: { ...defaultControlPolicy, segmentBytes: controlSegmentBytes } }),
    });
    await plane.master.start();
    const reign = () => plane.master.candidacy.reign;
    await plane.master.view.until(() => (reign() === undefined ? undefined : true), 10_000, 'a reign');
    plane.reign = reign();
    plane.newView = () => new ClusterView(plane.log, plane.topics, world);
    return plane;
  }

  async own(kind, payload) {
    const outcome = kind === 'RegisterNode' ? await this.register(payload) : await this.reign.own(kind, payload);
    if (outcome.rejectionCode !== null)
      throw new Error(`${kind}: ${outcome.rejectionCode} ${outcome.rejectionMessage}`);
  }

  /** As the node itself does, but without the way through `levee.commands`. */
  async register(payload) {
    const told = { kind: 'RegisterNode', payload: JSON.stringify(payload), principal: `node ${payload.nodeId}` };
    const command = { ...told, id: randomUUID(), submittedAtMs: this.clock.nowMs() };
    await this.reign.decide([{ command, offset: -1 }]);
    return this.master.view.state.outcome(command.id);
  }

  async decide(count, outstanding) {
    const beganMs = performance.now();
    const tookMs = [];
    let left = count;
    await Promise.all(
      Array.from({ length: outstanding }, async () => {
        while (left-- > 0) {
          const at = performance.now();
          await this.own('RegisterNode', node('n0', 1));
          tookMs.push(performance.now() - at);
        }
      }),
    );
    tookMs.sort((a, b) => a - b);
    return { rate: (count / (performance.now() - beganMs)) * 1000, p50: tookMs[tookMs.length >> 1] };
  }

  /** Every namespace is active, and the compacted topics say so. */
  async settled() {
    const { view } = this.master;
    const active = () => [...view.state.namespaces()].every(({ state }) => state === 'active');
    await view.until(() => (active() ? true : undefined), 120_000, 'activation');
    while (this.reign.projections.seq < view.seq) await new Promise((resolve) => setTimeout(resolve, 20));
  }

  async compact() {
    for (const topic of [this.topics.metadata, this.topics.routes, this.topics.plans]) await this.log.compact(topic);
  }

  async boot() {
    const view = this.newView();
    const beganMs = performance.now();
    await view.start();
    return { view, ms: performance.now() - beganMs };
  }

  async bootMedian() {
    const runs = [];
    for (let i = 0; i < 5; i++) {
      const { view, ms } = await this.boot();
      if (view.boot.source !== 'checkpoint') throw new Error(`booted from the ${view.boot.source}`);
      runs.push({ ms, records: view.boot.journalRecords });
      await view.close();
    }
    return runs.sort((a, b) => a.ms - b.ms)[2];
  }

  async close() {
    await this.master.close();
    await this.log.close();
  }
}

const node = (nodeId, units) => ({
  nodeId,
  storeId: `s-${nodeId}`,
  incarnation: randomUUID(),
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

function heapMb() {
  globalThis.gc?.();
  return process.memoryUsage().heapUsed / 2 ** 20;
}
