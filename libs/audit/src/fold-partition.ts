import { crc32cNative, putCrcMatches, PutView, readPut } from '@levee/codec';
import { asOffset, asPartition, Failure, failureCode, isReservedKey, messageOf } from '@levee/kernel';
import { type HashAlgorithm, hashOf, partitionOf } from '@levee/keyspace';
import type { Log, LogBatch } from '@levee/log';
import type { FoldedRecord, FoldStore } from './fold-store';

/** One partition of a binlog, and how its keys are placed. */
export interface FoldPlace {
  readonly topic: string;
  readonly partition: number;
  readonly partitions: number;
  readonly hashAlgorithm: HashAlgorithm;
}

const options = { bytesMax: 1 << 20, idleMs: 100, unavailableMs: 30_000 } as const;

/**
 * Folds a partition up to `toOffset` into `store`, from where that stands: the raw last record of each key, read with a
 * decoder of its own and by nothing that replicas use to apply. Fails as `Log.tail` does, and with NOT_PROVABLE when
 * the log no longer begins at its start, or holds a stretch that cannot be read.
 */
export async function foldPartition(
  log: Log,
  place: FoldPlace,
  store: FoldStore,
  { toOffset, signal }: { readonly toOffset: number; readonly signal?: AbortSignal },
): Promise<void> {
  if (store.nextOffset >= toOffset) return;
  const stop = new AbortController();
  const signals = signal === undefined ? stop.signal : AbortSignal.any([signal, stop.signal]);
  const from = { nextOffset: asOffset(store.nextOffset), leaderEpoch: -1 };
  const view = new PutView();
  try {
    for await (const batch of log.tail(place.topic, asPartition(place.partition), from, {
      ...options,
      signal: signals,
    })) {
      await store.write(folded(batch, { place, toOffset, view }), Math.min(batch.nextOffset, toOffset));
      if (store.nextOffset >= toOffset) return;
      if (batch.nextOffset >= batch.endOffset)
        throw new Failure('NOT_PROVABLE', `${nameOf(place)} ends at ${batch.endOffset}, before ${toOffset}`);
    }
  } catch (error) {
    const code = failureCode(error);
    if (code !== 'RECORD_CORRUPT' && code !== 'OFFSET_OUT_OF_RANGE') throw error;
    const why = code === 'RECORD_CORRUPT' ? 'holds a stretch that cannot be read' : 'does not begin at offset 0';
    throw new Failure('NOT_PROVABLE', `${nameOf(place)} ${why}: ${messageOf(error)}`, { cause: error });
  } finally {
    stop.abort();
  }
  throw new Failure('INTERRUPTED', `the fold of ${nameOf(place)} was ended at ${store.nextOffset} of ${toOffset}`);
}

const nameOf = ({ topic, partition }: FoldPlace): string => `${topic} partition ${partition}`;

function folded(
  { records }: LogBatch,
  { place, toOffset, view }: { readonly place: FoldPlace; readonly toOffset: number; readonly view: PutView },
): FoldedRecord[] {
  const found: FoldedRecord[] = [];
  for (const { key, value, offset } of records) {
    if (offset >= toOffset) break;
    if (key === null || isReservedKey(key) || !belongs(key, place)) continue;
    const tombstone = value === null;
    const crc = value === null ? 0 : crc32cNative(value);
    found.push({ key, offset, tombstone, expiresAtMs: value === null ? 0 : expiryOf(key, value, view), crc });
  }
  return found;
}

export function belongs(key: Buffer, { partition, partitions, hashAlgorithm }: FoldPlace): boolean {
  return partitionOf(hashOf(key, hashAlgorithm), partitions) === partition;
}

/** What cannot be read as a Put takes its key's place and never expires. */
function expiryOf(key: Buffer, value: Buffer, view: PutView): number {
  if (readPut(value, view) !== 'put' || !putCrcMatches(key, value, view)) return 0;
  return view.expiresAtMs === null ? 0 : Math.max(1, view.expiresAtMs);
}
