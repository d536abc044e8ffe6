import type { ClusterState } from '@levee/cluster';
import type { ChunkReplica, PlanReplica, PlanState, PlanTarget } from '@levee/events';

/** What a running plan asks of one replica that it makes: load these pieces, follow the log, report. */
export interface MoveOrder {
  readonly planId: string;
  readonly attempt: number;
  /** What the state says; reports bring it forward. */
  readonly step: PlanReplica['step'];
  /** Records behind the end of each partition within which it counts as caught up. */
  readonly maxLagRecords: number;
  /** In slot order; together they cover the chunk. */
  readonly pieces: readonly PieceOrder[];
}

/** Slots that are loaded from the replicas of one source chunk. */
export interface PieceOrder {
  readonly chunkId: string;
  readonly slotStart: number;
  readonly slotEnd: number;
  /** In the order to try them: those on this very disk, then followers, then the primary, then the retired. */
  readonly sources: readonly SourceReplica[];
}

export interface SourceReplica {
  readonly nodeId: string;
  readonly storeId: string;
  readonly unitId: string;
  readonly generation: number;
  /** `host:port` of the node's RESP door. */
  readonly respAddress: string;
}

interface Unit {
  readonly nodeId: string;
  readonly storeId: string;
  readonly unitId: string;
  readonly generation: number;
}

/** The orders of running plans for replicas on one disk, by `<unitId>@<generation>`. */
export function moveOrdersOf(state: ClusterState, nodeId: string, storeId: string): Map<string, MoveOrder> {
  const orders = new Map<string, MoveOrder>();
  for (const plan of state.openPlans()) {
    if (plan.state !== 'running') continue;
    for (const target of plan.targets)
      for (const replica of target.replicas)
        if (replica.nodeId === nodeId && replica.storeId === storeId)
          orders.set(`${replica.unitId}@${replica.generation}`, orderOf(state, plan, { target, replica }));
  }
  return orders;
}

function orderOf(
  state: ClusterState,
  { planId, attempt, maxLagRecords, sources }: PlanState,
  { target, replica }: { readonly target: PlanTarget; readonly replica: PlanReplica },
): MoveOrder {
  const pieces: PieceOrder[] = [];
  for (const chunkId of sources) {
    const chunk = state.chunk(chunkId);
    if (chunk === undefined) continue;
    const slotStart = Math.max(chunk.slotStart, target.slotStart);
    const slotEnd = Math.min(chunk.slotEnd, target.slotEnd);
    if (slotStart >= slotEnd) continue;
    pieces.push({ chunkId, slotStart, slotEnd, sources: sourcesOf(state, chunk.replicas, replica) });
  }
  pieces.sort((a, b) => a.slotStart - b.slotStart);
  return { planId, attempt, step: replica.step, maxLagRecords, pieces };
}

const preference: Readonly<Record<ChunkReplica['role'], number>> = {
  follower: 1,
  primary: 2,
  retired: 3,
  learner: 9,
  dead: 9,
};

/** Replicas that `target` can be copied from, in the order to try them. */
export function sourcesOf(state: ClusterState, replicas: readonly ChunkReplica[], target: Unit): SourceReplica[] {
  return replicas
    .filter(({ role, unitId, generation }) => {
      return preference[role] < 9 && !(unitId === target.unitId && generation === target.generation);
    })
    .flatMap(({ nodeId, storeId, unitId, generation, role }) => {
      const node = state.node(nodeId);
      if (node === undefined || node.storeId !== storeId || node.state === 'lost') return [];
      const rank = (storeId === target.storeId ? 0 : preference[role]) + (node.state === 'suspect' ? 10 : 0);
      return [{ rank, source: { nodeId, storeId, unitId, generation, respAddress: node.respAddress } }];
    })
    .sort((a, b) => a.rank - b.rank)
    .map(({ source }) => source);
}
