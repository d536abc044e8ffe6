import type { ChunkState, PlanReplica, PlanState, PlanTarget, UnitState } from '@levee/events';
import { UnitChoice, type UnitRequest } from '../../placement/choose-units';
import { reject, type Rejection } from '../../rejection';
import { numberAfter } from '../../state/numbers-lost';
import type { ClusterState } from '../../state/state';
import { planLimits } from '../plan-limits';
import { isReadable, isReshape, isUp, livingReplicas, nodesClosed, sourceChunks } from '../plan-shape';

/**
 * The targets of a plan with the replicas it will make, in units that are free now; or why that is impossible. Nothing
 * is taken yet. Each replica names its unit in the generation that it will have.
 */
export function chooseReplicas(state: ClusterState, plan: PlanState): PlanTarget[] | Rejection {
  const choice = new UnitChoice(state, nodesClosed(state));
  return isReshape(plan) ? choosePieces(state, plan, choice) : chooseOne(state, plan, choice);
}

/** move, reReplicate: one more replica of a chunk that serves. */
function chooseOne(state: ClusterState, plan: PlanState, choice: UnitChoice): PlanTarget[] | Rejection {
  const chunk = sourceChunks(state, plan)[0];
  const target = plan.targets[0];
  if (chunk?.state !== 'serving' || target === undefined) return noChunk(plan);
  const leaves = plan.retiring[0];
  const stays = chunk.replicas.filter(
    (of) => of.role !== 'dead' && of.role !== 'retired' && of.unitId !== leaves?.unitId,
  );
  const beside = chunk.replicas.find((of) => of.unitId === leaves?.unitId) ?? stays.find(isReadable);
  const request = requestFor(state, chunk);
  const unit = choice.take({
    ...request,
    notOn: staysBehind(state, plan, request.unitBytesMin) ? leaves?.nodeId : undefined,
    engine: engineOf(plan.toEngine) ?? state.unit(beside?.unitId ?? '')?.engine ?? 'leveldb',
    engineOnly: plan.toEngine !== null,
    nodeId: plan.toNodeId ?? undefined,
    unitId: plan.toUnitId ?? undefined,
    nodesPreferred: [],
    domainsTaken: domainsOf(state, stays),
  });
  if ('code' in unit) return unit;
  const role = leaves?.role === 'primary' ? 'primary' : 'follower';
  return [{ ...target, replicas: [planReplica(state, unit, role)] }];
}

/** Whether another unit of the same node would be no better: nobody asks for one, and its own is large enough. */
function staysBehind(
  state: ClusterState,
  { toNodeId, toUnitId, toEngine, retiring }: PlanState,
  bytes: number,
): boolean {
  if (toNodeId !== null || toUnitId !== null || toEngine !== null) return false;
  return (state.unit(retiring[0]?.unitId ?? '')?.capacityBytes ?? 0) >= bytes;
}

/**
 * New chunks in the place of others: their replicas stay with those of the chunks they come from wherever a unit is
 * free there, since a copy on one node costs no network. As many as the best source has: what lacks is healed later.
 */
function choosePieces(state: ClusterState, plan: PlanState, choice: UnitChoice): PlanTarget[] | Rejection {
  const sources = sourceChunks(state, plan);
  if (sources.length < plan.sources.length || sources.some((of) => of.state !== 'serving')) return noChunk(plan);
  const replicas = replicasEach(state, plan, sources);
  const tooMany = comparisonProblem(plan, replicas);
  if (tooMany !== undefined) return tooMany;
  const primaries = new PrimaryCounts(state, sources);
  const targets: PlanTarget[] = [];
  for (const target of plan.targets) {
    const from = sources.filter((of) => of.slotStart < target.slotEnd && target.slotStart < of.slotEnd);
    const origin = from[0];
    if (origin === undefined) return noChunk(plan);
    const units: UnitState[] = [];
    const domainsTaken = new Set<string>();
    const first = origin.replicas.find(isReadable);
    const request: UnitRequest = {
      ...requestFor(state, { ...origin, chunkId: target.chunkId }),
      engine: state.unit(first?.unitId ?? '')?.engine ?? 'leveldb',
      engineOnly: false,
      nodesPreferred: nodesOf(state, from, target),
      domainsTaken,
    };
    while (units.length < replicas) {
      const unit = choice.take(request);
      if ('code' in unit) return unit;
      units.push(unit);
      domainsTaken.add(state.node(unit.nodeId)?.domain ?? unit.nodeId);
    }
    targets.push({ ...target, replicas: primaries.lead(units) });
  }
  return targets;
}

function replicasEach(state: ClusterState, plan: PlanState, sources: readonly ChunkState[]): number {
  const wanted = state.namespace(plan.namespace ?? '')?.replicas ?? 1;
  const living = Math.max(1, ...sources.map((chunk) => livingReplicas(state, chunk).length));
  return Math.min(wanted, living);
}

/**
 * Why the new chunks must be made anew: nodes that were away when they were begun have returned, and the old ones have
 * more living replicas by now, which the switch would give away although there is room for as many. `undefined` = they
 * need not.
 */
export function replicasReturned(state: ClusterState, plan: PlanState): string | undefined {
  if (!isReshape(plan)) return undefined;
  const replicas = replicasEach(state, plan, sourceChunks(state, plan));
  const fewest = Math.min(...plan.targets.map((target) => target.replicas.length));
  if (fewest >= replicas || 'code' in chooseReplicas(state, plan)) return undefined;
  return `${plan.sources.join(', ')} have ${replicas} living replicas now, the new chunks were begun with ${fewest}: they are made anew with as many`;
}

/** More than one command could carry: said when it is proposed, not once everything is copied. */
function comparisonProblem({ sources, targets }: PlanState, replicas: number): Rejection | undefined {
  const compared = sources.length + targets.length * replicas;
  if (compared <= planLimits.comparedReplicasMax) return undefined;
  return reject(
    'TOO_LARGE',
    `${targets.length} new chunks of ${replicas} replicas in the place of ${sources.length} are ${compared} replicas to ` +
      `compare, the limit is ${planLimits.comparedReplicasMax}: name fewer chunks, or make fewer at once`,
  );
}

function requestFor(state: ClusterState, chunk: ChunkState): Pick<UnitRequest, 'purpose' | 'unitBytesMin'> {
  return { purpose: chunk.chunkId, unitBytesMin: state.namespace(chunk.namespace)?.chunkCapacityBytes ?? 0 };
}

/** Nodes that hold readable replicas of these chunks, the one with the most slots of `target` first. */
function nodesOf(state: ClusterState, chunks: readonly ChunkState[], target: PlanTarget): string[] {
  const slots = new Map<string, number>();
  for (const { replicas, slotStart, slotEnd } of chunks) {
    const shared = Math.min(slotEnd, target.slotEnd) - Math.max(slotStart, target.slotStart);
    for (const of of replicas)
      if (isReadable(of) && isUp(state, of)) slots.set(of.nodeId, (slots.get(of.nodeId) ?? 0) + shared);
  }
  return [...slots].sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1)).map(([nodeId]) => nodeId);
}

/** How many primaries each node would have; those of the sources are about to go. */
class PrimaryCounts {
  private readonly counts = new Map<string, number>();

  constructor(
    private readonly state: ClusterState,
    sources: readonly ChunkState[],
  ) {
    for (const { replicas } of sources)
      for (const { nodeId, role } of replicas) if (role === 'primary') this.add(nodeId, -1);
  }

  /** The replicas in these units, the primary first: on the node with the fewest primaries. */
  lead(units: readonly UnitState[]): PlanReplica[] {
    const first = units.reduce((best, unit) => (this.of(unit.nodeId) < this.of(best.nodeId) ? unit : best));
    this.add(first.nodeId, 1);
    const others = units.filter((unit) => unit !== first);
    return [
      planReplica(this.state, first, 'primary'),
      ...others.map((unit) => planReplica(this.state, unit, 'follower')),
    ];
  }

  private add(nodeId: string, change: number): void {
    this.counts.set(nodeId, this.of(nodeId) + change);
  }

  private of(nodeId: string): number {
    return this.counts.get(nodeId) ?? primariesOn(this.state, nodeId);
  }
}

/** Primaries of all namespaces on the node. O(units of the node). */
function primariesOn(state: ClusterState, nodeId: string): number {
  let count = 0;
  for (const chunk of state.chunksOn(nodeId))
    for (const of of chunk.replicas) if (of.nodeId === nodeId && of.role === 'primary') count++;
  return count;
}

function planReplica(state: ClusterState, unit: UnitState, role: PlanReplica['role']): PlanReplica {
  const { nodeId, storeId, unitId } = unit;
  const nothingYet = { incarnation: '', recordsCopied: 0, bytesCopied: 0, evidence: '' };
  return {
    nodeId,
    storeId,
    unitId,
    generation: numberAfter(state, unit.generation),
    role,
    step: 'copy',
    ...nothingYet,
  };
}

function domainsOf(state: ClusterState, replicas: readonly { nodeId: string }[]): ReadonlySet<string> {
  return new Set(replicas.map(({ nodeId }) => state.node(nodeId)?.domain ?? nodeId));
}

function engineOf(engine: string | null): UnitState['engine'] | undefined {
  return engine === 'leveldb' || engine === 'memory' ? engine : undefined;
}

function noChunk({ planId, sources }: PlanState): Rejection {
  return reject('CHUNK_UNKNOWN', `plan ${planId} is about ${sources.join(', ')}, not all of which serve: cancel it`);
}
