import type { Replica, ReplicaIdentity } from '@levee/chunk-store';
import type { LogHoles } from '../holes/log-holes';
import type { Assignment } from '../replica/assignment';
import type { HostedPlaces } from '../replica/hosted-places';
import type { HostedWorld } from '../replica/hosted-world';
import type { LogCuts } from './log-cuts';
import { originLoss } from './origin-loss';

/** A replica that is to be built anew. */
export interface Candidate {
  readonly identity: ReplicaIdentity;
  readonly places: HostedPlaces;
  readonly cuts: LogCuts;
  readonly holes: LogHoles;
  readonly current: Replica | undefined;
  readonly assignment: Pick<Assignment, 'role'>;
}

/** Why a replica may not be cleared, in words. */
export interface Hindrance {
  readonly why: string;
  /** It is only that the log cannot fill the unit again: a copy of a peer can. */
  readonly hole: boolean;
}

/**
 * [safety] Why a replica may not be cleared to be built anew from the log; `undefined` when the log holds all that the
 * replica had (I14): it begins at 0, with our Genesis, and reaches as far as the replica has read, by the log's own
 * proof. Cuts that people accepted do not count. Nor is anything cleared while the journal is known to lack decisions:
 * one of them may have given what is in the unit another meaning.
 */
export async function whyNotClear(
  world: HostedWorld,
  { identity, places, cuts, holes, current, assignment }: Candidate,
): Promise<Hindrance | undefined> {
  const held = world.clearingHeld();
  if (held !== undefined) return { why: `what the cluster decided last is not known (${held})`, hole: false };
  if (current !== undefined)
    for (const { partition } of places.all) {
      const cut = await cuts.look(partition);
      if (cut !== undefined && !cuts.isAccepted(cut)) return { why: cuts.problem ?? cut.why, hole: false };
    }
  // A learner was never anybody's last copy; its plan says where it is filled from.
  if (assignment.role === 'learner') return undefined;
  const hole = await holes.hole();
  if (hole !== undefined) return { why: hole, hole: true };
  const loss = await originLoss(world, identity, places.partitions);
  return loss === undefined ? undefined : { why: loss, hole: false };
}
