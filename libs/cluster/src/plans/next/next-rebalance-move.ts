import type { ChunkState, NodeState } from '@levee/events';
import type { ClusterState } from '../../state/state';
import { isReadable, isReshape, nodesClosed, planHolding } from '../plan-shape';

interface Load {
  readonly node: NodeState;
  readonly units: number;
  replicas: number;
  primaries: number;
}

/**
 * The single change that evens out most: a replica from the fullest node to the emptiest, or a primary handed over;
 * payload of ProposePlan, `undefined` = even enough. Fullness is replicas per unit. A replica moves only if the node it
 * leaves stays at least as full as the one it comes to, a primary only between nodes that differ by two: so every step
 * lowers the unevenness, and none is ever undone. `namespace` null = all. O(replicas).
 */
export function nextRebalanceMove(
  state: ClusterState,
  namespace: string | null,
): { readonly [field: string]: unknown } | undefined {
  const chunks = [...state.chunks()].filter(
    (chunk) => chunk.state === 'serving' && (namespace === null || chunk.namespace === namespace),
  );
  const loads = loadsOf(state, chunks);
  return replicaMove(state, chunks, loads) ?? primaryMove(state, chunks, loads);
}

/** Nodes that may take something, loaded as they will be when the plans that are open are done. */
function loadsOf(state: ClusterState, chunks: readonly ChunkState[]): Load[] {
  const closed = nodesClosed(state);
  const loads = new Map<string, Load>();
  for (const node of state.nodes())
    if (node.state === 'up' && !closed.has(node.nodeId) && state.unitCount(node.nodeId) > 0)
      loads.set(node.nodeId, { node, units: state.unitCount(node.nodeId), replicas: 0, primaries: 0 });
  const { leaving, leading } = changesUnderWay(state);
  for (const { replicas } of chunks)
    for (const { nodeId, role, unitId } of replicas) {
      const load = loads.get(nodeId);
      if (load === undefined || role === 'dead' || role === 'retired' || leaving.has(unitId)) continue;
      load.replicas++;
      if (role === 'primary' || leading.has(unitId)) load.primaries++;
    }
  return [...loads.values()].sort((a, b) => (a.node.nodeId < b.node.nodeId ? -1 : 1));
}

/** Units whose replica an open plan takes away, and units whose learner it makes the primary. */
function changesUnderWay(state: ClusterState): { readonly leaving: Set<string>; readonly leading: Set<string> } {
  const [leaving, leading] = [new Set<string>(), new Set<string>()];
  for (const plan of state.openPlans()) {
    const { retiring, targets, state: is } = plan;
    if (isReshape(plan) || (is !== 'running' && is !== 'failed')) continue;
    for (const { unitId } of retiring) leaving.add(unitId);
    for (const { unitId, role } of targets.flatMap(({ replicas }) => replicas))
      if (role === 'primary') leading.add(unitId);
  }
  return { leaving, leading };
}

function replicaMove(
  state: ClusterState,
  chunks: readonly ChunkState[],
  loads: readonly Load[],
): { readonly [field: string]: unknown } | undefined {
  const full = (a: Load, b: Load): number => b.replicas / b.units - a.replicas / a.units;
  const fullest = [...loads].sort(full);
  const emptiest = [...fullest].reverse();
  for (const from of fullest)
    for (const to of emptiest) {
      if ((from.replicas - 1) / from.units < (to.replicas + 1) / to.units) break;
      const chunk = chunks.find((of) => mayMove(state, of, { from, to }));
      if (chunk !== undefined)
        return { kind: 'move', chunkId: chunk.chunkId, from: from.node.nodeId, to: to.node.nodeId };
    }
  return undefined;
}

function mayMove(state: ClusterState, chunk: ChunkState, { from, to }: { from: Load; to: Load }): boolean {
  const leaves = chunk.replicas.find((of) => of.nodeId === from.node.nodeId && isReadable(of));
  if (leaves === undefined) return false;
  const stay = chunk.replicas.filter((of) => of !== leaves && of.role !== 'dead' && of.role !== 'retired');
  if (stay.some(({ nodeId }) => state.node(nodeId)?.domain === to.node.domain)) return false;
  const engine = state.unit(leaves.unitId)?.engine;
  const bytesMin = state.namespace(chunk.namespace)?.chunkCapacityBytes ?? 0;
  for (const unit of state.freeUnitsOf(to.node.nodeId))
    if (unit.engine === engine && unit.capacityBytes >= bytesMin) return isUnheld(state, chunk);
  return false;
}

function isUnheld(state: ClusterState, chunk: ChunkState): boolean {
  return planHolding(state, chunk.namespace, chunk) === undefined;
}

function primaryMove(
  state: ClusterState,
  chunks: readonly ChunkState[],
  loads: readonly Load[],
): { readonly [field: string]: unknown } | undefined {
  const most = [...loads].sort((a, b) => b.primaries - a.primaries);
  for (const from of most)
    for (const to of [...most].reverse()) {
      if (from.primaries < to.primaries + 2) break;
      const chunk = chunks.find(
        (of) =>
          of.replicas.some(({ nodeId, role }) => nodeId === from.node.nodeId && role === 'primary') &&
          of.replicas.some(({ nodeId, role }) => nodeId === to.node.nodeId && role === 'follower') &&
          isUnheld(state, of),
      );
      if (chunk !== undefined) return { kind: 'promote', chunkId: chunk.chunkId, to: to.node.nodeId };
    }
  return undefined;
}
