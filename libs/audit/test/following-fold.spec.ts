import { asOffset, asPartition, ByteRate, type Clock, Digest, failureCode, hash128 } from '@levee/kernel';
import { type Log, type LogBatch, LogFailure, systemClock, systemTimers } from '@levee/log';
import { dice, seed } from '../../../test/support/seed';
import { FollowingFold, type FollowingFoldOptions, TooManyKeys } from '../src/continuous/following-fold';
import type { FoldPlace } from '../src/fold-partition';
import { CleanedPartition } from './cleaned-partition';

const topicId = 'id-1';
const chunk = { chunkId: 'prices#1/c00001', slotStart: 0, slotEnd: 1_000_000 };
const deleteRetentionMs = 4_000;
const place: FoldPlace = {
  ...{ topic: 'prices', partition: 0, partitions: 1 },
  ...({ hashAlgorithm: 'murmur2', recordFormat: 'raw' } as const),
};

/** A log of one partition that somebody writes to and cleans while it is read: `meanwhile` is called before each fetch. */
function logOf(partition: CleanedPartition, meanwhile: () => void): Log {
  return {
    offsets: () =>
      Promise.resolve([
        {
          partition: asPartition(0),
          startOffset: asOffset(partition.startOffset),
          endOffset: asOffset(partition.endOffset),
        },
      ]),
    async *tail(_: string, __: number, from: { nextOffset: number }, { topicId: asked }: { topicId: string }) {
      expect(asked).toBe(topicId);
      for (let at = from.nextOffset; ;) {
        meanwhile();
        // As a broker's answer does, it comes from the next turn of the event loop.
        await new Promise((resolve) => setImmediate(resolve));
        if (at < partition.startOffset)
          throw new LogFailure('OFFSET_OUT_OF_RANGE', `${at} is below ${partition.startOffset}`);
        const batch = fetched(partition, at);
        yield batch;
        at = batch.nextOffset;
      }
    },
  } as unknown as Log;
}

function fetched(partition: CleanedPartition, at: number): LogBatch {
  const of = { topic: 'prices', partition: asPartition(0), leaderEpoch: 0, endAskedMs: partition.nowMs };
  const end = asOffset(partition.endOffset);
  const found = partition.batchFrom(at);
  if (found === undefined) {
    const missing = at < end ? { missingBelow: end } : {};
    return { ...of, ...missing, firstOffset: asOffset(at), nextOffset: end, endOffset: end, records: [] };
  }
  const { baseOffset, nextOffset, kind, recordCount } = found;
  const isThin = kind !== 'control' && recordCount < nextOffset - baseOffset;
  const missingBelow = isThin ? nextOffset : baseOffset > at ? baseOffset : undefined;
  const records = kind === 'data' ? found.records().filter(({ offset }) => offset >= at) : [];
  return {
    ...{ ...of, ...(missingBelow === undefined ? {} : { missingBelow }) },
    ...{ firstOffset: asOffset(at), nextOffset, endOffset: end, records: [...records] },
  };
}

const clockOf = (partition: CleanedPartition): Clock => ({
  nowMs: () => partition.nowMs,
  monotonicMs: () => partition.nowMs,
});

function foldOf(partition: CleanedPartition, log: Log, of: Partial<FollowingFoldOptions> = {}): FollowingFold {
  const clock = clockOf(partition);
  return new FollowingFold(log, place, {
    ...{ topicId, chunks: [chunk], tableBytesMax: 1 << 20, readWithinMs: deleteRetentionMs / 2, clock },
    ...{ signal: new AbortController().signal, rate: new ByteRate(0, systemClock, systemTimers) },
    onBytes: () => undefined,
    ...of,
  });
}

/** By everything that was ever appended. */
function truthAt(partition: CleanedPartition, keys: readonly string[], nextOffset: number): object {
  const digest = new Digest();
  let count = 0;
  for (const key of keys) {
    const value = partition.truth(key, { nextOffset })?.value ?? null;
    if (value === null) continue;
    digest.add(hash128([Buffer.from(key), Buffer.from(value)], new Uint32Array(4)));
    count++;
  }
  return { digest: digest.toHex(), keys: count };
}

describe(`what a log says that its owner compacts at any time (seed ${seed})`, () => {
  const random = dice(seed);
  const below = (count: number): number => Math.floor(random() * count);
  const keys = Array.from({ length: 14 }, (_, i) => `key ${i}`);
  let written = 0;

  function write(partition: CleanedPartition): void {
    const records = Array.from({ length: 1 + below(4) }, () => {
      const key = keys[below(keys.length)] as string;
      return { key, value: below(4) === 0 ? null : `v${written++}` };
    });
    const kind = below(8) === 0 ? 'void' : below(12) === 0 ? 'control' : 'data';
    partition.append(kind === 'control' ? [{ value: null }] : records, { kind });
  }

  it('while a producer writes and the cleaner runs, it is exactly what was written, or nothing is said', async () => {
    const counts = { said: 0, silent: 0, tooLong: 0 };
    for (let round = 0; round < 600; round++) {
      const partition = new CleanedPartition({ lagMs: 0, deleteRetentionMs }, random, { skewMs: 0, brokers: 1 });
      for (let i = below(60); i >= 0; i--) write(partition);
      const pace = 1 + below(4);
      // On its way to a place much more is written than it reads: what replaces a record may stand behind the place.
      let bursts = 0;
      const meanwhile = (): void => {
        partition.nowMs += below(10) === 0 ? below(3_000) : below(40);
        if (below(pace) === 0) for (let i = 0; i <= bursts; i++) write(partition);
        if (below(2) === 0) partition.clean();
        if (below(6) === 0) partition.cleanWhole(0);
      };
      const fold = foldOf(partition, logOf(partition, meanwhile));
      try {
        for (let places = 0; places < 6; places++) {
          await fold.toEnd();
          bursts = below(2) * below(12);
          for (let i = below(8); i > 0; i--) meanwhile();
          const at = partition.endOffset + below(6);
          const holds = await fold.to(at, partition.nowMs + 3_000);
          bursts = 0;
          if (!holds) counts.silent++;
          else {
            counts.said++;
            expect({ round, at, ...fold.digests(0).get(chunk.chunkId) }).toEqual({
              ...{ round, at },
              ...truthAt(partition, keys, at),
            });
          }
        }
      } catch (error) {
        if (failureCode(error) !== 'NOT_PROVABLE') throw error;
        counts.tooLong++;
      } finally {
        fold.close();
      }
    }
    // It is of use, and each way out is there.
    expect(counts.said).toBeGreaterThan(60);
    expect(counts.silent).toBeGreaterThan(20);
    expect(counts.tooLong).toBeGreaterThan(1);
  }, 60_000);

  it('a place that it has passed says nothing, and the next one does', async () => {
    const partition = new CleanedPartition({ lagMs: 0, deleteRetentionMs }, random, { skewMs: 0, brokers: 1 });
    for (let i = 0; i < 20; i++) write(partition);
    const fold = foldOf(
      partition,
      logOf(partition, () => undefined),
    );
    await fold.toEnd();
    const end = partition.endOffset;
    expect(await fold.to(end - 1, Infinity)).toBe(false);
    expect(await fold.to(end, Infinity)).toBe(true);
    expect(fold.digests(0).get(chunk.chunkId)).toEqual(truthAt(partition, keys, end));
    fold.close();
  });

  it('where a topic that forgets by age overtakes it, it begins anew; of another one that is a cut', async () => {
    const begun = (): CleanedPartition => {
      const made = new CleanedPartition({ lagMs: 0, deleteRetentionMs }, random, { skewMs: 0, brokers: 1 });
      for (const key of keys) made.append([{ key, value: 'v' }]);
      return made;
    };
    const partition = begun();
    let fetches = 0;
    const log = logOf(partition, () => void (++fetches === 5 && partition.deleteBelow(6)));
    const clock = clockOf(partition);
    const signal = new AbortController().signal;
    const options = {
      ...{ topicId, chunks: [chunk], tableBytesMax: 1 << 20, readWithinMs: deleteRetentionMs / 2, clock, signal },
      ...{ rate: new ByteRate(0, systemClock, systemTimers), onBytes: () => undefined },
    };
    const fold = new FollowingFold(log, { ...place, hiddenAfterMs: 3_600_000 }, options);
    await fold.toEnd();
    expect(fold.startOffset).toBe(6);
    expect(fold.digests(0).get(chunk.chunkId)?.keys).toBe(keys.length - 6);
    fold.close();

    const other = begun();
    fetches = 0;
    const cut = foldOf(
      other,
      logOf(other, () => void (++fetches === 5 && other.deleteBelow(6))),
    );
    await expect(cut.toEnd()).rejects.toMatchObject({ code: 'OFFSET_OUT_OF_RANGE' });
    cut.close();
  });

  it('one that is closed while it folds opens the log no more', async () => {
    const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
    for (let turns = 0; turns < 12; turns++) {
      const partition = new CleanedPartition({ lagMs: 0, deleteRetentionMs }, random, { skewMs: 0, brokers: 1 });
      const inner = logOf(partition, () => undefined);
      let opened = 0;
      const tail: Log['tail'] = async function* (topic, number, from, options) {
        opened++;
        for await (const batch of inner.tail(topic, number, from, options)) {
          if (options?.signal?.aborted === true) return;
          yield batch;
        }
      };
      const fold = foldOf(partition, { ...inner, tail });
      partition.append([{ key: 'first', value: 'v' }]);
      await fold.toEnd();
      // So many that it gives way to others while it folds a batch.
      for (let i = 0; i < 4; i++)
        partition.append(Array.from({ length: 600 }, (_, j) => ({ key: `key ${i} ${j}`, value: 'v' })));
      const reading = fold.to(partition.endOffset + 1, Infinity).catch(failureCode);
      for (let i = 0; i < turns; i++) await turn();
      fold.close();
      for (let i = 0; i < 50; i++) await turn();
      expect([turns, opened]).toEqual([turns, 1]);
      expect(await reading).toBe('INTERRUPTED');
    }
  });

  it('its memory is bounded: what it does not hold is said', async () => {
    const partition = new CleanedPartition({ lagMs: 0, deleteRetentionMs }, random, { skewMs: 0, brokers: 1 });
    for (let i = 0; i < 120; i++)
      partition.append(Array.from({ length: 10 }, (_, j) => ({ key: `key ${i * 10 + j}`, value: 'v' })));
    const log = logOf(partition, () => undefined);
    const small = foldOf(partition, log, { tableBytesMax: 128 << 10 });
    await expect(small.toEnd()).rejects.toBeInstanceOf(TooManyKeys);
    small.close();
    // Of fewer chunks the same memory is enough.
    const half = { ...chunk, slotEnd: 500_000 };
    const fits = foldOf(partition, log, { tableBytesMax: 128 << 10, chunks: [half] });
    await fits.toEnd();
    expect(fits.digests(0).get(chunk.chunkId)?.keys).toBeGreaterThan(400);
    fits.close();
  });

  it('a budget below what producers write does not keep it from the end', async () => {
    const partition = new CleanedPartition({ lagMs: 0, deleteRetentionMs }, random, { skewMs: 0, brokers: 1 });
    for (let i = 0; i < 200; i++) partition.append([{ key: `key ${i}`, value: 'x'.repeat(1_000) }]);
    // 100 records a second are written; 5 a second would be read.
    const clock = clockOf(partition);
    const timers = {
      ...systemTimers,
      after: (ms: number, done: () => void) => {
        const from = partition.nowMs;
        for (let at = from; at < from + ms; at += 10) partition.append([{ key: 'hot', value: 'x'.repeat(1_000) }]);
        partition.nowMs = from + ms;
        return systemTimers.after(0, done);
      },
    };
    const log = logOf(partition, () => (partition.nowMs += 1));
    const rate = new ByteRate(5_000, clock, timers);
    const fold = foldOf(partition, log, { rate, readWithinMs: Infinity });
    await fold.toEnd();
    expect(partition.endOffset).toBeLessThan(20_000);
    fold.close();
  }, 60_000);
});
