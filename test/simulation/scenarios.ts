import type { PlanState } from '@levee/events';
import type { Role, Scenario } from './scenario';
import { namespace, type SimulatedCluster } from './simulated-cluster';

const over = new Set<PlanState['state']>(['done', 'cancelled', 'rolledBack']);

/** Masters and data nodes; what a node is depends on the plans that are open. */
function rolesOf(cluster: SimulatedCluster): Map<string, Role> {
  const roles = new Map<string, Role>();
  const active = cluster.activeMaster();
  for (const name of cluster.masters.keys()) roles.set(name, name === active ? 'master' : 'standby');
  for (const name of cluster.nodes.keys()) roles.set(name, 'node');
  for (const name of cluster.dispatchers.keys()) roles.set(name, 'dispatcher');
  const { state } = cluster.view;
  for (const plan of state.openPlans()) {
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

const chunks = (cluster: SimulatedCluster) =>
  [...cluster.view.state.chunksOf(namespace)].sort((a, b) => a.slotStart - b.slotStart);

function chunkAt(cluster: SimulatedCluster, index: number) {
  const chunk = chunks(cluster)[index];
  if (chunk === undefined) throw new Error(`there is no chunk number ${index}`);
  return chunk;
}

/** A plan from its proposal to its end. */
function planScenario(
  name: string,
  payload: (cluster: SimulatedCluster) => object,
  expected: (cluster: SimulatedCluster) => string | undefined,
): Scenario {
  return {
    name,
    begin: async (cluster) => {
      const outcome = await cluster.command('ProposePlan', { observeMs: 500, ...payload(cluster) });
      if (outcome.rejectionCode !== null) throw new Error(`${outcome.rejectionCode}: ${outcome.rejectionMessage}`);
    },
    phase: ({ view }) => {
      const plan = [...view.state.plans()][0];
      return plan === undefined ? 'before' : `${plan.state} ${plan.step}`;
    },
    over: (cluster) => {
      const plans = [...cluster.view.state.plans()];
      return plans.length > 0 && plans.every(({ state }) => over.has(state)) && nothingReclaimed(cluster);
    },
    roles: rolesOf,
    judge: (cluster) => {
      const plan = [...cluster.view.state.plans()][0];
      const problem = plan?.state === 'done' ? expected(cluster) : undefined;
      return problem === undefined ? [] : [`${name} is ${plan?.state}, but ${problem}`];
    },
  };
}

function nothingReclaimed({ view: { state } }: SimulatedCluster): boolean {
  return [...state.units()].every((unit) => unit.state !== 'reclaiming');
}

const chunkCount = (cluster: SimulatedCluster, wanted: number): string | undefined =>
  chunks(cluster).length === wanted ? undefined : `there are ${chunks(cluster).length} chunks, not ${wanted}`;

/** Of a primary, with values so large that the copy takes several blocks. */
export const move: Scenario = {
  ...planScenario(
    'move',
    (cluster) => {
      const chunk = chunkAt(cluster, 0);
      const from = chunk.replicas.find(({ role }) => role === 'primary')?.nodeId;
      return { kind: 'move', chunkId: chunk.chunkId, from };
    },
    (cluster) => chunkCount(cluster, 2),
  ),
  valueBytes: 20_000,
};

export const split = planScenario(
  'split',
  (cluster) => ({ kind: 'split', chunkId: chunkAt(cluster, 0).chunkId, parts: 2 }),
  (cluster) => chunkCount(cluster, 3),
);

export const merge = planScenario(
  'merge',
  (cluster) => ({ kind: 'merge', chunkIds: [chunkAt(cluster, 0).chunkId, chunkAt(cluster, 1).chunkId] }),
  (cluster) => chunkCount(cluster, 1),
);

/** The active master is killed: another one takes over, and the old one comes back as a standby. */
export const failover: Scenario = (() => {
  let termBefore = 0;
  return {
    name: 'failover',
    begin: (cluster) => {
      termBefore = cluster.view.term;
      const master = cluster.activeMaster();
      if (master === undefined) throw new Error('no master is active');
      cluster.kill(master);
      cluster.time.after(2_500, () => cluster.restart(master));
      return Promise.resolve();
    },
    phase: (cluster) => {
      if (cluster.view.term === termBefore) return 'silence';
      return cluster.activeMaster() === undefined ? 'claimed' : 'reigns';
    },
    over: (cluster) =>
      cluster.masters.size === 2 && cluster.view.term > termBefore && cluster.activeMaster() !== undefined,
    roles: rolesOf,
  };
})();

/** A namespace is made and deleted again: units are taken, served, cleared. */
export const reclaim: Scenario = (() => {
  const name = 'passing';
  let asked = false;
  const stateOf = (cluster: SimulatedCluster) => cluster.view.state.namespace(name)?.state;
  return {
    name: 'reclaim',
    begin: async (cluster) => {
      asked = false;
      await cluster.command('CreateNamespace', {
        name,
        partitions: 2,
        chunks: 2,
        replicas: 2,
        chunkCapacityBytes: 8 << 20,
      });
      await cluster.time.until(`${name} being active`, () => stateOf(cluster) === 'active', 120_000);
      await cluster.command('DeleteNamespace', { name });
      asked = true;
    },
    phase: (cluster) => {
      const unit = [...cluster.view.state.units()].some(({ state }) => state === 'reclaiming');
      return `${stateOf(cluster) ?? 'before'}${unit ? ', units reclaiming' : ''}`;
    },
    over: (cluster) => asked && stateOf(cluster) === 'deleted' && nothingReclaimed(cluster),
    roles: rolesOf,
  };
})();

/** A node goes down for longer than it takes to be suspect, and comes back: primaries are handed over, it catches up. */
export const nodeLoss: Scenario = (() => {
  let name = '';
  let back = false;
  return {
    name: 'node-loss',
    shape: { replicas: 3 },
    begin: (cluster) => {
      back = false;
      name = chunkAt(cluster, 0).replicas.find(({ role }) => role === 'primary')?.nodeId ?? 'n1';
      cluster.kill(name);
      cluster.time.after(4_000, () => {
        cluster.restart(name);
        back = true;
      });
      return Promise.resolve();
    },
    phase: (cluster) => {
      const state = cluster.view.state.node(name)?.state;
      return `${back ? 'back' : 'away'}, ${state}`;
    },
    over: (cluster) =>
      back && [...cluster.view.state.nodes()].every(({ state }) => state === 'up') && nodesAreReady(cluster),
    roles: rolesOf,
  };
})();

function nodesAreReady(cluster: SimulatedCluster): boolean {
  return [...cluster.nodes.values()].every(({ part }) => part.readyProblem() === undefined);
}

/** A plan that people take back once it stands in `state`: in the end everything is as it was. */
function takenBack(name: string, plan: Scenario, how: { readonly state: string; readonly kind: string }): Scenario {
  const { kind, state } = how;
  let units = 0;
  const allocated = ({ view }: SimulatedCluster): number =>
    [...view.state.units()].filter((unit) => unit.state !== 'free').length;
  return {
    ...plan,
    name,
    begin: async (cluster) => {
      units = allocated(cluster);
      await plan.begin(cluster);
      const planId = [...cluster.view.state.plans()][0]?.planId;
      const reached = (): boolean => plan.phase(cluster).startsWith(state) || plan.over(cluster);
      await cluster.time.until(`the plan being ${state}`, reached, 120_000, 1);
      await cluster.command(kind, { planId });
    },
    judge: (cluster) => {
      const found = [...cluster.view.state.plans()][0];
      if (found?.state === 'done') return plan.judge?.(cluster) ?? [];
      const left = allocated(cluster) - units;
      return [
        ...(left === 0 ? [] : [`${name}: ${left} units more than before are taken`]),
        ...[chunkCount(cluster, 2)].flatMap((problem) => problem ?? []),
      ];
    },
  };
}

/** Observed for so long that there is time to take it back. */
const splitToTakeBack = planScenario(
  'split',
  (cluster) => ({ kind: 'split', chunkId: chunkAt(cluster, 0).chunkId, parts: 2, observeMs: 60_000 }),
  (cluster) => chunkCount(cluster, 3),
);

export const rollback = takenBack('rollback', splitToTakeBack, { state: 'observing', kind: 'RollbackPlan' });
export const cancel = takenBack('cancel', splitToTakeBack, { state: 'running copy', kind: 'CancelPlan' });

/** The primary goes to another replica; no data moves. */
export const promote = planScenario(
  'promote',
  (cluster) => {
    const chunk = chunkAt(cluster, 0);
    const to = chunk.replicas.find(({ role }) => role === 'follower')?.nodeId;
    return { kind: 'promote', chunkId: chunk.chunkId, to };
  },
  (cluster) => chunkCount(cluster, 2),
);

/**
 * A node is given up: the dispatcher sees it, and its replicas are made anew elsewhere. When it comes back after all, it
 * clears what nobody wants from it any more.
 */
export const heal: Scenario = (() => {
  let lost = '';
  const whole = (cluster: SimulatedCluster): boolean =>
    chunks(cluster).every(({ replicas }) => replicas.length === 3 && replicas.every(({ role }) => role !== 'dead')) &&
    [...cluster.view.state.openPlans()].length === 0;
  return {
    name: 'heal',
    shape: { replicas: 3, dispatchers: 2 },
    begin: async (cluster) => {
      lost = chunkAt(cluster, 0).replicas.find(({ role }) => role === 'primary')?.nodeId ?? 'n1';
      cluster.kill(lost);
      const made = (): boolean => cluster.view.state.node(lost)?.state === 'lost' && whole(cluster);
      await cluster.time.until('new replicas in place of the lost ones', made, 120_000, 5);
      cluster.restart(lost);
    },
    phase: (cluster) => {
      const [plan] = cluster.view.state.openPlans();
      if (plan !== undefined) return `${plan.kind} ${plan.state} ${plan.step}`;
      return `the node is ${cluster.view.state.node(lost)?.state}`;
    },
    over: (cluster) => whole(cluster) && nothingReclaimed(cluster) && nodesAreReady(cluster),
    roles: rolesOf,
  };
})();

export const planScenarios: readonly Scenario[] = [move, split, merge, rollback, cancel, promote, heal];
export const scenarios: readonly Scenario[] = [failover, reclaim, nodeLoss, ...planScenarios];
