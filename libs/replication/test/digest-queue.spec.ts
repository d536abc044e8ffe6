import { openMemory, prepareBatch, Replica, ReplicaSnapshot } from '@levee/chunk-store';
import { decodeAs, encodePut } from '@levee/codec';
import { asOffset, asPartition, silentLogger } from '@levee/kernel';
import { hashOf, partitionOf } from '@levee/keyspace';
import { type LogBatch, type StoredRecord, systemClock } from '@levee/log';
import { DigestQueue, type HostedReplica, type RecordOutbox } from '@levee/replication';
import { until } from './small-cluster';

const partitions = 4;
const identity = {
  clusterId: 'c',
  namespace: 'shop',
  binlog: 'levee.binlog.shop',
  chunkId: 'shop#1/c00001',
  unitId: 'n1/u01',
  generation: 1,
  slotStart: 0,
  slotEnd: 1_000_000,
  partitions,
  hashAlgorithm: 'murmur2',
} as const;
const nowMs = 1_000_000;

describe('digests at the barriers of several partitions', () => {
  let replica: Replica;
  let queue: DigestQueue;
  let published: Map<number, string>;
  const next = new Map<number, number>();

  beforeEach(async () => {
    next.clear();
    published = new Map();
    replica = await Replica.open(await openMemory(), identity);
    const outbox = {
      add: ({ value }: { value: Buffer }) => {
        const { partition, digest } = decodeAs('ReplicaDigest', value);
        published.set(partition, digest);
      },
    } as unknown as RecordOutbox;
    const node = { nodeId: 'n1', storeId: 's', incarnation: 'i' };
    queue = new DigestQueue(node, outbox, { clock: systemClock, logger: silentLogger });
    for (let i = 0; i < 200; i++) await write(`key-${i}`, `value-${i}`);
  });

  afterEach(async () => {
    queue.close();
    await replica.close();
  });

  async function write(key: string, value: string): Promise<void> {
    const bytes = Buffer.from(key);
    const partition = asPartition(partitionOf(hashOf(bytes, 'murmur2'), partitions));
    const offset = asOffset(next.get(partition) ?? 0);
    next.set(partition, offset + 1);
    const record = {
      offset,
      timestampMs: nowMs,
      key: bytes,
      value: encodePut(bytes, Buffer.from(value), null),
      headers: [],
    };
    const batch: LogBatch = {
      topic: identity.binlog,
      partition,
      firstOffset: offset,
      nextOffset: asOffset(offset + 1),
      endOffset: asOffset(offset + 1),
      leaderEpoch: 0,
      records: [record as unknown as StoredRecord],
    };
    const prepared = prepareBatch(batch, identity);
    await replica.apply(prepared, { from: 0, to: 1, firstOffset: offset, nextOffset: offset + 1 });
  }

  function barrier(partition: number): void {
    const hosted = { chunkId: identity.chunkId, damaged: () => undefined } as unknown as HostedReplica;
    const place = { partition: asPartition(partition), offset: asOffset(next.get(partition) ?? 0), timeMs: nowMs };
    queue.add({ hosted, replica, digestPlan: 'p', ...place });
  }

  async function expected(partition: number): Promise<string> {
    const snapshot = ReplicaSnapshot.take(replica);
    const { digest } = await snapshot.digest(asPartition(partition), nowMs, systemClock);
    await snapshot.close();
    return digest;
  }

  it('share one scan where nothing was written between the barriers', async () => {
    const digests = await Promise.all([0, 1, 2, 3].map(expected));
    for (const partition of [0, 1, 2, 3]) barrier(partition);
    await until('all digests', () => published.size === 4);
    expect([0, 1, 2, 3].map((partition) => published.get(partition))).toEqual(digests);
    // The first begins at once; whoever comes meanwhile goes together.
    expect(queue.counts).toMatchObject({ computed: 4, scans: 2 });
  });

  it('are each of the state at its own barrier where something was written between them', async () => {
    const digests: string[] = [];
    for (const partition of [0, 1, 2, 3]) {
      digests.push(await expected(partition));
      barrier(partition);
      for (let i = 0; i < 40; i++) await write(`key-${i}`, `after barrier ${partition}`);
    }
    await until('all digests', () => published.size === 4);
    expect([0, 1, 2, 3].map((partition) => published.get(partition))).toEqual(digests);
    expect(queue.counts).toMatchObject({ computed: 4, scans: 4 });
  });
});
