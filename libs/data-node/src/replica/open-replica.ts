import { Replica, type ReplicaDatabase, type ReplicaIdentity } from '@levee/chunk-store';
import { Failure, type Partition } from '@levee/kernel';
import type { Assignment } from './assignment';
import type { HostedWorld } from './hosted-world';

interface Opened {
  readonly identity: ReplicaIdentity;
  readonly assignment: Assignment;
  readonly partitions: readonly Partition[];
}

/** The replica in the database of a unit, which is closed again when that is none. */
export async function openReplica(
  { disk, budget, logClock, logger, values, writeTurns }: HostedWorld,
  db: ReplicaDatabase,
  { identity, assignment, partitions }: Opened,
): Promise<Replica> {
  const { unitId, generation, capacityBytes } = assignment;
  try {
    // [safety] The node's own clock would do for a lower bound only if nobody ever set it wrong.
    const logNowMs = logClock.nowMs();
    if (logNowMs === undefined) throw new Failure('LOG_TIME_UNKNOWN', 'the log has not told its time yet');
    const chainBytes = budget.writeBufferBytes * 3;
    const replica = await Replica.open(db, identity, { chainBytes, capacityBytes, values, writeTurns });
    for (const partition of partitions) {
      const problem = replica.rewindProblem(partition);
      if (problem !== undefined)
        logger.warn({ chunkId: identity.chunkId, partition, problem }, 'a replica was rewound');
      if (replica.isFresh(partition)) replica.noteComplete(partition, logNowMs);
    }
    return replica;
  } catch (error) {
    await disk.closeUnit(unitId, generation);
    throw error;
  }
}
