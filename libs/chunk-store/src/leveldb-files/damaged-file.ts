import { ChunkStoreFailure } from '../chunk-store-failure';

/** A file of a replica is not what was written. */
export function damagedFile(path: string, what: string, at?: number): ChunkStoreFailure {
  const where = at === undefined ? '' : ` at byte ${at}`;
  return new ChunkStoreFailure('REPLICA_DAMAGED', `${path} is damaged${where}: ${what}`);
}
