import { Breather, dataPrefixBytes, dataRange, type Pace, type Replica, type StoredValue } from '@levee/chunk-store';
import { crc32cNative } from '@levee/codec';
import type { LogCut } from '@levee/follow';
import { asOffset, isReservedKey, type Partition } from '@levee/kernel';
import { hashOf, partitionOf, slotOf } from '@levee/keyspace';
import type { Log } from '@levee/log';

const lostRecordsLimits = {
  /** Keys of a stretch that are compared in memory before a witness goes on; a longer one needs people. */
  comparedKeysMax: 250_000,
  pageEntries: 256,
} as const;

/** Keys of the partition whose last record in the replica lies at `fromOffset` or above, with that record. */
export async function* keysFrom(
  replica: Replica,
  partition: Partition,
  fromOffset: number,
  pace: Pace,
): AsyncGenerator<readonly [key: Buffer, record: StoredValue]> {
  const { hashAlgorithm, partitions } = replica.identity;
  const breather = new Breather(pace);
  const iterator = replica.db.iterator(dataRange);
  try {
    for (;;) {
      const found = await iterator.nextv(lostRecordsLimits.pageEntries);
      if (found.length === 0) return;
      let bytes = 0;
      for (const [databaseKey, stored] of found) {
        bytes += databaseKey.length + stored.length;
        const record = replica.readStored(databaseKey, stored);
        if (record.offset < fromOffset) continue;
        const key = databaseKey.subarray(dataPrefixBytes);
        if (partitions > 1 && partitionOf(hashOf(key, hashAlgorithm), partitions) !== partition) continue;
        yield [key, record];
      }
      if (breather.tired(found.length, bytes)) await breather.breathe();
    }
  } finally {
    breather.end();
    await iterator.close();
  }
}

/**
 * True when the log holds, between the cut and the replica's position, exactly the records that the replica holds of
 * that stretch, values too. That the log reaches as far again proves nothing: it may have grown again with other
 * records, and who writes the same keys in the same order again gets the same offsets for other values.
 */
export async function holdsAllAgain(
  log: Log,
  replica: Replica,
  { partition, cutOffset, nextOffset }: LogCut,
  pace: Pace,
): Promise<boolean> {
  const ours = new Map<string, string>();
  for await (const [key, { offset, raw }] of keysFrom(replica, partition, cutOffset, pace)) {
    if (ours.size >= lostRecordsLimits.comparedKeysMax) return false;
    ours.set(key.toString('latin1'), printOf(offset, raw));
  }
  const theirs = new Map<string, string | undefined>();
  const { hashAlgorithm, partitions, slotStart, slotEnd, binlog, sourceTopicId: topicId } = replica.identity;
  const stop = new AbortController();
  const from = { nextOffset: asOffset(cutOffset), leaderEpoch: -1 };
  const options = {
    signal: stop.signal,
    bytesMax: 1 << 20,
    idleMs: 100,
    unavailableMs: 10_000,
    takesBadStretches: true,
    ...(topicId === undefined ? {} : { topicId }),
  };
  const oursToo = (key: Buffer): boolean => {
    const hash = hashOf(key, hashAlgorithm);
    const slot = slotOf(hash, partitions);
    return partitionOf(hash, partitions) === partition && slot >= slotStart && slot < slotEnd;
  };
  try {
    if (cutOffset < nextOffset)
      for await (const batch of log.tail(binlog, partition, from, options)) {
        for (const { key, offset, value } of batch.records) {
          if (offset >= nextOffset) break;
          if (key === null || isReservedKey(key) || !oursToo(key)) continue;
          if (theirs.size >= lostRecordsLimits.comparedKeysMax) return false;
          theirs.set(key.toString('latin1'), value === null ? undefined : printOf(offset, value));
        }
        if (batch.nextOffset >= nextOffset) break;
        if (batch.nextOffset >= batch.endOffset) return false;
      }
  } finally {
    stop.abort();
  }
  for (const [key, print] of ours) if (theirs.get(key) !== print) return false;
  for (const [key, print] of theirs) if (ours.get(key) !== print) return false;
  return true;
}

/** Of a record, by which two of one key are told apart. */
const printOf = (offset: number, value: Buffer): string => `${offset}:${crc32cNative(value)}`;
