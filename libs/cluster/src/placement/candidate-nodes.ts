import type { UnitState } from '@levee/events';
import { nodesClosed } from '../plans/plan-shape';
import type { ClusterState } from '../state/state';

/** A node as placement sees it. */
export interface CandidateNode {
  readonly nodeId: string;
  /** Replicas of a chunk go to different ones. */
  readonly domain: string;
  /** Primaries of all namespaces on it. */
  readonly primaries: number;
  readonly freeUnits: readonly Pick<UnitState, 'unitId' | 'capacityBytes' | 'engine'>[];
}

/** The nodes that may take replicas now: those that are up, and not kept empty, by id. */
export function candidateNodes(state: ClusterState): CandidateNode[] {
  const primaries = new Map<string, number>();
  for (const chunk of state.chunks())
    for (const { role, nodeId } of chunk.replicas)
      if (role === 'primary') primaries.set(nodeId, (primaries.get(nodeId) ?? 0) + 1);
  const closed = nodesClosed(state);
  return [...state.nodes()]
    .filter((node) => node.state === 'up' && !closed.has(node.nodeId))
    .map(({ nodeId, domain }) => ({
      nodeId,
      domain,
      primaries: primaries.get(nodeId) ?? 0,
      freeUnits: [...state.freeUnitsOf(nodeId)],
    }))
    .sort((a, b) => (a.nodeId < b.nodeId ? -1 : 1));
}
