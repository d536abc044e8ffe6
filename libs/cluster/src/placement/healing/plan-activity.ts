import type { PlanState } from '@levee/events';
import type { ClusterState } from '../../state/state';

/** What plans, open and over, say about the chunks and nodes they touch. */
export interface PlanActivity {
  /** By chunk: the plan that holds it. */
  readonly openOn: ReadonlyMap<string, PlanState>;
  /** By chunk: when a plan last changed it. */
  readonly changedAtMs: ReadonlyMap<string, number>;
  /** By chunk: when a person, or a rollback, last undid or gave up a plan for it. */
  readonly undoneAtMs: ReadonlyMap<string, number>;
  /** By chunk: the plan that made it by cutting another. */
  readonly cutBy: ReadonlyMap<string, PlanState>;
  /** By node: plans that copy to or from it, and have not switched. */
  readonly loading: ReadonlyMap<string, number>;
  /** By node: when primaries or replicas last came or went. */
  readonly movedAtMs: ReadonlyMap<string, number>;
  /** By chunk and node, joined by a blank: when a replica, or the lead, was taken from the node to balance load. */
  readonly leftAtMs: ReadonlyMap<string, number>;
  /** By node: replicas that open plans will bring to it and that have no unit yet. */
  readonly expected: ReadonlyMap<string, number>;
  /** By node: replicas that stay only until open plans, whose new ones have their units or their node, switch. */
  readonly leaving: ReadonlyMap<string, number>;
  /** Plans by these rules that are open and have not switched. */
  readonly openByRules: number;
  /** Nodes that a drain or format empties; they get nothing. */
  readonly reservedNodes: ReadonlyMap<string, PlanState>;
  /** Namespaces that a resize or rebalance is busy with; the empty name: all of them. */
  readonly busyNamespaces: ReadonlyMap<string, PlanState>;
}

const overStates: ReadonlySet<PlanState['state']> = new Set(['done', 'cancelled', 'rolledBack']);
const switchedStates: ReadonlySet<PlanState['state']> = new Set(['observing', 'reclaiming', 'done']);

/** Reads all plans that the state keeps: those of the last day at most. O(plans). */
export function planActivity(state: ClusterState): PlanActivity {
  const activity = {
    openOn: new Map<string, PlanState>(),
    changedAtMs: new Map<string, number>(),
    undoneAtMs: new Map<string, number>(),
    cutBy: new Map<string, PlanState>(),
    loading: new Map<string, number>(),
    movedAtMs: new Map<string, number>(),
    leftAtMs: new Map<string, number>(),
    expected: new Map<string, number>(),
    leaving: new Map<string, number>(),
    openByRules: 0,
    reservedNodes: new Map<string, PlanState>(),
    busyNamespaces: new Map<string, PlanState>(),
  };
  for (const plan of state.plans()) {
    const isOver = overStates.has(plan.state);
    if (!isOver) noteCompound(activity, plan);
    const chunkIds = [...plan.sources, ...plan.targets.map(({ chunkId }) => chunkId)];
    const from = balancedFrom(plan);
    const nodeIds = nodesOf(plan, from);
    if (!isOver) for (const chunkId of chunkIds) activity.openOn.set(chunkId, plan);
    if (isCut(plan)) for (const { chunkId } of plan.targets) activity.cutBy.set(chunkId, plan);
    const switchedAtMs = switchTime(plan);
    if (switchedAtMs !== undefined && switchedStates.has(plan.state)) {
      for (const chunkId of chunkIds) latest(activity.changedAtMs, chunkId, switchedAtMs);
      for (const nodeId of nodeIds) latest(activity.movedAtMs, nodeId, switchedAtMs);
      for (const chunkId of from === undefined ? [] : plan.sources)
        latest(activity.leftAtMs, `${chunkId} ${from}`, switchedAtMs);
    }
    if (isOver && plan.state !== 'done')
      for (const chunkId of plan.sources) latest(activity.undoneAtMs, chunkId, plan.endedAtMs ?? plan.createdAtMs);
    if (isOver || switchedStates.has(plan.state)) continue;
    if (plan.policyVersion > 0) activity.openByRules++;
    for (const nodeId of nodeIds) activity.loading.set(nodeId, (activity.loading.get(nodeId) ?? 0) + 1);
    const hasUnits = plan.targets.some(({ replicas }) => replicas.length > 0);
    for (const { nodeId, role } of hasUnits || plan.toNodeId !== null ? plan.retiring : [])
      if (role !== 'dead') activity.leaving.set(nodeId, (activity.leaving.get(nodeId) ?? 0) + 1);
    const to = hasUnits || plan.kind === 'promote' ? null : plan.toNodeId;
    if (to !== null) activity.expected.set(to, (activity.expected.get(to) ?? 0) + 1);
  }
  return activity;
}

/** Facts that a plan was proposed with; empty when it has none, or they are no JSON object. */
function evidenceOf(plan: PlanState): Readonly<Record<string, unknown>> {
  try {
    const parsed: unknown = JSON.parse(plan.evidence);
    return typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed)
      ? (parsed as Record<string, unknown>)
      : {};
  } catch {
    return {};
  }
}

/** Nodes whose load a plan changes. */
function nodesOf(plan: PlanState, from: string | undefined): ReadonlySet<string> {
  const nodes = new Set<string>();
  for (const { replicas } of plan.targets) for (const { nodeId } of replicas) nodes.add(nodeId);
  for (const { nodeId } of plan.retiring) nodes.add(nodeId);
  if (plan.toNodeId !== null) nodes.add(plan.toNodeId);
  if (from !== undefined) nodes.add(from);
  return nodes;
}

/** The node that a plan by these rules takes a replica, or the lead, from. */
function balancedFrom(plan: PlanState): string | undefined {
  const { from } = plan.policyVersion > 0 ? evidenceOf(plan) : {};
  return typeof from === 'string' ? from : undefined;
}

/** When it took effect, by the master's clock; `undefined`: it has not. */
export function switchTime(plan: PlanState): number | undefined {
  if (plan.observeUntilMs !== null) return plan.observeUntilMs - plan.observeMs;
  return plan.state === 'done' ? (plan.endedAtMs ?? undefined) : undefined;
}

const isCut = ({ kind, state }: PlanState): boolean =>
  (kind === 'split' || kind === 'shift') && switchedStates.has(state);

interface Compounds {
  readonly reservedNodes: Map<string, PlanState>;
  readonly busyNamespaces: Map<string, PlanState>;
}

function noteCompound(activity: Compounds, plan: PlanState): void {
  const { kind, nodeId, namespace } = plan;
  if ((kind === 'drain' || kind === 'format') && nodeId !== null) activity.reservedNodes.set(nodeId, plan);
  if (kind === 'resize' || kind === 'rebalance') activity.busyNamespaces.set(namespace ?? '', plan);
}

function latest(times: Map<string, number>, key: string, atMs: number): void {
  const known = times.get(key);
  if (known === undefined || known < atMs) times.set(key, atMs);
}
