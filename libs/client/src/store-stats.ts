import type { Engine } from './routes/namespace-engines';
import type { StoreLimits } from './store-limits';
import type { WriteCounts } from './writes/write-counts';

export type StoreStats = Readonly<Record<string, number | Readonly<Record<string, number>>>>;

interface Others {
  readonly reads: Readonly<Record<string, number>>;
  readonly counts: WriteCounts;
  /** Writes that are not over. */
  readonly waiting: { readonly bytes: number; readonly records: number };
}

/** Counters of all namespaces together. */
export function storeStats(
  engines: Iterable<Engine>,
  limits: StoreLimits,
  { reads, counts, waiting }: Others,
): StoreStats {
  let callsUnderWay = 0;
  let positionWaits = 0;
  let chunksFull = 0;
  let namespacesFrozen = 0;
  for (const { namespace, appends: each, ackWaits } of engines) {
    chunksFull += namespace.chunksFull(limits.chunkSoftShare);
    if (namespace.frozen) namespacesFrozen++;
    callsUnderWay += each.callsUnderWay;
    positionWaits += ackWaits.positionWaits;
  }
  const { bytes, records } = waiting;
  return {
    capacity: { chunksFull, namespacesFrozen },
    reads,
    appends: { ...counts, callsUnderWay, positionWaits, waitingBytes: bytes, waitingRecords: records },
  };
}
