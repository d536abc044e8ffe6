import type { ChunkReplica, ChunkState, NamespaceState, NodeState } from '@levee/events';
import { isStorm } from '../../liveness/storm';
import type { ClusterState } from '../../state/state';
import { spareOf } from '../unit-budget';
import type { HealingPolicy } from './healing-policy';
import type { LoadView } from './loads';
import { planActivity, type PlanActivity } from './plan-activity';

/** A chunk that serves, with what its living replicas hold and do. */
export interface ChunkFigures {
  readonly chunk: ChunkState;
  readonly namespace: NamespaceState;
  /** Primaries and followers. */
  readonly living: readonly ChunkReplica[];
  /** Of the fullest replica. */
  readonly storedBytes: number;
  /** Reads of all replicas, and the writes, which each of them gets, once. */
  readonly requestsPerSecond: number;
  /** What the chunk may hold: the namespace's limit, or its smallest unit when that is smaller. */
  readonly capacityBytes: number;
  readonly isMeasured: boolean;
}

/** A node as the planner sees it; its figures follow what this round proposes. */
export interface NodeFigures {
  readonly node: NodeState;
  readonly units: number;
  /** Capacity of its smallest unit. */
  readonly unitBytesMin: number;
  /** Units in use, and those that open plans will take; without those of superseded replicas, or being cleared. */
  used: number;
  primaries: number;
  /** Reads and writes per second of all its replicas. */
  load: number;
  /** Capacities of its free units in bytes, ascending. */
  readonly freeUnits: number[];
  /** Least number of free units that stay for healing. */
  readonly spare: number;
  /** Plans that copy to or from it. */
  loading: number;
  /** It may get replicas: it is up, not kept empty by people, its disk has room. */
  readonly isOpen: boolean;
}

/** What one look at the cluster shows. O(units + replicas + plans). */
export interface Survey {
  readonly state: ClusterState;
  readonly loads: LoadView;
  readonly policy: HealingPolicy;
  readonly nowMs: number;
  readonly activity: PlanActivity;
  readonly nodes: ReadonlyMap<string, NodeFigures>;
  /** Nodes that may get replicas. */
  readonly open: readonly NodeFigures[];
  readonly chunks: readonly ChunkFigures[];
  readonly chunkById: ReadonlyMap<string, ChunkFigures>;
  /** Load of the nodes that are up, for each unit of those that people do not keep empty. */
  readonly loadPerUnit: number;
  /** Units in use, as a share of the units of nodes that are up and not kept empty. */
  readonly meanUse: number;
  /** Share of primaries among the replicas. */
  readonly primaryShare: number;
  /** So many nodes are silent that nothing should be moved. */
  readonly isStorm: boolean;
}

export interface SurveyInput {
  readonly state: ClusterState;
  readonly loads: LoadView;
  readonly policy: HealingPolicy;
  /** Milliseconds since 1970-01-01T00:00:00Z. */
  readonly nowMs: number;
}

export function survey(input: SurveyInput): Survey {
  const { state, loads, policy, nowMs } = input;
  const activity = planActivity(state);
  const nodes = nodesIn(input, activity);
  const chunks: ChunkFigures[] = [];
  const chunkById = new Map<string, ChunkFigures>();
  let [replicas, primaries] = [0, 0];
  for (const chunk of state.chunks()) {
    for (const { nodeId, role } of chunk.replicas) {
      // What is superseded will be free soon: it does not count as a share that the node has.
      const on = role === 'retired' || chunk.state === 'retired' ? nodes.get(nodeId) : undefined;
      if (on !== undefined) on.used--;
    }
    const namespace = state.namespace(chunk.namespace);
    if (chunk.state !== 'serving' || namespace?.state !== 'active') continue;
    const figures = chunkFigures(input, nodes, { chunk, namespace });
    chunks.push(figures);
    chunkById.set(chunk.chunkId, figures);
    replicas += figures.living.length;
    for (const { role } of figures.living) if (role === 'primary') primaries++;
  }
  const up = [...nodes.values()].filter(({ node }) => node.state === 'up');
  const sum = (of: (node: NodeFigures) => number): number => up.reduce((total, node) => total + of(node), 0);
  // What people keep empty has no share: the others carry it all, and are neither hot nor full for that.
  const kept = (of: NodeState): boolean => of.cordoned || activity.reservedNodes.has(of.nodeId);
  const units = sum((node) => (kept(node.node) ? 0 : node.units));
  return {
    state,
    loads,
    policy,
    nowMs,
    activity,
    nodes,
    open: up.filter(({ isOpen }) => isOpen),
    chunks,
    chunkById,
    loadPerUnit: units === 0 ? 0 : sum(({ load }) => load) / units,
    meanUse: units === 0 ? 0 : sum(({ used }) => used) / units,
    primaryShare: replicas === 0 ? 0 : primaries / replicas,
    isStorm: stormIn([...nodes.values()]),
  };
}

/** Load that a node would have if all had the same per unit. */
export const shareOf = (of: Survey, node: NodeFigures): number => of.loadPerUnit * node.units;

/** One pass over the units instead of one look for each: there are a few hundred thousand of them. */
function nodesIn({ state, loads, policy }: SurveyInput, activity: PlanActivity): Map<string, NodeFigures> {
  const unitsOn = new Map<string, { count: number; allocated: number; unitBytesMin: number; free: number[] }>();
  for (const { nodeId } of state.nodes())
    unitsOn.set(nodeId, { count: 0, allocated: 0, unitBytesMin: Infinity, free: [] });
  for (const unit of state.units()) {
    const on = unitsOn.get(unit.nodeId);
    if (on === undefined) continue;
    on.count++;
    if (unit.capacityBytes < on.unitBytesMin) on.unitBytesMin = unit.capacityBytes;
    if (unit.state === 'free') on.free.push(unit.capacityBytes);
    else if (unit.state === 'allocated') on.allocated++;
  }
  const nodes = new Map<string, NodeFigures>();
  for (const node of state.nodes()) {
    const { nodeId } = node;
    const on = unitsOn.get(nodeId);
    const [units, unitBytesMin, freeUnits] = [on?.count ?? 0, on?.unitBytesMin ?? 0, on?.free ?? []];
    freeUnits.sort((a, b) => a - b);
    // Which of them the open plans will take is not known: the smallest, which leaves the rest as it may be.
    const expected = Math.min(activity.expected.get(nodeId) ?? 0, freeUnits.length);
    freeUnits.splice(0, expected);
    const freeDisk = loads.freeDiskBytes(nodeId) ?? Infinity;
    nodes.set(nodeId, {
      node,
      units,
      unitBytesMin,
      used: (on?.allocated ?? 0) + expected - (activity.leaving.get(nodeId) ?? 0),
      primaries: 0,
      load: 0,
      freeUnits,
      spare: spareOf(units, { share: policy.spareShare, min: policy.spareUnitsMin }),
      loading: activity.loading.get(nodeId) ?? 0,
      isOpen:
        node.state === 'up' &&
        !node.cordoned &&
        !activity.reservedNodes.has(nodeId) &&
        freeDisk >= policy.freeDiskBytesMin,
    });
  }
  return nodes;
}

/** The figures of a chunk; its load is added to its nodes. */
function chunkFigures(
  { state, loads }: SurveyInput,
  nodes: ReadonlyMap<string, NodeFigures>,
  { chunk, namespace }: { chunk: ChunkState; namespace: NamespaceState },
): ChunkFigures {
  const living = chunk.replicas.filter(({ role }) => role === 'primary' || role === 'follower');
  let [storedBytes, reads, writes, isMeasured] = [0, 0, 0, false];
  let capacityBytes = namespace.chunkCapacityBytes;
  for (const { nodeId, unitId, role } of living) {
    const on = nodes.get(nodeId);
    if (on === undefined) continue;
    if (role === 'primary') on.primaries++;
    if (on.unitBytesMin < capacityBytes)
      capacityBytes = Math.min(capacityBytes, state.unit(unitId)?.capacityBytes ?? capacityBytes);
    const rates = loads.replica(nodeId, chunk.chunkId);
    if (rates === undefined) continue;
    on.load += rates.readsPerSecond + rates.writesPerSecond;
    isMeasured = true;
    if (rates.storedBytes > storedBytes) storedBytes = rates.storedBytes;
    reads += rates.readsPerSecond;
    if (rates.writesPerSecond > writes) writes = rates.writesPerSecond;
  }
  return { chunk, namespace, living, storedBytes, requestsPerSecond: reads + writes, capacityBytes, isMeasured };
}

function stormIn(nodes: readonly NodeFigures[]): boolean {
  const watched = nodes.filter(({ node }) => node.state === 'up' || node.state === 'suspect');
  return isStorm({ silent: watched.filter(({ node }) => node.state === 'suspect').length, watched: watched.length });
}
