import type { CutStat, DoctorFacts, NodeFacts, ReplicaStat } from './facts';
import type { Finding } from './finding';
import { doctorLimits } from './limits';

type Found = Omit<Finding, 'rule'>;

/** It needs what its log lost, and no other replica can be copied. */
export function waitsAtHole({ hole, readable }: Pick<ReplicaStat, 'hole' | 'readable'>): boolean {
  return !readable && hole !== null && hole !== undefined && hole.peers.every(({ says }) => says !== null);
}

/** What the log lost of a replica, partition by partition. */
export function cutsOf({ positions }: ReplicaStat): readonly CutStat[] {
  return positions.flatMap(({ cut }) => (cut === undefined || cut === null ? [] : [cut]));
}

export function replicaRule(
  applies: (replica: ReplicaStat) => boolean,
  say: (node: NodeFacts, replica: ReplicaStat) => Omit<Found, 'subject'>,
): (facts: DoctorFacts) => Found[] {
  return ({ nodes }) =>
    nodes.flatMap((node) =>
      likeIt(
        node,
        (node.says?.replicas ?? [])
          .filter(applies)
          .map((replica) => ({ subject: `${replica.chunkId}@${node.state.nodeId}`, ...say(node, replica) })),
      ),
    );
}

/** One cause on one node has one finding: a hundred like it hide what else is wrong. */
export function likeIt({ state }: NodeFacts, found: readonly Found[]): readonly Found[] {
  const [first] = found;
  if (first === undefined || found.length <= doctorLimits.likeFindingsMax) return found;
  return [{ ...first, finding: `${first.finding}; and ${found.length - 1} more on ${state.nodeId} like it` }];
}
