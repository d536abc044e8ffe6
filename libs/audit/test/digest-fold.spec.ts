import { MemoryLevel } from 'memory-level';
import { openMemory, prepareBatch, Replica, ReplicaSnapshot } from '@levee/chunk-store';
import { encodePut, expiryHeader, type RecordFormatName } from '@levee/codec';
import { asOffset, asPartition, ByteRate, hash128 } from '@levee/kernel';
import { hashOf, partitionOf } from '@levee/keyspace';
import { type Log, systemClock, systemTimers } from '@levee/log';
import { EmbeddedLog } from '@levee/log-embedded';
import { dice, seed } from '../../../test/support/seed';
import { foldDigests } from '../src/continuous/digest-fold';
import { KeyTable } from '../src/continuous/key-table';

const topic = 'levee.binlog.shop';
const partitions = 2;
const partition = asPartition(1);
const nowMs = 2_000_000_000_000;

describe(`the digest of a log alone (seed ${seed})`, () => {
  let log: Log;
  let sequence = 0;
  const random = dice(seed);
  const below = (count: number): number => Math.floor(random() * count);

  beforeEach(async () => {
    log = await EmbeddedLog.open({
      db: new MemoryLevel<Buffer, Buffer>({ keyEncoding: 'buffer', valueEncoding: 'buffer' }),
    });
    await log.ensureTopics([{ name: topic, partitions, settings: { 'cleanup.policy': 'compact' } }]);
  });
  afterEach(() => log.close());

  /** Values, deletions, what expires, what nobody can read, keys of other partitions and too long ones. */
  async function write(recordFormat: RecordFormatName, count: number, keys: number): Promise<void> {
    for (let written = 0; written < count; written += 50) {
      const records = Array.from({ length: Math.min(50, count - written) }, () => {
        const key = Buffer.from(below(100) === 0 ? 'x'.repeat(40_000) : `key ${below(keys)}`);
        if (below(8) === 0) return { key, value: null };
        if (below(30) === 0) return { key, value: Buffer.from('no Put') };
        const expiresAtMs = below(4) === 0 ? nowMs + below(2_000) - 1_000 : null;
        const value = Buffer.from(`value ${sequence++}`);
        if (recordFormat === 'put') return { key, value: encodePut(key, value, expiresAtMs) };
        const headers = expiresAtMs === null ? [] : [{ key: expiryHeader, value: Buffer.from(`${expiresAtMs}`) }];
        return { key, value, headers };
      });
      await log.append(topic, partition, records);
    }
  }

  const range = (index: number, count: number) => ({
    chunkId: `shop#1/c0000${index}`,
    slotStart: Math.floor((index * 1_000_000) / count),
    slotEnd: Math.floor(((index + 1) * 1_000_000) / count),
  });

  /** As a replica digests it, by the code that applies. */
  async function digestOfReplica(
    chunk: ReturnType<typeof range>,
    recordFormat: RecordFormatName,
    toOffset: number,
    hiddenAfterMs: number | null = null,
  ): Promise<unknown> {
    const identity = {
      ...{ clusterId: 'c', namespace: 'shop', binlog: topic, unitId: 'n1/u01', generation: 1, partitions },
      ...{ ...chunk, hashAlgorithm: 'murmur2' as const, recordFormat },
    };
    const replica = await Replica.open(await openMemory(), identity);
    const stop = new AbortController();
    for await (const batch of log.tail(
      topic,
      partition,
      { nextOffset: asOffset(0), leaderEpoch: -1 },
      { signal: stop.signal },
    )) {
      const records = batch.records.filter(({ offset }) => offset < toOffset);
      const nextOffset = asOffset(Math.min(batch.nextOffset, toOffset));
      const prepared = prepareBatch(
        { ...batch, records, nextOffset },
        { hashAlgorithm: 'murmur2', partitions, recordFormat, hiddenAfterMs },
      );
      await replica.apply(prepared, { from: 0, to: records.length, firstOffset: batch.firstOffset, nextOffset });
      if (nextOffset >= toOffset) break;
    }
    stop.abort();
    const snapshot = ReplicaSnapshot.take(replica);
    const digest = await snapshot.digest(partition, nowMs, systemClock);
    await snapshot.close();
    await replica.close();
    return digest;
  }

  it.each<[RecordFormatName, string, number]>([
    ['put', 'one pass', 64 << 20],
    ['raw', 'one pass', 64 << 20],
    ['raw', 'of a topic that forgets by age', 64 << 20],
    ['put', 'passes that the memory allows', 128 << 10],
  ])('is that of a replica: %s, %s', async (recordFormat, what, tableBytesMax) => {
    const begunMs = systemClock.nowMs();
    await write(recordFormat, 9_000, 6_000);
    // What was written in the first half of the time has expired by then.
    const middleMs = Math.floor((begunMs + systemClock.nowMs()) / 2);
    const hiddenAfterMs = what === 'of a topic that forgets by age' ? nowMs - middleMs : null;
    const end = (await log.offsets(topic))[partition]!.endOffset;
    const toOffset = end - 1_000;
    const chunks = [range(0, 3), range(1, 3), range(2, 3)];
    let bytes = 0;
    const found = await foldDigests(
      log,
      { topic, partition, partitions, hashAlgorithm: 'murmur2', recordFormat, hiddenAfterMs },
      {
        ...{ toOffset, timeMs: nowMs, chunks, tableBytesMax, clock: systemClock },
        signal: new AbortController().signal,
        rate: new ByteRate(0, systemClock, systemTimers),
        onBytes: (count) => (bytes += count),
      },
    );
    // The first one has no slot in this partition.
    for (const chunk of chunks.slice(1))
      expect({ chunk, ...found.get(chunk.chunkId) }).toEqual({
        chunk,
        ...((await digestOfReplica(chunk, recordFormat, toOffset, hiddenAfterMs)) as object),
      });
    expect(found.get('shop#1/c00000')?.keys).toBe(0);
    const keys = (found.get('shop#1/c00001')?.keys ?? 0) + (found.get('shop#1/c00002')?.keys ?? 0);
    expect(keys).toBeGreaterThan(hiddenAfterMs === null ? 1_500 : 100);
    expect(bytes).toBeGreaterThan(100_000);
  });

  it('counts no key of another partition', async () => {
    const keys = Array.from({ length: 100 }, (_, i) => Buffer.from(`key ${i}`));
    await log.append(
      topic,
      partition,
      keys.map((key) => ({ key, value: encodePut(key, key, null) })),
    );
    const chunks = [range(0, 1)];
    const found = await foldDigests(
      log,
      { topic, partition, partitions, hashAlgorithm: 'murmur2', recordFormat: 'put' },
      {
        ...{ toOffset: 100, timeMs: nowMs, chunks, tableBytesMax: 1 << 20, clock: systemClock },
        signal: new AbortController().signal,
        rate: new ByteRate(0, systemClock, systemTimers),
        onBytes: () => undefined,
      },
    );
    const own = keys.filter((key) => partitionOf(hashOf(key, 'murmur2'), partitions) === partition);
    expect(found.get('shop#1/c00000')?.keys).toBe(own.length);
  });

  it('fails where the log does not reach so far, and is not provable', async () => {
    await write('put', 100, 50);
    const fold = foldDigests(
      log,
      { topic, partition, partitions, hashAlgorithm: 'murmur2', recordFormat: 'put' },
      {
        ...{ toOffset: 101, timeMs: nowMs, chunks: [range(0, 1)], tableBytesMax: 1 << 20, clock: systemClock },
        signal: new AbortController().signal,
        rate: new ByteRate(0, systemClock, systemTimers),
        onBytes: () => undefined,
      },
    );
    await expect(fold).rejects.toMatchObject({ code: 'NOT_PROVABLE' });
  });

  it('a table holds what a map holds, within its bounds', () => {
    const table = new KeyTable(128 << 10);
    const map = new Map<string, number>();
    let full = 0;
    for (let step = 0; step < 20_000; step++) {
      const name = `key ${below(2_500)}`;
      const key = hash128([Buffer.from(name)]);
      if (below(3) === 0) {
        table.delete(key);
        map.delete(name);
      } else if (table.set(key, hash128([Buffer.from(`${step}`)]), step, 0)) map.set(name, step);
      else full++;
    }
    const held: number[] = [];
    table.forEach((_, slot) => held.push(slot));
    expect(held.sort((a, b) => a - b)).toEqual([...map.values()].sort((a, b) => a - b));
    expect(full).toBeGreaterThan(0);

    table.keepBelow(2 ** 31);
    const kept = [...map].filter(([name]) => hash128([Buffer.from(name)])[0]! < 2 ** 31).map(([, step]) => step);
    const left: number[] = [];
    table.forEach((_, slot) => left.push(slot));
    expect(left.sort((a, b) => a - b)).toEqual(kept.sort((a, b) => a - b));
  });
});
