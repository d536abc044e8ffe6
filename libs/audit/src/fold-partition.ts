import { storedKeyBytesMax } from '@levee/chunk-store';
import {
  crc32cNative,
  expiryHeaderOf,
  expiryWithRetention,
  type RecordFormatName,
  recordFormats,
  type ValueRecord,
} from '@levee/codec';
import { asOffset, asPartition, Failure, failureCode, isReservedKey, messageOf } from '@levee/kernel';
import { type HashAlgorithm, hashOf, hasPlace, partitionOf } from '@levee/keyspace';
import type { Log, LogBatch } from '@levee/log';
import type { FoldedRecord } from './fold-store';

/** One partition of a binlog, how its keys are placed and how its records say values. */
export interface FoldPlace {
  readonly topic: string;
  /** Of the very topic: another one under its name is not read. Absent: whatever has the name. */
  readonly topicId?: string | undefined;
  readonly partition: number;
  readonly partitions: number;
  readonly hashAlgorithm: HashAlgorithm;
  readonly recordFormat: RecordFormatName;
  /** Age from which on values are expired, by the times of their records; null or absent: only what records say counts. */
  readonly hiddenAfterMs?: number | null | undefined;
}

/** What takes the folded records. */
export interface FoldTarget {
  /** Everything below is folded. */
  readonly nextOffset: number;
  /** Records of increasing offset, and where the fold stands then. */
  write(records: readonly FoldedRecord[], nextOffset: number): Promise<void>;
}

const options = { bytesMax: 1 << 20, idleMs: 100, unavailableMs: 30_000 } as const;

/**
 * Folds a partition up to `toOffset` into `store`, from where that stands: the raw last record of each key, read with a
 * decoder of its own and by nothing that replicas use to apply. Fails as `Log.tail` does, and with NOT_PROVABLE when
 * the log no longer begins at `fromOffset`, or holds a stretch that cannot be read.
 */
export async function foldPartition(
  log: Log,
  place: FoldPlace,
  store: FoldTarget,
  {
    toOffset,
    fromOffset = 0,
    signal,
    keepsValues = false,
    keepsRecords = false,
    bytesMax = options.bytesMax,
    onBatch = () => Promise.resolve(),
  }: {
    readonly toOffset: number;
    /** Where the log begins. [safety] Above 0 only where all below is known to be expired: in a topic that forgets by age. */
    readonly fromOffset?: number;
    readonly signal?: AbortSignal;
    /** The store gets the records' values too. */
    readonly keepsValues?: boolean;
    /** And what stands beside them. */
    readonly keepsRecords?: boolean;
    /** Most bytes that are read at a time. */
    readonly bytesMax?: number;
    /** After each batch. */
    readonly onBatch?: (batch: LogBatch) => Promise<void>;
  },
): Promise<void> {
  if (store.nextOffset >= toOffset || fromOffset >= toOffset) return;
  const stop = new AbortController();
  const signals = signal === undefined ? stop.signal : AbortSignal.any([signal, stop.signal]);
  const from = { nextOffset: asOffset(Math.max(store.nextOffset, fromOffset)), leaderEpoch: -1 };
  try {
    for await (const batch of log.tail(place.topic, asPartition(place.partition), from, {
      ...options,
      bytesMax,
      ...(place.topicId === undefined ? {} : { topicId: place.topicId }),
      signal: signals,
      takesBadStretches: true,
    })) {
      await store.write(
        folded(batch, { place, toOffset, keepsValues, keepsRecords }),
        Math.min(batch.nextOffset, toOffset),
      );
      await onBatch(batch);
      if (store.nextOffset >= toOffset) return;
      if (batch.nextOffset >= batch.endOffset)
        throw new Failure('NOT_PROVABLE', `${nameOf(place)} ends at ${batch.endOffset}, before ${toOffset}`);
    }
  } catch (error) {
    const code = failureCode(error);
    if (code !== 'RECORD_CORRUPT' && code !== 'OFFSET_OUT_OF_RANGE') throw error;
    const why =
      code === 'RECORD_CORRUPT' ? 'holds a stretch that cannot be read' : `does not begin at offset ${from.nextOffset}`;
    throw new Failure('NOT_PROVABLE', `${nameOf(place)} ${why}: ${messageOf(error)}`, { cause: error });
  } finally {
    stop.abort();
  }
  throw new Failure('INTERRUPTED', `the fold of ${nameOf(place)} was ended at ${store.nextOffset} of ${toOffset}`);
}

const nameOf = ({ topic, partition }: FoldPlace): string => `${topic} partition ${partition}`;

/** What the records of a batch from `fromOffset` to before `toOffset` say, in their order. */
export function folded(
  { records }: LogBatch,
  {
    place,
    fromOffset = 0,
    toOffset,
    keepsValues,
    keepsRecords,
  }: {
    readonly place: FoldPlace;
    readonly fromOffset?: number;
    readonly toOffset: number;
    readonly keepsValues: boolean;
    readonly keepsRecords: boolean;
  },
): FoldedRecord[] {
  const found: FoldedRecord[] = [];
  const format = recordFormats[place.recordFormat];
  for (const record of records) {
    const { key, value, offset } = record;
    if (offset >= toOffset) break;
    if (offset < fromOffset) continue;
    if (key === null || isReservedKey(key) || !belongs(key, place)) continue;
    const tombstone = value === null;
    const crc = value === null ? 0 : crc32cNative(value);
    // What cannot be read takes its key's place and never expires.
    const own = tombstone ? 0 : format.expiryOf(key, record as ValueRecord);
    const { timestampMs } = record;
    const expiresAtMs = tombstone ? 0 : expiryWithRetention(own, timestampMs, place.hiddenAfterMs);
    if (keepsRecords) {
      // Carried elsewhere, it says itself what its age says here.
      const headers = expiresAtMs === own ? record.headers : [...record.headers, expiryHeaderOf(expiresAtMs)];
      found.push({ key, offset, tombstone, expiresAtMs, crc, raw: value, beside: { timestampMs, headers } });
    } else if (keepsValues) found.push({ key, offset, tombstone, expiresAtMs, crc, raw: value });
    else found.push({ key, offset, tombstone, expiresAtMs, crc });
  }
  return found;
}

/** What a record takes beside its key and value. */
const recordBytes = 32;

/** What was read for a batch, about. */
export function bytesOf({ records }: Pick<LogBatch, 'records'>): number {
  let bytes = records.length * recordBytes;
  for (const { key, value } of records) bytes += (key?.length ?? 0) + (value?.length ?? 0);
  return bytes;
}

export function belongs(key: Buffer, { partition, partitions, hashAlgorithm }: FoldPlace): boolean {
  // What replicas do not store is not in the log's state either.
  if (key.length > storedKeyBytesMax) return false;
  return hasPlace(key, hashAlgorithm) && partitionOf(hashOf(key, hashAlgorithm), partitions) === partition;
}
