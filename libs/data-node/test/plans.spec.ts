import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { ChunkState, PlanState } from '@levee/events';
import { chunkSeed } from '@levee/chunk-store';
import { crc32cNative } from '@levee/codec';
import { submit } from '@levee/journal';
import { SmallCluster, topics, until } from './small-cluster';

const ns = 'shop.orders';
const keys = Array.from({ length: 300 }, (_, i) => `key-${i}`);

/** Real master, driver and nodes on one log: from a proposal to the last unit cleared. */
describe('plans, done by the nodes they name', () => {
  let cluster: SmallCluster;
  const model = new Map<string, string | null>();
  let writing: Promise<void> | undefined;
  let stopWriting = false;

  beforeEach(async () => {
    cluster = await SmallCluster.start();
    model.clear();
  });
  afterEach(async () => {
    stopWriting = true;
    await writing;
    await cluster.close();
  });

  async function filled(nodeIds: readonly string[], knobs: object, units?: string): Promise<void> {
    for (const nodeId of nodeIds) await cluster.node(nodeId, units === undefined ? {} : { units });
    await cluster.ready();
    await cluster.namespace(ns, { partitions: 2, chunks: 2, ...knobs });
    for (const key of keys) await write(key, `value of ${key}`);
  }

  async function write(key: string, value: string | null): Promise<void> {
    await cluster.append(ns, key, value);
    model.set(key, value);
  }

  /** Puts and deletes until the test ends. */
  function keepWriting(): void {
    stopWriting = false;
    writing = (async () => {
      for (let i = 0; !stopWriting; i++) {
        await write(`key-${(i * 7) % 300}`, i % 5 === 0 ? null : `round ${i}`);
        await new Promise((resolve) => setTimeout(resolve, 2));
      }
    })();
  }

  async function finishWriting(): Promise<void> {
    stopWriting = true;
    await writing;
  }

  const chunks = (): ChunkState[] => [...cluster.view.state.chunksOf(ns)].sort((a, b) => a.slotStart - b.slotStart);

  const plan = (planId: string): PlanState => cluster.view.state.plan(planId)!;

  async function propose(payload: object): Promise<string> {
    const id = await submit(cluster.log, topics, { kind: 'ProposePlan', payload, principal: 'test' });
    const outcome = await cluster.view.outcome(id, 10_000);
    if (outcome.rejectionCode !== null) throw new Error(`${outcome.rejectionCode}: ${outcome.rejectionMessage}`);
    return `p${outcome.seq}`;
  }

  const is = (planId: string, state: PlanState['state']): Promise<void> =>
    until(`${planId} being ${state}`, () => plan(planId)?.state === state, 25_000).catch((error: Error) => {
      const { state: found, step, failureMessage, history } = plan(planId);
      throw new Error(`${error.message}: ${found} at ${step}, ${failureMessage}, ${JSON.stringify(history)}`);
    });

  /** Every key at every readable replica that a route names, at the end of the log. */
  async function everyReplicaHolds(): Promise<void> {
    const ends = await cluster.log.offsets(cluster.view.state.namespace(ns)!.binlog);
    for (const [key, value] of model) {
      const { slot, partition } = cluster.place(ns, key);
      const chunk = chunks().find((each) => slot >= each.slotStart && slot < each.slotEnd)!;
      for (const { nodeId, role } of chunk.replicas) {
        if (role !== 'primary' && role !== 'follower') continue;
        const minOffset = ends[partition]!.endOffset;
        const found = await cluster.read(nodeId, ns, [key], { minOffset, deadlineMs: 5_000 });
        expect(`${key} at ${nodeId}: ${found[0]}`).toBe(`${key} at ${nodeId}: ${value ?? 'nil'}`);
      }
    }
  }

  const folderOf = (unitId: string, generation: number): string => {
    const [nodeId, unit] = unitId.split('/') as [string, string];
    return join(cluster.folder, nodeId, 'units', unit, `g${generation}`);
  };

  it('move: copied under writes and deletes, verified, switched, observed, reclaimed; another unit is free again', async () => {
    await filled(['n1', 'n2'], { replicas: 1 });
    keepWriting();
    const [chunk] = chunks();
    const from = chunk!.replicas[0]!;
    const to = from.nodeId === 'n1' ? 'n2' : 'n1';
    const planId = await propose({ kind: 'move', chunkId: chunk!.chunkId, from: from.nodeId, to, observeMs: 300 });
    await is(planId, 'observing');
    const made = plan(planId).targets[0]!.replicas[0]!;
    expect(made).toMatchObject({ nodeId: to, step: 'ready' });
    expect(made.recordsCopied).toBeGreaterThan(50);
    const { snapshot, ...copied } = JSON.parse(made.evidence) as { snapshot: string[]; [fact: string]: unknown };
    expect(copied).toMatchObject({ from: from.unitId, restarts: 0, lagRecords: expect.any(Number) as number });
    // Two partitions, one half of the slots: the chunk lies in one of them. The log is followed from inside the copy on.
    const ends = await cluster.log.offsets(cluster.view.state.namespace(ns)!.binlog);
    const [[partition, nextOffset]] = snapshot.map((at) => at.split(':').map(Number)) as [[number, number]];
    expect(snapshot).toHaveLength(1);
    expect(nextOffset).toBeGreaterThan(100);
    expect(nextOffset).toBeLessThanOrEqual(ends[partition]!.endOffset);
    const verified = JSON.parse(plan(planId).verified ?? '{}') as { digest?: string; keys?: number };
    expect(verified).toMatchObject({ digest: expect.stringMatching(/^[0-9a-f]{32}$/) as string });
    expect(verified.keys).toBeGreaterThan(50);
    // The superseded replica answers on, for those who have not heard of the switch.
    const key = keys.find((each) => cluster.place(ns, each).slot < chunk!.slotEnd)!;
    expect((await cluster.read(from.nodeId, ns, [key]))[0]).not.toMatch(/^LV/);
    await is(planId, 'done');
    await until('the unit being free', () => cluster.view.state.unit(from.unitId)?.state === 'free');
    expect(existsSync(folderOf(from.unitId, from.generation))).toBe(false);
    expect((await cluster.read(from.nodeId, ns, [key]))[0]).toMatch(/^LVMOVED/);
    await finishWriting();
    await everyReplicaHolds();
  });

  it('split and merge under writes: new chunks from the old ones, on the nodes where those were', async () => {
    await filled(['n1', 'n2'], { replicas: 2 });
    keepWriting();
    const [left] = chunks();
    const split = await propose({ kind: 'split', chunkId: left!.chunkId, parts: 3, observeMs: 100 });
    await is(split, 'done');
    expect(chunks()).toHaveLength(4);
    const merge = await propose({
      kind: 'merge',
      chunkIds: chunks()
        .slice(0, 3)
        .map(({ chunkId }) => chunkId),
      observeMs: 100,
    });
    await is(merge, 'done');
    expect(chunks()).toHaveLength(2);
    expect(
      plan(merge)
        .targets[0]!.replicas.map(({ nodeId }) => nodeId)
        .sort(),
    ).toEqual(['n1', 'n2']);
    await finishWriting();
    await everyReplicaHolds();
  });

  it('rollback loses nothing of what was written in between', async () => {
    await filled(['n1', 'n2'], { replicas: 1 });
    const [chunk] = chunks();
    const { nodeId: from } = chunk!.replicas[0]!;
    const to = from === 'n1' ? 'n2' : 'n1';
    const planId = await propose({ kind: 'move', chunkId: chunk!.chunkId, from, to, observeMs: 60_000 });
    await is(planId, 'observing');
    for (const key of keys.slice(0, 100)) await write(key, null);
    for (const key of keys.slice(100, 200)) await write(key, 'in between');
    await cluster.command('RollbackPlan', { planId });
    await is(planId, 'rolledBack');
    expect(chunks()[0]!.replicas).toMatchObject([{ nodeId: from, role: 'primary' }]);
    await everyReplicaHolds();
  });

  it.each([
    ['with its old checksum', false],
    ['with a checksum of its own', true],
  ])('a byte flipped at the target, %s, is found before anybody can read it', async (_, resealed) => {
    await filled(['n1', 'n2'], { replicas: 1, partitions: 1, chunks: 2 });
    const { slot } = cluster.place(ns, 'key-7');
    const chunk = chunks().find((each) => slot >= each.slotStart && slot < each.slotEnd);
    const { nodeId: from } = chunk!.replicas[0]!;
    const to = from === 'n1' ? 'n2' : 'n1';
    const { host } = cluster.nodes.get(to)!.serving()!;
    const planId = await propose({ kind: 'move', chunkId: chunk!.chunkId, from, to, observeMs: 100 });
    await until('the copy', () => host.chunk(chunk!.chunkId)?.state === 'following');
    const { db } = host.chunk(chunk!.chunkId)!.replica;
    const key = Buffer.from('d/key-7');
    const stored = (await db.get(key))!;
    stored[stored.length - 6]! ^= 4;
    const end = stored.length - 4;
    const crc = crc32cNative(stored.subarray(0, end), crc32cNative(key, chunkSeed(chunk!.chunkId)));
    if (resealed) stored.writeUInt32BE(crc, end);
    await db.put(key, stored);
    const seen = new Set<string>();
    const failures = (): string[] =>
      plan(planId)
        .history.filter(({ what }) => what === 'failed')
        .map(({ evidence }) => evidence);
    await until(
      'the plan being over',
      async () => {
        for (const value of await cluster.read(to, ns, ['key-7'])) seen.add(value);
        return plan(planId).state === 'done';
      },
      30_000,
    );
    expect([...seen].filter((value) => !/^LV/.test(value))).toEqual(['value of key-7']);
    if (resealed) expect(failures().join()).toContain('DIGEST_MISMATCH');
    await everyReplicaHolds();
  });

  it('a node that dies while it is copied to goes on when it is back', async () => {
    await filled(['n1', 'n2', 'n3'], { replicas: 2, partitions: 1, chunks: 3 });
    const [chunk] = chunks();
    const away = ['n1', 'n2', 'n3'].find((each) => chunk!.replicas.every(({ nodeId }) => nodeId !== each))!;
    const from = chunk!.replicas[1]!.nodeId;
    const planId = await propose({ kind: 'move', chunkId: chunk!.chunkId, from, to: away, observeMs: 100 });
    await until('the beginning', () => plan(planId)?.state === 'running');
    await cluster.stopNode(away);
    await cluster.node(away);
    await is(planId, 'done');
    expect(chunks()[0]!.replicas.map(({ nodeId }) => nodeId)).toContain(away);
    await everyReplicaHolds();
  });

  it('moves between engines on one node, and back', async () => {
    await filled(['n1'], { replicas: 1, partitions: 1, chunks: 1 }, '2x8MiB:leveldb,2x8MiB:memory');
    for (const engine of ['memory', 'leveldb']) {
      const [chunk] = chunks();
      const planId = await propose({
        kind: 'move',
        chunkId: chunk!.chunkId,
        from: 'n1',
        to: 'n1',
        engine,
        observeMs: 50,
      });
      await is(planId, 'done');
      const { unitId } = chunks()[0]!.replicas[0]!;
      expect(cluster.view.state.unit(unitId)!.engine).toBe(engine);
      await everyReplicaHolds();
    }
  });
});
