import { Replica, type ReplicaDatabase, type ReplicaIdentity } from '@levee/chunk-store';
import type { Partition } from '@levee/kernel';
import type { Assignment } from './assignment';
import type { HostedWorld } from './hosted-world';

interface Opened {
  readonly identity: ReplicaIdentity;
  readonly assignment: Assignment;
  readonly partitions: readonly Partition[];
}

/** The replica in the database of a unit, which is closed again when that is none. */
export async function openReplica(
  { disk, budget, logClock, logger, values }: HostedWorld,
  db: ReplicaDatabase,
  { identity, assignment, partitions }: Opened,
): Promise<Replica> {
  const { unitId, generation, capacityBytes } = assignment;
  try {
    const chainBytes = budget.writeBufferBytes * 3;
    const replica = await Replica.open(db, identity, { chainBytes, capacityBytes, values });
    for (const partition of partitions) {
      const problem = replica.rewindProblem(partition);
      if (problem !== undefined)
        logger.warn({ chunkId: identity.chunkId, partition, problem }, 'a replica was rewound');
      if (replica.nextOffset(partition) === 0) replica.noteComplete(partition, logClock.bestMs());
    }
    return replica;
  } catch (error) {
    await disk.closeUnit(unitId, generation);
    throw error;
  }
}
