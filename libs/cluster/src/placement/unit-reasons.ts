import type { NamespaceState, PlanReplica, PlanState, UnitState } from '@levee/events';
import type { ClusterState } from '../state/state';
import { memoryEngineRequestsPerSecond } from './place-chunks';

/** Why a plan makes its replicas in these units, one sentence each; `state` is that in which they were chosen. */
export function unitReasons(state: ClusterState, plan: PlanState, made: readonly PlanReplica[]): string[] {
  return made.flatMap(({ unitId }) => {
    const unit = state.unit(unitId);
    return unit === undefined ? [] : [`${unitId}: ${nodeReason(state, plan, unit)}; ${unitReason(state, plan, unit)}`];
  });
}

function nodeReason(state: ClusterState, plan: PlanState, { nodeId }: UnitState): string {
  if (plan.toNodeId !== null) return `${nodeId} was asked for`;
  const sources = plan.sources.flatMap((chunkId) => state.chunk(chunkId)?.replicas ?? []);
  if (plan.kind !== 'move' && sources.some((of) => of.nodeId === nodeId))
    return `${nodeId} has what it is made of, so that the copy costs no network`;
  const used = state.unitCount(nodeId) - state.freeUnitCount(nodeId);
  return `${nodeId} has ${used} of ${state.unitCount(nodeId)} units in use, the smallest share of the nodes that may take it`;
}

function unitReason(state: ClusterState, plan: PlanState, unit: UnitState): string {
  if (plan.toUnitId !== null) return 'the unit was asked for';
  const bytes = state.namespace(plan.namespace ?? '')?.chunkCapacityBytes ?? 0;
  return `${sizeText(unit)} is the smallest free unit there for chunks of up to ${bytes} bytes`;
}

const sizeText = ({ engine, capacityBytes }: UnitState): string => `${capacityBytes} bytes of ${engine}`;

/** Why the units of a namespace's first chunks are where they are. */
export function creationReason({ chunkCapacityBytes, expectedRequestsPerSecond, chunks }: NamespaceState): string {
  const each = Math.ceil((expectedRequestsPerSecond ?? 0) / chunks);
  const engine = each >= memoryEngineRequestsPerSecond ? 'memory' : 'leveldb';
  const traffic =
    expectedRequestsPerSecond === null ? 'no traffic was foretold' : `${each} requests/s were foretold each`;
  return (
    `made with its namespace: each replica in another failure domain, those with the most free units first, in the ` +
    `smallest unit for chunks of up to ${chunkCapacityBytes} bytes; ${traffic}, so ${engine} was preferred`
  );
}
