import { randomUUID } from 'node:crypto';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { ContinuousProof } from '@levee/audit';
import { decode } from '@levee/codec';
import type { ChunkProof } from '@levee/events';
import { ProofView } from '@levee/journal';
import { silentLogger } from '@levee/kernel';
import { systemClock, systemTimers } from '@levee/log';
import { type TamperedReplica, tamperWith } from '../../../test/support/replica-tampering';
import { BentLog } from './bent-log';
import { SmallCluster, topics, until } from './small-cluster';

jest.setTimeout(60_000);

const ns = 'shop.orders';
const keys = Array.from({ length: 300 }, (_, i) => `key ${i}`);
const intervalMs = 2_000;
/** Longer than it takes to be built anew and compared again. */
const heldMs = 24_000;

describe('replicas are compared with the log again and again', () => {
  let cluster: SmallCluster;
  let proofs: ProofView;
  let proof: ContinuousProof;

  beforeEach(async () => {
    cluster = await SmallCluster.start();
    for (const nodeId of ['n1', 'n2', 'n3']) await cluster.node(nodeId);
    await until('all nodes being registered', () => [...cluster.view.state.nodes()].length === 3);
    await cluster.namespace(ns, { partitions: 2, chunks: 2, replicas: 3 });
    for (const key of keys) await cluster.append(ns, key, `value of ${key}`);
    for (const key of keys.slice(0, 30)) await cluster.append(ns, key, null);
    const world = { log: cluster.log, clock: systemClock, timers: systemTimers, logger: silentLogger };
    proofs = new ProofView(cluster.log, topics, world);
  });
  afterEach(async () => {
    await proof?.stop();
    await proofs?.close();
    await cluster.close();
  });

  const prove = (everyMs = intervalMs): void => {
    const world = { log: cluster.log, clock: systemClock, timers: systemTimers, logger: silentLogger };
    proof = new ContinuousProof(
      { instance: 'd1', topics, intervalMs: everyMs, bytesPerSecond: 0 },
      { ...world, view: cluster.view, proofs, newId: () => randomUUID(), waits: () => false },
    );
    proofs.start();
    proof.start();
  };
  const records = async (): Promise<ChunkProof[]> =>
    (await cluster.records(topics.digests)).flatMap((value) => {
      const found = decode(value);
      return found.name === 'ChunkProof' ? [found.record] : [];
    });
  const found = async (verdict: ChunkProof['verdict']): Promise<ChunkProof[]> =>
    (await records()).filter((each) => each.verdict === verdict);
  const allProved = (): boolean => {
    const { chunks, proved } = proof.summary();
    return chunks === 2 && proved === 2;
  };
  const chunkOf = (key: string): string => {
    const { slot } = cluster.place(ns, key);
    const over = [...cluster.view.state.chunksOf(ns)].find((each) => each.slotStart <= slot && slot < each.slotEnd);
    return over!.chunkId;
  };
  const setAside = (nodeId: string): string[] => {
    const folder = join(cluster.folder, nodeId, 'set-aside');
    return existsSync(folder) ? readdirSync(folder) : [];
  };

  /** Changes what a stopped node holds of a chunk, with every checksum made right. */
  async function tamper(
    nodeId: string,
    chunkId: string,
    change: (replica: TamperedReplica) => Promise<void>,
  ): Promise<void> {
    await cluster.stopNode(nodeId);
    const { unitId, generation } = cluster.view.state.chunk(chunkId)!.replicas.find((each) => each.nodeId === nodeId)!;
    await tamperWith({ home: join(cluster.folder, nodeId), unitId, generation, chunkId }, change);
    await cluster.node(nodeId);
    await cluster.ready();
  }

  const values = keys.map((key, i) => (i < 30 ? 'nil' : `value of ${key}`));

  it('proves every chunk within the interval, and again', async () => {
    prove();
    await until('all chunks being proved', allProved);
    const [first] = await records();
    expect(first).toMatchObject({ verdict: 'proved', message: '', by: 'd1', intervalMs });
    expect(first?.replicas.map(({ nodeId, holds }) => `${nodeId} ${holds}`).sort()).toEqual([
      'n1 same',
      'n2 same',
      'n3 same',
    ]);
    expect(first?.partitions).toHaveLength(1);
    await until('all being proved once more', async () => (await found('proved')).length >= 4);
    expect(proof.stats()).toMatchObject({ chunks: 2, chunks_proved: 2, findings: 0, blamed_total: 0 });
    expect(proof.summary().oldestMs).toBeLessThan(intervalMs * 5);
  });

  const victim = keys[100]!;
  /** Keys of the victim's chunk. */
  const other = (of: readonly string[]): string => of.find((key) => chunkOf(key) === chunkOf(victim))!;
  const strangers = Array.from({ length: 99 }, (_, i) => `stranger ${i}`);

  it.each<[string, (replica: TamperedReplica) => Promise<void>]>([
    ['a key is removed', (replica) => replica.remove(victim)],
    ['a deleted key is back', (replica) => replica.put(other(keys.slice(0, 30)), 'ghost', 5)],
    ['a key is there that nobody wrote', (replica) => replica.put(other(strangers), 'x', 5)],
    ['a value is changed', (replica) => replica.put(victim, 'another value', 7)],
  ])('behind the back of one replica %s: found, named, healed', async (_, change) => {
    const chunkId = chunkOf(victim);
    await tamper('n2', chunkId, change);
    prove();
    await until('it being found', async () => (await found('replicaDiffers')).length > 0);
    await until('all chunks being proved', allProved);
    const [named] = await found('replicaDiffers');
    expect(named?.chunkId).toBe(chunkId);
    expect(named?.replicas.filter(({ holds }) => holds === 'other').map(({ nodeId }) => nodeId)).toEqual(['n2']);
    expect(named?.message).toMatch(/: the log says \d+ keys with digest \w{32}, .* on n2 holds \d+ keys/);
    expect(setAside('n2')).toHaveLength(1);
    expect([...setAside('n1'), ...setAside('n3')]).toEqual([]);
    for (const nodeId of ['n1', 'n2', 'n3']) expect(await cluster.read(nodeId, ns, keys)).toEqual(values);
    expect(proof.stats()).toMatchObject({ blamed_total: 1, refused_total: 0, findings: 0 });
  });

  it('two of three replicas that differ are both built anew', async () => {
    const chunkId = chunkOf(victim);
    for (const nodeId of ['n1', 'n2']) await tamper(nodeId, chunkId, (replica) => replica.remove(victim));
    prove();
    await until('both being found', async () => (await found('replicaDiffers')).length > 0);
    await until('all chunks being proved', allProved);
    for (const nodeId of ['n1', 'n2', 'n3'])
      expect(await cluster.read(nodeId, ns, [victim])).toEqual([`value of ${victim}`]);
    expect(setAside('n1').length + setAside('n2').length).toBe(2);
  });

  it('a replica that differs again within the interval stays a finding: it is not built anew again and again', async () => {
    const asked: number[] = [];
    cluster.view.onDecision(({ decision }) => {
      if (decision.command.kind === 'RebuildReplica') asked.push(systemClock.monotonicMs());
    });
    // A node with a bug: whatever it is built from, this key is not in it.
    const hidden = other(strangers);
    const bent = new BentLog(cluster.log);
    bent.onBatch = (batch) => ({ ...batch, records: batch.records.filter(({ key }) => key?.toString() !== hidden) });
    await cluster.stopNode('n2');
    await cluster.node('n2', { log: bent });
    await cluster.ready();
    await cluster.append(ns, hidden, 'nobody tells n2');
    prove(heldMs);
    await until('it being blamed', () => asked.length > 0, 30_000);
    await until('it differing again', () => (proof.stats()['held_total'] ?? 0) > 0, 30_000);
    const heldForMs = systemClock.monotonicMs() - asked[0]!;
    expect(asked.length).toBeLessThanOrEqual(1 + Math.floor(heldForMs / heldMs));
    expect(proof.summary().findings).toMatchObject([{ chunkId: chunkOf(hidden), verdict: 'replicaDiffers' }]);
    expect(setAside('n2')).toHaveLength(asked.length);
  });

  it('I14: when all replicas agree and the log alone differs, nobody is touched', async () => {
    const chunkId = chunkOf(victim);
    for (const nodeId of ['n1', 'n2', 'n3']) await tamper(nodeId, chunkId, (replica) => replica.remove(victim));
    prove();
    await until('it being found', async () => (await found('logDiffers')).length > 1);
    expect(proof.summary().findings).toMatchObject([{ chunkId, verdict: 'logDiffers' }]);
    expect(proof.stats()).toMatchObject({ blamed_total: 0 });
    for (const nodeId of ['n1', 'n2', 'n3']) {
      expect(setAside(nodeId)).toEqual([]);
      expect(cluster.nodes.get(nodeId)?.readyProblem()).toBeUndefined();
    }
  });

  it('an order that rests on another digest, or another run of the node, changes nothing', async () => {
    prove();
    await until('all chunks being proved', allProved);
    await proof.stop();
    const [proved] = (await found('proved')).slice(-1);
    const { chunkId, partitions, proofId } = proved!;
    const chunk = cluster.view.state.chunk(chunkId)!;
    const [agrees, replica] = chunk.replicas.map(({ role: _, ...named }) => named);
    const { partition, barrierOffset, digest } = partitions[0]!;
    const { incarnation } = cluster.view.state.node(replica!.nodeId)!;
    const logDigest = 'f'.repeat(32);
    const order = {
      namespace: ns,
      chunkId,
      replica,
      agrees,
      incarnation,
      proofId,
      partition,
      barrierOffset,
      digest,
      logDigest,
    };
    const rebuilds = (): number =>
      cluster.nodes.get(replica!.nodeId)!.hosted.reduce((sum, each) => sum + each.rebuilds, 0);
    for (const wrong of [{ digest: 'e'.repeat(32) }, { barrierOffset: barrierOffset + 1 }, { proofId: 'proof/other' }])
      await cluster.command('RebuildReplica', { ...order, ...wrong });
    await cluster.command('RequestBarrier', { id: 'b', namespace: ns, digest: false });
    expect(cluster.nodes.get(replica!.nodeId)?.readyProblem()).toBeUndefined();
    expect(rebuilds()).toBe(0);
    // The very one: it is believed.
    await cluster.command('RebuildReplica', order);
    await until('it being rebuilt', () => rebuilds() === 1);
    await cluster.ready();
    // A replica that was opened since has told nothing.
    await cluster.command('RebuildReplica', order);
    await cluster.command('RequestBarrier', { id: 'c', namespace: ns, digest: false });
    expect(rebuilds()).toBe(1);
  });

  it('goes on where another process ended, and stands still while it is told to', async () => {
    prove();
    await until('all chunks being proved', allProved);
    await proof.stop();
    const before = await records();
    const world = { log: cluster.log, clock: systemClock, timers: systemTimers, logger: silentLogger };
    const later = new ProofView(cluster.log, topics, world);
    let waits = true;
    const next = new ContinuousProof(
      { instance: 'd2', topics, intervalMs: intervalMs * 4, bytesPerSecond: 0 },
      { ...world, view: cluster.view, proofs: later, newId: () => randomUUID(), waits: () => waits },
    );
    later.start();
    next.start();
    const looks = (): number => next.stats()['looks_total'] ?? 0;
    await until('it having read what was found', () => later.isRead);
    expect(next.summary()).toMatchObject({ chunks: 2, proved: 2 });
    await until('it having looked and waited', () => looks() >= 2);
    waits = false;
    await until('its time having come', async () => (await records()).at(-1)?.by === 'd2', 40_000);
    // What was proved a moment ago is not proved again before its time.
    const again = (await records()).at(-1)!;
    const earlier = before.filter(({ chunkId }) => chunkId === again.chunkId).at(-1)!;
    expect(again.checkedAtMs - earlier.checkedAtMs).toBeGreaterThanOrEqual(0.75 * 4 * intervalMs);
    await next.stop();
    await later.close();
  });
});
