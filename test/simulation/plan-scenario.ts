import type { ClusterState } from '@levee/cluster';
import type { PlanState } from '@levee/events';
import type { Role, Scenario } from './scenario';
import { namespace, type SimulatedCluster } from './simulated-cluster';

const over = new Set<PlanState['state']>(['done', 'cancelled', 'rolledBack']);

/** Of every process; what a node is depends on the plans that are open. */
export function rolesOf(cluster: SimulatedCluster): Map<string, Role> {
  const roles = new Map<string, Role>();
  const active = cluster.activeMaster();
  for (const name of cluster.masters.keys()) roles.set(name, name === active ? 'master' : 'standby');
  for (const name of cluster.nodes.keys()) roles.set(name, 'node');
  for (const name of cluster.dispatchers.keys()) roles.set(name, 'dispatcher');
  for (const name of cluster.portals.keys()) roles.set(name, 'portal');
  const { state } = cluster.view;
  for (const plan of state.openPlans()) {
    if (plan.nodeId !== null && roles.has(plan.nodeId)) roles.set(plan.nodeId, 'source');
    for (const source of plan.sources)
      for (const { nodeId } of state.chunk(source)?.replicas ?? []) if (roles.has(nodeId)) roles.set(nodeId, 'source');
    for (const { replicas } of plan.targets)
      for (const { nodeId } of replicas) {
        const known = roles.get(nodeId);
        if (known === 'node') roles.set(nodeId, 'target');
        else if (known === 'source') roles.set(nodeId, 'source and target');
      }
  }
  return roles;
}

export const chunks = (cluster: SimulatedCluster) =>
  [...cluster.view.state.chunksOf(namespace)].sort((a, b) => a.slotStart - b.slotStart);

export function chunkAt(cluster: SimulatedCluster, index: number) {
  const chunk = chunks(cluster)[index];
  if (chunk === undefined) throw new Error(`there is no chunk number ${index}`);
  return chunk;
}

/** A plan from its proposal to its end. */
export function planScenario(
  name: string,
  payload: (cluster: SimulatedCluster) => object,
  expected: (cluster: SimulatedCluster) => string | undefined,
): Scenario {
  return {
    name,
    begin: (cluster) => propose(cluster, payload(cluster)),
    phase: phaseOf,
    over: plansAreOver,
    roles: rolesOf,
    judge: (cluster) => {
      const plan = proposedLast(cluster.view.state);
      const problem = plan?.state === 'done' ? expected(cluster) : undefined;
      return problem === undefined ? [] : [`${name} is ${plan?.state}, but ${problem}`];
    },
  };
}

export async function propose(cluster: SimulatedCluster, payload: object): Promise<void> {
  const { rejectionCode, rejectionMessage } = await cluster.command('ProposePlan', { observeMs: 500, ...payload });
  if (rejectionCode !== null) throw new Error(`${rejectionCode}: ${rejectionMessage}`);
}

/** Of the plan that was proposed last; of one made of parts also of the part that is open. */
function phaseOf({ view: { state } }: SimulatedCluster): string {
  const plan = proposedLast(state);
  if (plan === undefined) return 'before';
  const part = [...state.openPlans()].find(({ parent }) => parent === plan.planId);
  return [plan, ...(part === undefined ? [] : [part])].map((of) => `${of.state} ${of.step}`).join(', ');
}

const proposedLast = (state: ClusterState): PlanState | undefined =>
  [...state.plans()].filter(({ parent }) => parent === null).at(-1);

/** There were some, and what they gave up is cleared. */
export function plansAreOver(cluster: SimulatedCluster): boolean {
  const plans = [...cluster.view.state.plans()];
  return plans.length > 0 && plans.every(({ state }) => over.has(state)) && nothingReclaimed(cluster);
}

export function nothingReclaimed({ view: { state } }: SimulatedCluster): boolean {
  return [...state.units()].every((unit) => unit.state !== 'reclaiming');
}

export const chunkCount = (cluster: SimulatedCluster, wanted: number): string | undefined =>
  chunks(cluster).length === wanted ? undefined : `there are ${chunks(cluster).length} chunks, not ${wanted}`;
