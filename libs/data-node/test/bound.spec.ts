import type { ChunkState } from '@levee/events';
import { encodePut } from '@levee/codec';
import { submit } from '@levee/journal';
import { asOffset } from '@levee/kernel';
import { hashOf, partitionOf } from '@levee/keyspace';
import { rangeCommand } from '@levee/wire';
import { SmallCluster, topics, until } from './small-cluster';

const ns = 'shop.prices';
const topic = 'prices';
const partitions = 3;
const keys = Array.from({ length: 300 }, (_, i) => `key-${i}`);

/** Real master and nodes on one log with a topic that none of them made. */
describe('a namespace that is bound to a topic', () => {
  let cluster: SmallCluster;
  const model = new Map<string, string | null>();
  let sent = 0;

  beforeEach(async () => {
    cluster = await SmallCluster.start();
    model.clear();
    sent = 0;
    await make();
    for (const nodeId of ['n1', 'n2']) await cluster.node(nodeId);
    await cluster.ready();
  });
  afterEach(() => cluster.close());

  const make = (): Promise<void> =>
    cluster.log.ensureTopics([{ name: topic, partitions, settings: { 'cleanup.policy': 'compact' } }]);

  /** As a producer of its own would. */
  async function produce(key: string, value: string | null): Promise<void> {
    const bytes = Buffer.from(key);
    const record = { key: bytes, value: value === null ? null : encodePut(bytes, Buffer.from(value), null) };
    await cluster.log.append(topic, partitionOf(hashOf(bytes, 'murmur2'), partitions), [record]);
    model.set(key, value);
    sent++;
  }

  async function bind(): Promise<void> {
    for (const key of keys) await produce(key, `value of ${key}`);
    await cluster.command('CreateNamespace', { name: ns, sourceTopic: topic, chunks: 2, replicas: 1 });
    await until('the namespace being active', () => cluster.view.state.namespace(ns)?.state === 'active');
    await cluster.ready();
  }

  const rangeOf = (chunkId: string): readonly (string | Buffer)[] => {
    const [at, page] = [
      { tableVersion: 0, maxAgeMs: -1, nowMs: Date.now(), deadlineMs: 2_000 },
      { from: Buffer.alloc(0), to: Buffer.alloc(0), limit: 10, bytesMax: 1 << 20, keysOnly: false, positions: [] },
    ];
    return rangeCommand({ namespace: ns, chunkId, ...at, ...page });
  };

  function isIn(chunkId: string, key: string): boolean {
    const { slot } = cluster.place(ns, key);
    return chunks().some((each) => each.chunkId === chunkId && slot >= each.slotStart && slot < each.slotEnd);
  }

  const chunks = (): ChunkState[] => [...cluster.view.state.chunksOf(ns)].sort((a, b) => a.slotStart - b.slotStart);

  async function everyReplicaHolds(): Promise<void> {
    const ends = await cluster.log.offsets(topic);
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

  async function carryOut(payload: object): Promise<void> {
    const id = await submit(cluster.log, topics, { kind: 'ProposePlan', payload, principal: 'test' });
    const { rejectionCode, rejectionMessage, seq } = await cluster.view.outcome(id, 10_000);
    if (rejectionCode !== null) throw new Error(`${rejectionCode}: ${rejectionMessage}`);
    const plan = () => cluster.view.state.plan(`p${seq}`);
    await until('the plan being done', () => plan()?.state === 'done', 40_000).catch((error: Error) => {
      throw new Error(`${error.message}: ${JSON.stringify(plan())}`);
    });
  }

  /** Everything in it is what its producers sent, one offset each. */
  async function holdsOnlyItsOwn(): Promise<void> {
    const ends = await cluster.log.offsets(topic);
    expect(ends.reduce((sum, { endOffset }) => sum + endOffset, 0)).toBe(sent);
  }

  it('is read at its end, moved and split while producers write, and nothing else ever stands in the topic', async () => {
    await bind();
    expect(cluster.view.state.namespace(ns)).toMatchObject({ partitions, sourceTopic: topic, writable: false });
    await everyReplicaHolds();
    let over = false;
    const writing = (async () => {
      for (let i = 0; !over; i++) {
        await produce(`key-${(i * 7) % 300}`, i % 5 === 0 ? null : `round ${i}`);
        await new Promise((resolve) => setTimeout(resolve, 3));
      }
    })();
    const [chunk] = chunks();
    const from = chunk!.replicas[0]!.nodeId;
    await carryOut({ kind: 'move', chunkId: chunk!.chunkId, from, to: from === 'n1' ? 'n2' : 'n1', observeMs: 100 });
    await carryOut({ kind: 'split', chunkId: chunk!.chunkId, observeMs: 100 });
    over = true;
    await writing;
    expect(chunks()).toHaveLength(3);
    await everyReplicaHolds();
    await holdsOnlyItsOwn();
  }, 90_000);

  it('deleting it leaves the topic, which can be bound again', async () => {
    await bind();
    await cluster.command('DeleteNamespace', { name: ns });
    await until('it being gone', () => cluster.view.state.namespace(ns)?.state === 'deleted');
    await holdsOnlyItsOwn();
    await cluster.command('CreateNamespace', { name: 'again', sourceTopic: topic, chunks: 1, replicas: 1 });
    await until('the other one being active', () => cluster.view.state.namespace('again')?.state === 'active');
    await cluster.ready();
    const key = keys[7]!;
    const place = cluster.place('again', key);
    const [only] = [...cluster.view.state.chunksOf('again')];
    const minOffset = (await cluster.log.offsets(topic))[place.partition]!.endOffset;
    const options = { minOffset, deadlineMs: 5_000 };
    expect(await cluster.read(only!.replicas[0]!.nodeId, 'again', [key], options)).toEqual([`value of ${key}`]);
  }, 60_000);

  it('another topic under its name is not read, however far it goes', async () => {
    await bind();
    const topicId = cluster.view.state.namespace(ns)?.sourceTopicId;
    await cluster.log.deleteTopics([topic]);
    await make();
    model.clear();
    for (let round = 0; round < 3; round++) for (const key of keys) await produce(key, `other ${round}`);
    expect((await cluster.log.describeTopics([topic]))[0]?.topicId).not.toBe(topicId);
    for (const { chunkId, replicas } of chunks()) {
      const node = cluster.nodes.get(replicas[0]!.nodeId)!;
      await until(`${chunkId} telling it`, () =>
        node.hosted.some((of) => of.chunkId === chunkId && of.places.all.some(({ trouble }) => trouble !== undefined)),
      );
    }
    for (const key of keys.slice(0, 20)) {
      const { slot } = cluster.place(ns, key);
      const chunk = chunks().find((each) => slot >= each.slotStart && slot < each.slotEnd)!;
      const [found] = await cluster.read(chunk.replicas[0]!.nodeId, ns, [key], {
        minOffset: asOffset(0),
        deadlineMs: 0,
      });
      expect(found).not.toMatch(/^other/);
    }
    await until('the master finding it', () => cluster.view.state.namespace(ns)?.sourceFinding === 'recreated', 30_000);
    expect(cluster.view.state.namespace(ns)?.sourceProblem).toMatch(
      /was deleted and created again: shop.prices was bound to/,
    );
    // Nobody reads what is held of the topic that was bound, not even who asks a node.
    const refused = /LVNOTREADY namespace 'shop.prices' is not read \(topic prices was deleted and created again/;
    for (const { chunkId, replicas } of chunks()) {
      const { nodeId } = replicas[0]!;
      const key = keys.find((each) => isIn(chunkId, each))!;
      await until('the node having heard of it', async () => refused.test((await cluster.read(nodeId, ns, [key]))[0]!));
      expect(await cluster.send(nodeId, ['LV.GET', ns, key])).toMatchObject({ text: expect.stringMatching(refused) });
      expect(await cluster.send(nodeId, rangeOf(chunkId))).toMatchObject({ text: expect.stringMatching(refused) });
    }
  }, 90_000);
});
