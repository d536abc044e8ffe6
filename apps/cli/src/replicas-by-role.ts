import type { Row } from './output';

/** The units of a route's replicas, by role, as people read them. */
export function replicasByRole(replicas: unknown): { primary: string; followers: string; retired: string } {
  const list = Array.isArray(replicas) ? (replicas as Row[]) : [];
  const unitsOf = (role: string): string =>
    list
      .filter((replica) => replica['role'] === role)
      .map((replica) => String(replica['unitId'] ?? replica['nodeId']))
      .join(' ') || '-';
  return { primary: unitsOf('primary'), followers: unitsOf('follower'), retired: unitsOf('retired') };
}
