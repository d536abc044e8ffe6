import { nodesClosed } from '../plans/plan-shape';
import type { ClusterState } from '../state/state';

/** Of each node's units so many stay free: a replica that heals, moves or is split needs a second one for a while. */
export const spareUnits = { share: 0.1, min: 1 } as const;

/** Of a node with so many units. */
export function spareOf(units: number, { share, min }: { readonly share: number; readonly min: number }): number {
  return Math.max(min, Math.floor(units * share));
}

/** The storage units of the nodes that take replicas now. */
export interface UnitBudget {
  readonly free: number;
  /** Of the free ones, those that a creation leaves alone unless it names its chunks. */
  readonly spare: number;
}

export function unitBudget(state: ClusterState, unitBytesMin = 0): UnitBudget {
  const closed = nodesClosed(state);
  let [free, spare] = [0, 0];
  for (const { nodeId, state: is } of state.nodes()) {
    if (is !== 'up' || closed.has(nodeId)) continue;
    spare += spareOf(state.unitCount(nodeId), spareUnits);
    for (const unit of state.freeUnitsOf(nodeId)) if (unit.capacityBytes >= unitBytesMin) free++;
  }
  return { free, spare: Math.min(spare, free) };
}

/** `4 chunks with 3 replicas need 12 free units of at least 1048576 bytes` */
export function unitsNeeded(request: { chunks: number; replicas: number; unitBytesMin: number }): string {
  const { chunks, replicas, unitBytesMin } = request;
  const who = `${chunks} ${chunks === 1 ? 'chunk' : 'chunks'} with ${replicas} ${replicas === 1 ? 'replica' : 'replicas'}`;
  return `${who} ${chunks === 1 ? 'needs' : 'need'} ${chunks * replicas} free units of at least ${unitBytesMin} bytes`;
}

/** What people can do about units that are not there. */
export const moreUnitsAdvice =
  'levee node list shows who has units; levee namespace delete <name> gives all of a namespace back, levee namespace ' +
  'resize <name> --chunks <fewer> some; another data node, or one that starts with more LEVEE_UNITS, brings new ones';
