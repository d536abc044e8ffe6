import type { Partition } from '@levee/kernel';
import { partitionsOf } from '@levee/keyspace';
import type { ReplicaDatabase } from '../engine';
import type { ReplicaIdentity } from '../replica-identity';
import { chunkSeed, StoredValue } from '../stored-value';

/** What it takes to read what a replica holds: less than a `Replica`, which writes too. */
export interface ReplicaView {
  readonly db: ReplicaDatabase;
  readonly identity: ReplicaIdentity;
  readonly partitions: readonly Partition[];
  /** Entries that are read at a time. */
  readonly pageEntries: number;
  /** Throws REPLICA_DAMAGED when the checksum fails. */
  readStored(databaseKey: Buffer, stored: Buffer): StoredValue;
}

/** For another reader of the same database; the caller knows that it holds that replica. */
export function viewOf(db: ReplicaDatabase, identity: ReplicaIdentity): ReplicaView {
  const seed = chunkSeed(identity.chunkId);
  const { slotStart, slotEnd, partitions } = identity;
  return {
    db,
    identity,
    pageEntries: 1_024,
    partitions: partitionsOf(slotStart, slotEnd, partitions),
    readStored: (databaseKey, stored) => StoredValue.read(databaseKey, stored, seed),
  };
}
