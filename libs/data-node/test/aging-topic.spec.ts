import { asOffset, asPartition } from '@levee/kernel';
import { hashOf, partitionOf } from '@levee/keyspace';
import type { EmbeddedLog } from '@levee/log-embedded';
import { SmallCluster, until } from './small-cluster';

const ns = 'shop.prices';
const topic = 'prices';
const partitions = 2;

/** Real master and nodes on one log with a topic that forgets by age. */
describe('a namespace whose values expire with the retention of its topic', () => {
  let cluster: SmallCluster;

  beforeEach(async () => {
    cluster = await SmallCluster.start();
    for (const nodeId of ['n1', 'n2']) await cluster.node(nodeId);
    await cluster.ready();
  });
  afterEach(() => cluster.close());

  async function produce(entries: readonly (readonly [string, string | null])[]): Promise<void> {
    for (const [key, value] of entries) {
      const bytes = Buffer.from(key);
      const record = { key: bytes, value: value === null ? null : Buffer.from(value) };
      await cluster.log.append(topic, partitionOf(hashOf(bytes, 'murmur2'), partitions), [record]);
    }
  }

  async function bind(retentionMs: number): Promise<void> {
    const settings = { 'cleanup.policy': 'delete', 'retention.ms': String(retentionMs) };
    await cluster.log.ensureTopics([{ name: topic, partitions, settings }]);
    await produce(Array.from({ length: 100 }, (_, i) => [`key-${i}`, `value ${i}`]));
    const knobs = { sourceTopic: topic, recordFormat: 'raw', expireWithRetention: true, chunks: 1, replicas: 2 };
    await cluster.command('CreateNamespace', { name: ns, ...knobs });
    await until('the namespace being active', () => cluster.view.state.namespace(ns)?.state === 'active');
    await cluster.ready();
  }

  /** Of each key at the end of the log, as of `nowMs`. */
  async function readsOf(nodeId: string, keys: readonly string[], nowMs: number): Promise<string[]> {
    const ends = await cluster.log.offsets(topic);
    const found: string[] = [];
    for (const key of keys) {
      const minOffset = ends[cluster.place(ns, key).partition]!.endOffset;
      found.push(...(await cluster.read(nodeId, ns, [key], { minOffset, deadlineMs: 10_000, nowMs })));
    }
    return found;
  }

  /** As retention does when it finds whole segments too old. */
  async function letGo(keeps: number): Promise<void> {
    for (const { partition, endOffset } of await cluster.log.offsets(topic)) {
      const from = asOffset(endOffset - keeps);
      expect(await (cluster.log as EmbeddedLog).deleteRecordsBefore(topic, asPartition(partition), from)).toBe(from);
    }
  }

  it('a node that was away until the topic had let go of what it needs next is built anew; nobody else is', async () => {
    await bind(15_000);
    const bornMs = Date.now();
    expect(cluster.view.state.namespace(ns)).toMatchObject({ retentionMs: 15_000, hiddenAfterMs: 11_250 });
    expect(await readsOf('n2', ['key-1', 'key-2'], bornMs)).toEqual(['value 1', 'value 2']);
    await cluster.stopNode('n2');
    await produce(Array.from({ length: 100 }, (_, i) => [`key-${i}`, i % 10 === 0 ? null : `newer ${i}`]));
    const others = Array.from({ length: 100 }, (_, i) => `other-${i}`);
    await produce(others.map((key, i) => [key, `last ${i}`]));
    // It has all of it before the topic lets go: what it had not read by then it would be built anew for too.
    expect(await readsOf('n1', ['key-1', ...others], bornMs)).toEqual([
      'newer 1',
      ...others.map((_, i) => `last ${i}`),
    ]);
    await letGo(20);
    await cluster.node('n2');
    await cluster.ready();
    const kept = (await readsOf('n2', others, bornMs)).filter((value) => value !== 'nil');
    expect(kept).toHaveLength(20 * partitions);
    // It does not hold on to what it had seen and the topic has replaced since.
    expect(await readsOf('n2', ['key-1', 'key-10'], bornMs)).toEqual(['nil', 'nil']);
    // By the time that the topic may let go of them nobody has any of them.
    const laterMs = Date.now() + 11_250;
    for (const nodeId of ['n1', 'n2'])
      expect(new Set(await readsOf(nodeId, [...others, 'key-1', 'key-2'], laterMs))).toEqual(new Set(['nil']));
    expect(cluster.view.state.namespace(ns)).toMatchObject({ sourceFinding: 'none' });
    expect((await readsOf('n1', ['key-1', 'key-10'], bornMs)).join()).toBe('newer 1,nil');
  }, 60_000);

  it('a start that moves is no finding, unless something went before its time', async () => {
    await bind(3_600_000);
    // Again and again: the master may not have looked before the first time.
    const strike = async (): Promise<boolean> => {
      await produce([['key-1', 'newer']]);
      await letGo(1);
      await new Promise((resolve) => setTimeout(resolve, 200));
      return cluster.view.state.namespace(ns)?.sourceFinding === 'cut';
    };
    await until('the master finding it', strike, 40_000);
    expect(cluster.view.state.namespace(ns)?.sourceProblem).toMatch(
      /^partition \d of prices begins at offset \d+ now, behind a record that is younger than retention\.ms=3600000, as it was bound: somebody deleted/,
    );
  }, 60_000);

  it('what went by a retention that was lowered for a while is found, though it is set back', async () => {
    await bind(3_600_000);
    const finding = (): string | undefined => cluster.view.state.namespace(ns)?.sourceFinding;
    await cluster.log.alterTopic(topic, { 'retention.ms': '1000' });
    await until('the master seeing that it is lowered', () => finding() === 'policy', 40_000);
    // Reads go on until it takes effect.
    expect(await readsOf('n1', ['key-1'], Date.now())).toEqual(['value 1']);
    await letGo(0);
    await cluster.log.alterTopic(topic, { 'retention.ms': '3600000' });
    await until('the master saying more than that it is set back', () => finding() !== 'policy', 40_000);
    expect(cluster.view.state.namespace(ns)).toMatchObject({
      sourceFinding: 'cut',
      sourceProblem: expect.stringMatching(/or lowered the retention, and replicas of shop\.prices hold/) as string,
    });
  }, 60_000);

  it('a topic that cannot be looked at does not hide what happens to others', async () => {
    const { log } = cluster;
    const settings = { 'cleanup.policy': 'delete', 'retention.ms': '3600000' };
    await log.ensureTopics([{ name: 'dark', partitions, settings }]);
    const knobs = { sourceTopic: 'dark', recordFormat: 'raw', expireWithRetention: true, chunks: 1, replicas: 1 };
    await cluster.command('CreateNamespace', { name: 'shop.dark', ...knobs });
    await until('it being active', () => cluster.view.state.namespace('shop.dark')?.state === 'active');
    await bind(3_600_000);
    const offsets = log.offsets.bind(log);
    let asked = 0;
    log.offsets = (name) => (name === 'dark' && asked++ >= 0 ? Promise.reject(new Error('no leader')) : offsets(name));
    await log.alterTopic(topic, { 'retention.ms': '7200000' });
    await until('the master seeing it', () => cluster.view.state.namespace(ns)?.sourceFinding === 'policy', 40_000);
    expect(asked).toBeGreaterThan(0);
  }, 60_000);
});
