import { randomUUID } from 'node:crypto';
import { DigestTail, proofIdOf, submit } from '@levee/journal';
import { asPartition, ByteRate, silentLogger } from '@levee/kernel';
import { hashOf, partitionOf } from '@levee/keyspace';
import { type Log, LogFailure, systemClock, systemTimers } from '@levee/log';
import { SmallCluster, topics, until } from '../../data-node/test/small-cluster';
import { compareBound } from '../src/continuous/prove-bound';
import type { ProvingWorld } from '../src/continuous/proving-world';

jest.setTimeout(120_000);

const ns = 'shop.prices';
const topic = 'prices';
const partitions = 6;
const keys = Array.from({ length: 3_000 }, (_, i) => `key-${i}`);

/** One comparison of real replicas with a topic that none of them made. */
describe('a comparison of a bound namespace with its topic', () => {
  let cluster: SmallCluster;
  let digests: DigestTail;

  beforeEach(async () => {
    cluster = await SmallCluster.start();
    for (const nodeId of ['n1', 'n2']) await cluster.node(nodeId);
    await until('both nodes being registered', () => [...cluster.view.state.nodes()].length === 2);
    await cluster.log.ensureTopics([{ name: topic, partitions, settings: { 'cleanup.policy': 'compact' } }]);
    for (const key of keys) await produce(key, 'v');
    const knobs = { sourceTopic: topic, recordFormat: 'raw', chunks: 2, replicas: 2 };
    await cluster.command('CreateNamespace', { name: ns, ...knobs });
    await until('the namespace being active', () => cluster.view.state.namespace(ns)?.state === 'active');
    await cluster.ready();
    digests = new DigestTail(cluster.log, topics, { timers: systemTimers, logger: silentLogger });
  });
  afterEach(async () => {
    await digests.close();
    await cluster.close();
  });

  async function produce(key: string, value: string): Promise<void> {
    const bytes = Buffer.from(key);
    const partition = asPartition(partitionOf(hashOf(bytes, 'murmur2'), partitions));
    await cluster.log.append(topic, partition, [{ key: bytes, value: Buffer.from(value) }]);
  }

  const orders = async (): Promise<number> => (await cluster.records(topics.digests)).length;

  async function compared(but: Partial<ProvingWorld> = {}): Promise<string[]> {
    const world: ProvingWorld = {
      ...{ log: cluster.log, view: cluster.view, digests, clock: systemClock, timers: systemTimers },
      ...{ newId: () => randomUUID(), principal: 'test', tableBytesMax: 64 << 20, onBytes: () => undefined },
      submit: (command) => submit(cluster.log, topics, command),
      ...{ rate: new ByteRate(0, systemClock, systemTimers), signal: new AbortController().signal },
      ...but,
    };
    const chunks = [...cluster.view.state.chunksOf(ns)].sort((a, b) => a.slotStart - b.slotStart);
    const found = await compareBound(world, cluster.view.state.namespace(ns)!, chunks);
    expect([...found.keys()]).toEqual(chunks.map(({ chunkId }) => chunkId));
    return [...found.values()].flat().map(({ partition, log, why, replicas, proofId }) => {
      if (log === undefined) return `${partition}: ${why}`;
      expect(proofId).toMatch(new RegExp(`^${proofIdOf('')}`));
      const same = [...replicas.values()].filter((told) => told.digest === log.digest && told.keys === log.keys);
      return `${partition}: ${log.keys > 0 ? 'keys' : 'none'}, ${same.length} of ${replicas.size} the same`;
    });
  }

  const all = [0, 1, 2, 3, 4, 5].map((partition) => `${partition}: keys, 2 of 2 the same`);

  it('names each partition once, with what both replicas and the log say', async () => {
    expect(await compared()).toEqual(all);
  });

  it('with less memory follows fewer partitions at a time, and comes to the same', async () => {
    // 500 keys of a partition: a table of all of it holds 768, one of a quarter 192.
    const before = await orders();
    expect(await compared({ tableBytesMax: 128 << 10 })).toEqual(all);
    expect(await orders()).toBeGreaterThan(before);
  });

  it('says so where memory does not hold a chunk’s keys of one partition, and what helps', async () => {
    for (let i = 0; i < 6_000; i++) await produce(`more-${i}`, 'v');
    const found = await compared({ tableBytesMax: 128 << 10 });
    expect(found).toHaveLength(6);
    for (const each of found)
      expect(each).toMatch(
        /^\d: prices partition \d has more keys of one chunk than 131072 bytes .*: split the chunk$/,
      );
  });

  it('a topic that may not be read is not provable, with the reason; nobody is asked for digests', async () => {
    const before = await orders();
    const closed = Object.create(cluster.log) as Log;
    closed.tail = () => {
      throw new Error('unexpected');
    };
    await expect(compared({ log: closed })).rejects.toThrow('unexpected');
    closed.tail = () => {
      throw new LogFailure('LOG_UNAVAILABLE', 'the Kafka user of this process may not read the topic');
    };
    expect(new Set((await compared({ log: closed })).map((each) => each.slice(3)))).toEqual(
      new Set(['the Kafka user of this process may not read the topic']),
    );
    expect(await orders()).toBe(before);
  });
});
