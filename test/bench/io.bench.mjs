/** What point reads of a node notice of scans, copies and digests that run beside them: one process, log on disk. */
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { loadTs } from './load-ts.mjs';
import { root } from './processes.mjs';

const namespace = 'bench';
const readsPerSecond = 500;
const settleMs = 5_000;
const phaseMs = 5_000;

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc');

export async function io(report, { records = 200_000, bytes = 200 } = {}) {
  const require = loadTs();
  const { SmallCluster, topics, until } = require(join(root, 'libs/data-node/test/small-cluster.ts'));
  const { submit } = require('@levee/journal');
  const { encodePut } = require('@levee/codec');
  const { hashOf, partitionOf } = require('@levee/keyspace');
  const cluster = await SmallCluster.start({ onDisk: true });
  try {
    const node = await cluster.node('n1', { units: '4x1GiB:leveldb', memoryBudgetBytes: 128 << 20 });
    await cluster.ready();
    await cluster.namespace(namespace, { partitions: 4, chunks: 1, chunkCapacityBytes: 1 << 30 });
    const { binlog } = cluster.view.state.namespace(namespace);
    let batches = [[], [], [], []];
    for (let i = 0; i < records; i++) {
      const key = Buffer.from(`key-${i}`);
      batches[partitionOf(hashOf(key, 'murmur2'), 4)].push({
        key,
        value: encodePut(key, Buffer.alloc(bytes, 120), null),
      });
    }
    for (const [partition, batch] of batches.entries())
      for (let at = 0; at < batch.length; at += 1_000)
        await cluster.log.append(binlog, partition, batch.slice(at, at + 1_000));
    const [hosted] = node.hosted;
    const loaded = batches.map((of) => of.length);
    await until('everything being applied', () => loaded.every((count, i) => hosted.nextOffset(i) > count), 120_000);
    // What the load left behind, on the heap and to be compacted, is not what is measured.
    batches = undefined;
    collectGarbage();
    await sleep(settleMs);
    collectGarbage();

    const quiet = await reads(cluster, records, sleep(phaseMs));
    for (const kinds of [['scans'], ['copies'], ['digests'], ['scans', 'copies', 'digests']]) {
      const work = new Background(cluster, node, hosted, { submit, topics });
      const before = node.stats().io;
      const busy = await reads(cluster, records, work.during(phaseMs, kinds));
      const { io: figures } = node.stats();
      report.add({
        work: `io: GET p99 beside ${kinds.join(', ')} (${work.says(before, figures)})`,
        measured: `${busy.toFixed(1)} ms`,
        peer: `quiet ${quiet.toFixed(1)} ms`,
        ratio: (busy / quiet).toFixed(2),
        reach: 'at most 3',
        ok: busy <= quiet * 3,
      });
    }
  } finally {
    await cluster.close();
  }
}

/** p99 in ms of single reads at a steady pace, timed from when each was due. */
async function reads(cluster, records, end) {
  const tookMs = [];
  const pending = new Set();
  let over = false;
  void end.then(() => (over = true));
  const began = performance.now();
  for (let i = 0; !over; i++) {
    const dueMs = began + (i * 1_000) / readsPerSecond;
    const leftMs = dueMs - performance.now();
    if (leftMs > 1) await sleep(leftMs);
    else if (i % 16 === 0) await new Promise((resolve) => setImmediate(resolve));
    const read = cluster.read('n1', namespace, [`key-${(i * 7_919) % records}`]).then(([value]) => {
      if (!value.startsWith('x')) throw new Error(`a read was answered with ${value}`);
      tookMs.push(performance.now() - dueMs);
      pending.delete(read);
    });
    pending.add(read);
  }
  await Promise.all(pending);
  await end;
  tookMs.sort((a, b) => a - b);
  return tookMs[Math.floor(tookMs.length * 0.99)];
}

/** Two scans, two copies or a digest of everything, each again and again. */
class Background {
  constructor(cluster, node, hosted, { submit, topics }) {
    Object.assign(this, { cluster, node, hosted, submit, topics });
    this.over = false;
  }

  async during(ms, kinds) {
    const loops = {
      scans: () => [this.scan(), this.scan()],
      copies: () => [this.copy(), this.copy()],
      digests: () => [this.digest()],
    };
    const running = kinds.flatMap((kind) => loops[kind]());
    await sleep(ms);
    this.over = true;
    await Promise.all(running);
  }

  says(before, after) {
    const mb = (figure) => `${((after[figure] - before[figure]) / 1e6 / (phaseMs / 1_000)).toFixed(0)} MB/s`;
    return `${mb('scanBytes')} scanned, ${mb('copyBytes')} copied, ${mb('digestBytes')} digested`;
  }

  async scan() {
    const require = loadTs();
    const { scanReplica } = require('@levee/chunk-store');
    const pace = this.node.serving().host.io.pace('scan');
    for (let after; !this.over;) {
      const limits = { limit: 1_000, visitsMax: 10_000 };
      const page = await scanReplica(this.hosted.replica, after ? { after } : {}, limits, Date.now(), pace);
      after = page.resumeAt;
      // A client reads the page before it asks for the next.
      await sleep(2);
    }
  }

  async copy() {
    const { copies } = this.node.serving().host;
    while (!this.over) {
      const { copyId } = await copies.begin(this.hosted, { slotStart: 0, slotEnd: 1_000_000 });
      for (let sequence = 0; !this.over; sequence++) if ((await copies.next(copyId, sequence, 1 << 20)).last) break;
      copies.end(copyId);
    }
  }

  async digest() {
    const computed = () => this.node.stats().digests.computed;
    while (!this.over) {
      const before = computed();
      const payload = { id: randomUUID(), namespace, digest: true };
      await this.submit(this.cluster.log, this.topics, { kind: 'RequestBarrier', payload, principal: 'bench' });
      for (let i = 0; computed() < before + 4 && i < 200 && !this.over; i++) await sleep(10);
    }
  }
}
