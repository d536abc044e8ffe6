import type { Partition } from '@levee/kernel';
import type { Assignment } from '../assignment';
import { binlogLossOf } from '../binlog-origin';
import type { HostedPlaces } from '../hosted-places';
import type { HostedWorld } from '../hosted-world';
import type { Replica, ReplicaIdentity } from '@levee/chunk-store';
import type { LogCuts } from './log-cuts';

interface Candidate {
  readonly identity: ReplicaIdentity;
  readonly places: HostedPlaces;
  readonly cuts: LogCuts;
  readonly current: Replica | undefined;
  readonly assignment: Pick<Assignment, 'role'>;
}

/**
 * [safety] Why a replica may not be cleared to be built anew from the log, in words; `undefined` when the log holds all
 * that the replica had (I14): it begins at 0, with our Genesis, and reaches as far as the replica has read, by the
 * log's own proof. Cuts that people accepted do not count. Nor is anything cleared while the journal is known to lack
 * decisions: one of them may have given what is in the unit another meaning.
 */
export async function whyNotClear(
  world: HostedWorld,
  { identity, places, cuts, current, assignment }: Candidate,
): Promise<string | undefined> {
  const held = world.clearingHeld();
  if (held !== undefined) return `what the cluster decided last is not known (${held})`;
  // A learner was never anybody's last copy; its plan says where it is filled from.
  const loss = assignment.role === 'learner' ? undefined : await unreadable(world, identity, places.partitions);
  if (loss !== undefined || current === undefined) return loss;
  for (const { partition } of places.all) {
    const cut = await cuts.look(partition);
    if (cut !== undefined && !cuts.isAccepted(cut)) return cuts.problem;
  }
  return undefined;
}

/** Why a replica cannot be built from the log, in words: it does not begin at its start, or a stretch cannot be read. */
async function unreadable(
  world: HostedWorld,
  identity: ReplicaIdentity,
  partitions: readonly Partition[],
): Promise<string | undefined> {
  const loss = await originLoss(world, identity, partitions);
  if (loss !== undefined) return loss;
  // A log that does not answer for its condition is met by whoever reads it.
  const condition = await world.log.examine([identity.binlog]).catch(() => undefined);
  const damage = condition?.damage.find(({ partition }) => partitions.includes(partition));
  if (damage === undefined) return undefined;
  const { topic, partition, fromOffset, toOffset, what } = damage;
  return `partition ${partition} of ${topic} cannot be read from offset ${fromOffset} to ${toOffset} (${what})`;
}

/** Why the log cannot be followed from its start, in words. */
export function originLoss(
  { log, feedOf }: HostedWorld,
  identity: ReplicaIdentity,
  partitions: readonly Partition[],
): Promise<string | undefined> {
  const feeds = new Map(partitions.map((partition) => [partition, feedOf(identity, partition)]));
  return binlogLossOf(log, identity.binlog, feeds);
}
