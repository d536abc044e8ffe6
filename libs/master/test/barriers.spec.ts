import { collectDigests } from '@levee/audit';
import { decodeAs } from '@levee/codec';
import type { Barrier } from '@levee/events';
import { barrierKey, submit, type ClusterView } from '@levee/journal';
import { asOffset, asPartition, silentLogger } from '@levee/kernel';
import type { EmbeddedLog } from '@levee/log-embedded';
import { openLog, openView, run, startMaster, topics, world, type TestMaster } from './control-plane';
import { eventually } from './eventually';
import { ScriptedNode } from './scripted-node';

const barrierMs = 50;
const binlog = 'levee.binlog.shop';

let log: EmbeddedLog;
let view: ClusterView;
let master: TestMaster;
let nodes: ScriptedNode[];

beforeEach(async () => {
  log = await openLog();
  master = await startMaster(log, { instance: 'm1', claimAtOnce: true, barrierMs });
  view = await openView(log);
  nodes = ['n1', 'n2', 'n3'].map((nodeId) => new ScriptedNode(log, view, nodeId));
  for (const node of nodes) {
    expect(await run(log, view, node.registration)).toMatchObject({ rejectionCode: null });
    node.start();
  }
  const payload = { name: 'shop', chunks: 4, replicas: 3, partitions: 4 };
  expect(await run(log, view, { kind: 'CreateNamespace', payload })).toMatchObject({ rejectionCode: null });
  await view.until(() => (view.state.namespace('shop')?.state === 'active' ? true : undefined), 10_000, 'active');
});

afterEach(async () => {
  for (const node of nodes) await node.close();
  await view.close();
  await master.close();
  await log.close();
});

const write = (partition: number): Promise<unknown> =>
  log.append(binlog, asPartition(partition), [{ key: Buffer.from('k'), value: Buffer.from('v') }]);

async function barriersIn(partition: number): Promise<Barrier[]> {
  const { endOffset } = (await log.offsets(binlog))[partition]!;
  const found: Barrier[] = [];
  const from = { nextOffset: asOffset(0), leaderEpoch: -1 };
  for await (const batch of log.tail(binlog, asPartition(partition), from, { idleMs: 20 })) {
    for (const { key, value } of batch.records)
      if (key?.equals(barrierKey) === true && value !== null) found.push(decodeAs('Barrier', value));
    if (batch.nextOffset >= endOffset) break;
  }
  return found;
}

const counts = (which: (barrier: Barrier) => boolean = () => true): Promise<number[]> =>
  Promise.all([0, 1, 2, 3].map(async (partition) => (await barriersIn(partition)).filter(which).length));

/** Those of the rhythm may come behind them: a partition has grown by one. */
const digestCounts = (): Promise<number[]> => counts(({ digestPlan }) => digestPlan === 'audit');

async function looks(more: number): Promise<void> {
  const seen = (): number => master.master.barrierStats()?.looks ?? 0;
  const enough = seen() + more;
  await eventually('the master looks at the binlogs again', () => seen() >= enough);
}

const digests = (chunks: readonly string[], partitions?: readonly number[]) =>
  submit(log, topics, {
    kind: 'RequestBarrier',
    payload: { id: 'audit', namespace: 'shop', digest: true, chunks, ...(partitions && { partitions }) },
    principal: 'test',
  });

describe('barriers of a master', () => {
  it('follow writes, partition by partition, and leave partitions at rest alone', async () => {
    await write(1);
    await eventually('a barrier follows the write', async () => (await counts())[1] === 1);
    await looks(3);
    expect(await counts()).toEqual([0, 1, 0, 0]);
    await write(1);
    await write(3);
    await eventually('barriers follow both writes', async () => (await counts()).join() === '0,2,0,1');
    const numbers = (await barriersIn(1)).map(({ number }) => number);
    expect(numbers[1]).toBeGreaterThan(numbers[0]!);
  });

  it('tell how long a write takes to every replica, and which one is behind', async () => {
    await write(2);
    await eventually('the barrier is applied everywhere', () => (master.master.barrierTimes?.count ?? 0) > 0);
    expect(master.master.barrierStats()).toMatchObject({ unapplied: 0, failed: 0 });
    const [chunk] = [...view.state.chunksOf('shop')].filter(({ slotStart }) => slotStart === 500_000);
    nodes[1]?.behind.add(chunk!.chunkId);
    await write(2);
    await eventually('one is behind', () => (master.master.barrierStats()?.oldestUnappliedMs ?? 0) > barrierMs * 4);
    nodes[1]?.behind.clear();
    await eventually('it has caught up', () => master.master.barrierStats()?.unapplied === 0);
    expect(master.master.barrierTimes?.sumMs).toBeGreaterThan(barrierMs * 4);
  });

  it('that ask for digests of some partitions go only there', async () => {
    await digests([], [1, 3]);
    await eventually('both digest barriers are written', async () => (await digestCounts()).join() === '0,1,0,1');
    // Where none of the chunks has a slot there is nobody to answer.
    const [first] = [...view.state.chunksOf('shop')].filter(({ slotStart }) => slotStart === 0);
    await digests([first!.chunkId], [0, 3]);
    await eventually('the next one is written', async () => (await digestCounts())[0] === 1);
    expect(await digestCounts()).toEqual([1, 1, 0, 1]);
  });

  it('that ask for digests of some chunks go only where those are', async () => {
    const [first] = view.state.chunksOf('shop');
    await digests([first!.chunkId]);
    await eventually('the digest barrier is written', async () => (await digestCounts())[0] === 1);
    expect(await digestCounts()).toEqual([1, 0, 0, 0]);
    expect((await barriersIn(0))[0]).toMatchObject({ digestPlan: 'audit', chunks: [first!.chunkId] });
  });

  it('a report of digests names every readable replica, and the one that differs', async () => {
    const collect = (deadlineMs = 20_000) =>
      collectDigests(log, topics, view, {
        ...world,
        logger: silentLogger,
        namespace: 'shop',
        principal: 'test',
        deadlineMs,
        submit: (command) => submit(log, topics, command),
      });
    // Two at once: each gets the answers to its own barrier.
    const [one, other] = await Promise.all([collect(), collect()]);
    expect([one.equal, one.replicas.length, other.equal, other.replicas.length]).toEqual([true, 12, true, 12]);
    const [, second] = view.state.chunksOf('shop');
    nodes[2]?.spoiled.set(second!.chunkId, 1n);
    expect(await collect()).toMatchObject({ equal: false });
    nodes[0]!.mute = true;
    await expect(collect(500)).rejects.toThrow(/^4 replica digests did not come within 500 ms.* on n1/);
  });
});
