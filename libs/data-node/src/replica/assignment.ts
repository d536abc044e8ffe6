import type { ClusterState } from '@levee/cluster';
import type { ChunkReplica, ChunkState, NamespaceState } from '@levee/events';
import { type MoveOrder, moveOrdersOf, type SourceReplica, sourcesOf } from '../copy/move-order';

/** A replica that a decision in force gave to this very disk: nothing else is opened, applied or served (I10). */
export interface Assignment {
  /** `<unitId>@<generation>`. */
  readonly key: string;
  readonly chunk: ChunkState;
  readonly namespace: NamespaceState;
  readonly unitId: string;
  readonly generation: number;
  readonly capacityBytes: number;
  readonly role: ChunkReplica['role'];
  /** What a running plan asks of it; `undefined` = nothing, or not any more. */
  readonly move?: MoveOrder;
  /** The chunk's other replicas, in the order to ask them; hardly ever asked for. */
  readonly peers?: () => readonly SourceReplica[];
}

/** A unit generation that the node must clear and report. */
export interface Reclaim {
  readonly unitId: string;
  readonly generation: number;
}

/** What the state gives to (nodeId, storeId); another disk under this nodeId gets nothing. */
export function assignmentsOf(state: ClusterState, nodeId: string, storeId: string): Assignment[] {
  const found: Assignment[] = [];
  const orders = moveOrdersOf(state, nodeId, storeId);
  for (const unit of state.unitsOf(nodeId)) {
    if (unit.storeId !== storeId || unit.state !== 'allocated' || unit.chunkId === null) continue;
    const chunk = state.chunk(unit.chunkId);
    const namespace = chunk && state.namespace(chunk.namespace);
    if (chunk === undefined || namespace === undefined) continue;
    // Nobody has looked at its topic yet: how many partitions it has is not known.
    if (namespace.sourceTopic !== null && namespace.sourceTopicId === null) continue;
    const { unitId, generation, capacityBytes } = unit;
    const replica = chunk.replicas.find(
      (of) => of.unitId === unitId && of.generation === generation && of.storeId === storeId && of.nodeId === nodeId,
    );
    if (replica === undefined || replica.role === 'dead') continue;
    const key = `${unitId}@${generation}`;
    const move = orders.get(key);
    const { role } = replica;
    const peers = (): readonly SourceReplica[] => sourcesOf(state, chunk.replicas, replica);
    const place = { key, chunk, namespace, unitId, generation, capacityBytes, role, peers };
    found.push(move === undefined ? place : { ...place, move });
  }
  return found;
}

export function reclaimsOf(state: ClusterState, nodeId: string, storeId: string): Reclaim[] {
  const found: Reclaim[] = [];
  for (const { unitId, generation, storeId: on, state: is } of state.unitsOf(nodeId))
    if (on === storeId && is === 'reclaiming') found.push({ unitId, generation });
  return found;
}

export function isReadableRole(role: Assignment['role']): boolean {
  return role === 'primary' || role === 'follower' || role === 'retired';
}

/** What routes name for reading; a retired replica still answers who has an older route. */
export function isServingRole(role: Assignment['role']): boolean {
  return role === 'primary' || role === 'follower';
}
