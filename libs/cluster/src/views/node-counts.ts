import type { ChunkState, NodeState } from '@levee/events';
import type { ClusterState } from '../state/state';

/** Silent, cordoned as by a drain, and without a replica of what serves: nobody misses it. */
export function isTakenAway(
  { nodeId, state, cordoned }: Pick<NodeState, 'nodeId' | 'state' | 'cordoned'>,
  serving: Iterable<Pick<ChunkState, 'replicas'>>,
): boolean {
  if (!cordoned || (state !== 'suspect' && state !== 'lost')) return false;
  for (const { replicas } of serving) if (replicas.some((of) => of.nodeId === nodeId)) return false;
  return true;
}

/** How many nodes are in each state; those that were taken away are counted apart. */
export function nodeCounts(state: ClusterState): Record<NodeState['state'] | 'takenAway', number> {
  const counts = { up: 0, suspect: 0, lost: 0, maintenance: 0, takenAway: 0 };
  for (const node of state.nodes()) counts[isTakenAway(node, servingChunks(state)) ? 'takenAway' : node.state]++;
  return counts;
}

function* servingChunks(state: ClusterState): Iterable<ChunkState> {
  for (const { name } of state.namespaces()) yield* state.chunksOf(name);
}
