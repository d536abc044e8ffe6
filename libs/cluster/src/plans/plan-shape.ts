import type { ChunkReplica, ChunkState, PlanReplica, PlanRetiring, PlanState } from '@levee/events';
import type { SlotRange } from '@levee/keyspace';
import { isPlanOver } from '../state/entities';
import type { ClusterState } from '../state/state';

/** Made of other plans, its parts. A resize is both: the whole has parts, and each part names its chunks. */
export function isCompound({ kind, sources }: Pick<PlanState, 'kind' | 'sources'>): boolean {
  return kind === 'drain' || kind === 'format' || kind === 'rebalance' || (kind === 'resize' && sources.length === 0);
}

/** Puts new chunks in the place of others. */
export function isReshape({ kind, sources }: Pick<PlanState, 'kind' | 'sources'>): boolean {
  return kind === 'split' || kind === 'merge' || kind === 'shift' || (kind === 'resize' && sources.length > 0);
}

/** Its switch is behind it, and can still be undone. */
export function isSwitched({ state, observeUntilMs }: Pick<PlanState, 'state' | 'observeUntilMs'>): boolean {
  return state === 'observing' || (state === 'failed' && observeUntilMs !== null);
}

/** People can end its time to observe, or that of its parts. */
export function isFinishable(plan: Pick<PlanState, 'kind' | 'sources' | 'state' | 'step'>): boolean {
  return isCompound(plan) ? plan.state === 'running' && plan.step === 'parts' : plan.state === 'observing';
}

/** Where it is in force: from its proposal until what it superseded is given up. `undefined` = it holds no slots. */
export function slotsHeld(plan: PlanState): SlotRange | undefined {
  const first = plan.targets[0];
  const last = plan.targets.at(-1);
  // What a rollback has left aside is still there at step observe.
  const givenUp = plan.state === 'reclaiming' && plan.step === 'reclaim';
  if (first === undefined || last === undefined || givenUp || isPlanOver(plan)) return undefined;
  return { slotStart: first.slotStart, slotEnd: last.slotEnd };
}

/** The plan that holds any of these slots: one at a time, so that no two change the same chunk. */
export function planHolding(state: ClusterState, namespace: string, slots: SlotRange): PlanState | undefined {
  for (const plan of state.openPlans()) {
    if (plan.namespace !== namespace) continue;
    const held = slotsHeld(plan);
    if (held !== undefined && held.slotStart < slots.slotEnd && slots.slotStart < held.slotEnd) return plan;
  }
  return undefined;
}

/** The plan that makes or supersedes the replica in this generation of the unit. */
export function planOfUnit(
  state: ClusterState,
  { unitId, generation }: { readonly unitId: string; readonly generation: number },
): PlanState | undefined {
  const names = (of: { unitId: string; generation: number }): boolean =>
    of.unitId === unitId && of.generation === generation;
  for (const plan of state.openPlans()) if (replicasMade(plan).some(names) || plan.retiring.some(names)) return plan;
  return undefined;
}

/** The drain or format under way that empties the node. */
export function planEmptying(state: ClusterState, nodeId: string): PlanState | undefined {
  for (const plan of state.openPlans()) if (plan.nodeId === nodeId && isCompound(plan)) return plan;
  return undefined;
}

/** Nodes that a drain or format empties. */
function nodesEmptied(state: ClusterState): ReadonlySet<string> {
  const nodeIds = new Set<string>();
  for (const plan of state.openPlans()) if (plan.nodeId !== null && isCompound(plan)) nodeIds.add(plan.nodeId);
  return nodeIds;
}

/** Nodes that no new replica comes to: cordoned ones, and those that a drain or format empties. */
export function nodesClosed(state: ClusterState): ReadonlySet<string> {
  const nodeIds = new Set(nodesEmptied(state));
  for (const { nodeId, cordoned } of state.nodes()) if (cordoned) nodeIds.add(nodeId);
  return nodeIds;
}

export interface MadeReplica extends PlanReplica {
  readonly chunkId: string;
}

/** Every replica that the plan makes, with its chunk. */
export function replicasMade(plan: Pick<PlanState, 'targets'>): MadeReplica[] {
  return plan.targets.flatMap(({ chunkId, replicas }) => replicas.map((replica) => ({ ...replica, chunkId })));
}

/** A replica as the plan names it. */
export type ReplicaRef = Pick<MadeReplica | PlanRetiring, 'chunkId' | 'storeId' | 'unitId' | 'generation'>;

/** The replica that the name means, while its chunk has it on that very disk in that very generation (I11). */
export function replicaInForce(state: ClusterState, of: ReplicaRef): ChunkReplica | undefined {
  return state.chunk(of.chunkId)?.replicas.find((replica) => isSame(replica, of));
}

export function isSame(
  a: Pick<ChunkReplica, 'unitId' | 'generation' | 'storeId'>,
  b: Pick<ChunkReplica, 'unitId' | 'generation' | 'storeId'>,
): boolean {
  return a.unitId === b.unitId && a.generation === b.generation && a.storeId === b.storeId;
}

export function isReadable({ role }: Pick<ChunkReplica, 'role'>): boolean {
  return role === 'primary' || role === 'follower';
}

/** Readable, and on a node that was not given up. */
export function livingReplicas(state: ClusterState, { replicas }: Pick<ChunkState, 'replicas'>): ChunkReplica[] {
  return replicas.filter((of) => isReadable(of) && !isLost(state, of));
}

/** Nothing can be expected of this replica: its node was given up, is gone, or has another disk. */
export function isLost(state: ClusterState, { nodeId, storeId }: { nodeId: string; storeId: string }): boolean {
  const node = state.node(nodeId);
  return node === undefined || node.state === 'lost' || node.storeId !== storeId;
}

/** On a node that serves now. */
export function isUp(state: ClusterState, { nodeId, storeId }: { nodeId: string; storeId: string }): boolean {
  const node = state.node(nodeId);
  return node?.state === 'up' && node.storeId === storeId;
}

/** The chunks that the plan changes, as they are now; those that are gone are left out. */
export function sourceChunks(state: ClusterState, plan: Pick<PlanState, 'sources'>): ChunkState[] {
  return plan.sources.flatMap((chunkId) => state.chunk(chunkId) ?? []);
}
