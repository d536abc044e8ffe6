import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  expiredKeptMs,
  LoopReader,
  openLevelDb,
  openMemory,
  prepareBatch,
  ReaderThread,
  Replica,
  ReplicaSnapshot,
  sweepExpired,
  ThreadReader,
} from '@levee/chunk-store';
import { decodeAs, encodePut } from '@levee/codec';
import { type DigestedReplica, DigestQueue, type RecordOutbox } from '@levee/data-node';
import { asOffset, asPartition, silentLogger, type Timers } from '@levee/kernel';
import { hashOf, partitionOf } from '@levee/keyspace';
import { type LogBatch, type StoredRecord, systemClock, systemTimers } from '@levee/log';
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
  recordFormat: 'put',
} as const;
const nowMs = 1_000_000;

const execArgv = ['--require', join(__dirname, '..', '..', '..', 'test', 'support', 'ts-thread.cjs')];
const paces = { copy: systemClock, digest: systemClock };

describe.each([
  ['in the event loop', false],
  ['in a thread', true],
])('digests at the barriers of several partitions, %s', (_, inThread) => {
  let folder: string;
  const thread = new ReaderThread({ clock: systemClock, timers: systemTimers, logger: silentLogger, execArgv });
  let replica: Replica;
  let queue: DigestQueue;
  let published: Map<number, string>;
  const next = new Map<number, number>();
  /** How much longer than in a node the first barrier waits for the others. */
  let patience = 1;
  const timers: Timers = { after: (delayMs, action) => systemTimers.after(delayMs * patience, action) };

  afterAll(() => thread.close());
  beforeEach(async () => {
    next.clear();
    patience = 1;
    published = new Map();
    folder = await mkdtemp(join(tmpdir(), 'levee-digests-'));
    replica = await Replica.open(inThread ? await openLevelDb(folder) : await openMemory(), identity);
    const outbox = {
      add: ({ value }: { value: Buffer }) => {
        const { partition, digest } = decodeAs('ReplicaDigest', value);
        published.set(partition, digest);
      },
    } as unknown as RecordOutbox;
    const node = { nodeId: 'n1', storeId: 's', incarnation: 'i' };
    queue = new DigestQueue(node, outbox, {
      clock: systemClock,
      timers,
      logger: silentLogger,
      reader: inThread ? new ThreadReader(thread, paces) : new LoopReader(paces),
    });
    for (let i = 0; i < 200; i++) await write(`key-${i}`, `value-${i}`);
  });

  afterEach(async () => {
    queue.close();
    await replica.close();
    await rm(folder, { recursive: true });
  });

  async function write(key: string, value: string | null, expiresAtMs: number | null = null): Promise<void> {
    const bytes = Buffer.from(key);
    const partition = asPartition(partitionOf(hashOf(bytes, 'murmur2'), partitions));
    const offset = asOffset(next.get(partition) ?? 0);
    next.set(partition, offset + 1);
    const record = {
      offset,
      timestampMs: nowMs,
      key: bytes,
      value: value === null ? null : encodePut(bytes, Buffer.from(value), expiresAtMs),
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
    const hosted: DigestedReplica = { chunkId: identity.chunkId, damagedBy: () => false };
    const place = { partition: asPartition(partition), offset: asOffset(next.get(partition) ?? 0), timeMs: nowMs };
    queue.add({ hosted, replica, digestPlan: 'p', ...place });
  }

  async function expected(partition: number): Promise<string> {
    const snapshot = ReplicaSnapshot.take(replica);
    const { digest } = await snapshot.digest(asPartition(partition), nowMs, systemClock);
    await snapshot.close();
    return digest;
  }

  it('share one scan', async () => {
    const digests = await Promise.all([0, 1, 2, 3].map(expected));
    for (const partition of [0, 1, 2, 3]) barrier(partition);
    await until('all digests', () => published.size === 4);
    expect([0, 1, 2, 3].map((partition) => published.get(partition))).toEqual(digests);
    expect(queue.counts).toMatchObject({ computed: 4, scans: 1 });
  });

  it('are each of the state at its own barrier, whatever is written between them and behind the last', async () => {
    // What is written between two barriers may take long on a busy machine.
    patience = 100;
    const digests: string[] = [];
    for (const partition of [3, 1, 0, 2]) {
      digests[partition] = await expected(partition);
      barrier(partition);
      for (let i = 0; i < 40; i++) await write(`key-${i}`, `after barrier ${partition}`);
      for (let i = 40 + partition; i < 80; i += 4) await write(`key-${i}`, null);
      for (let i = 0; i < 10; i++) await write(`new-${partition}-${i}`, 'x');
    }
    await until('all digests', () => published.size === 4);
    expect([0, 1, 2, 3].map((partition) => published.get(partition))).toEqual(digests);
    expect(queue.counts).toMatchObject({ computed: 4, scans: 1 });
  });

  it('do not wait for partitions whose barriers never come', async () => {
    const digest = await expected(2);
    barrier(2);
    await write('key-1', 'later');
    await until('the digest', () => published.size === 1);
    expect(published.get(2)).toBe(digest);
  });

  it('asked for again before the first ones are made are those of the second barrier', async () => {
    barrier(1);
    for (let i = 0; i < 40; i++) await write(`key-${i}`, 'between');
    const digest = await expected(1);
    barrier(1);
    await until('both digests', () => queue.counts.computed === 2);
    expect(published.get(1)).toBe(digest);
  });

  it('are not changed by a sweep that removes, between two barriers, what had not expired at the first', async () => {
    for (let i = 0; i < 40; i++) await write(`brief-${i}`, 'x', nowMs + 1);
    const digests = await Promise.all([0, 1].map(expected));
    barrier(0);
    expect(await sweepExpired(replica, nowMs + 1 + expiredKeptMs, systemClock)).toMatchObject({ removed: 40 });
    const swept = await expected(1);
    barrier(1);
    await until('both digests', () => published.size === 2);
    expect(swept).not.toBe(digests[1]);
    expect([0, 1].map((partition) => published.get(partition))).toEqual([digests[0], swept]);
    expect(queue.counts).toMatchObject({ scans: 2 });
  });
});
