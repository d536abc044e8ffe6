import type { Row } from './output';

export interface ReplicasByRole {
  readonly primary: string;
  readonly followers: string;
  readonly retired: string;
  readonly dead: string;
}

/** The units of a route's replicas, by role, as people read them; with the state of a node that is not up. */
export function replicasByRole({ replicas, dead }: Row): ReplicasByRole {
  const unitsOf = (role: string): string => unitsIn(replicas, (replica) => replica['role'] === role);
  return {
    primary: unitsOf('primary'),
    followers: unitsOf('follower'),
    retired: unitsOf('retired'),
    dead: unitsIn(dead, () => true),
  };
}

function unitsIn(replicas: unknown, counts: (replica: Row) => boolean): string {
  const list = Array.isArray(replicas) ? (replicas as Row[]) : [];
  return list.filter(counts).map(unitText).join(' ') || '-';
}

function unitText({ unitId, nodeId, nodeState }: Row): string {
  const unit = String(unitId ?? nodeId);
  return typeof nodeState === 'string' && nodeState !== 'up' ? `${unit} (${nodeState})` : unit;
}
