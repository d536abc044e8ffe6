import { chunkAt, chunks, nothingReclaimed, plansAreOver, propose, rolesOf } from './plan-scenario';
import type { Scenario } from './scenario';
import type { SimulatedCluster } from './simulated-cluster';

const isLost = ({ view }: SimulatedCluster, nodeId: string): boolean => view.state.node(nodeId)?.state === 'lost';

/** Down for as long as it takes to be given up; something else may have brought it back meanwhile. */
async function lose(cluster: SimulatedCluster, nodeId: string): Promise<void> {
  cluster.kill(nodeId);
  const given = (): boolean => isLost(cluster, nodeId) || cluster.processOf(nodeId) !== undefined;
  await cluster.time.until(`${nodeId} being given up`, given, 120_000);
}

function comesBack(cluster: SimulatedCluster, nodeId: string): void {
  cluster.restart(nodeId);
}

/** Every chunk has all its replicas, and all is settled. */
function isWhole(cluster: SimulatedCluster): boolean {
  const { replicas: wanted } = cluster.shape;
  return chunks(cluster).every(({ replicas }) => replicas.length === wanted) && isSettled(cluster);
}

/** Every chunk has a primary and no dead replica, every node is up, and no unit is taken for anything else. */
function isSettled(cluster: SimulatedCluster): boolean {
  const { state } = cluster.view;
  const replicas = chunks(cluster).flatMap((chunk) => chunk.replicas);
  return (
    replicas.every(({ role }) => role === 'primary' || role === 'follower') &&
    replicas.filter(({ role }) => role === 'primary').length === chunks(cluster).length &&
    [...state.units()].filter((unit) => unit.state !== 'free').length === replicas.length &&
    [...state.nodes()].every((node) => node.state === 'up') &&
    nothingReclaimed(cluster)
  );
}

const noPlanIsOpen = ({ view }: SimulatedCluster): boolean => [...view.state.openPlans()].length === 0;

const planOf = (cluster: SimulatedCluster) => [...cluster.view.state.plans()].at(0);

function phaseOf(cluster: SimulatedCluster): string {
  const plan = planOf(cluster);
  const lost = [...cluster.view.state.nodes()].filter(({ state }) => state === 'lost').length;
  return `${plan === undefined ? 'before' : `${plan.state} ${plan.step}`}, ${lost} lost`;
}

/** A split is taken back when a node is lost that made some of it; it returns before what it made is given up. */
export const rollbackLost: Scenario = (() => {
  let ordered = false;
  return {
    name: 'rollback-lost',
    begin: async (cluster) => {
      ordered = false;
      const { chunkId } = chunkAt(cluster, 0);
      await propose(cluster, { kind: 'split', chunkId, parts: 2, observeMs: 30_000 });
      const planId = planOf(cluster)?.planId ?? '';
      const switched = (): boolean => planOf(cluster)?.state === 'observing' || plansAreOver(cluster);
      await cluster.time.until('the split having switched', switched, 120_000, 1);
      const victim = planOf(cluster)?.targets[0]?.replicas[0]?.nodeId ?? 'n1';
      await lose(cluster, victim);
      // Refused while no replica that could be read is there: then the split goes on to its own end.
      await cluster.command('RollbackPlan', { planId });
      ordered = true;
      cluster.time.after(2_500, () => comesBack(cluster, victim));
    },
    phase: phaseOf,
    // A split that was not taken back lacks what the lost node held of it: nobody heals here.
    over: (cluster) =>
      ordered &&
      plansAreOver(cluster) &&
      (planOf(cluster)?.state === 'rolledBack' ? isWhole(cluster) : isSettled(cluster)),
    roles: rolesOf,
    judge: (cluster) => {
      const [plan, count] = [planOf(cluster), chunks(cluster).length];
      return count === (plan?.state === 'rolledBack' ? 2 : 3)
        ? []
        : [`the split is ${plan?.state}, and there are ${count} chunks`];
    },
  };
})();

/** Two of three replicas are lost, and one of them returns while a third is made anew: it counts again. */
export const returnInCopy: Scenario = (() => {
  let back = false;
  return {
    name: 'return-in-copy',
    shape: { nodes: 6, replicas: 3 },
    valueBytes: 20_000,
    begin: async (cluster) => {
      back = false;
      const { chunkId, replicas } = chunkAt(cluster, 0);
      const gone = replicas.filter(({ role }) => role === 'follower').map(({ nodeId }) => nodeId);
      // One after the other: of too many at once none is given up.
      for (const nodeId of gone) await lose(cluster, nodeId);
      const outcome = await cluster.command('ProposePlan', { kind: 'reReplicate', chunkId });
      const copies = (): boolean => planOf(cluster)?.step === 'copy' || noPlanIsOpen(cluster);
      if (outcome.rejectionCode === null) await cluster.time.until('a replica being made anew', copies, 120_000, 1);
      const first = planOf(cluster)?.retiring[0]?.nodeId ?? gone[0] ?? 'n1';
      comesBack(cluster, first);
      if (outcome.rejectionCode === null)
        await cluster.time.until('the plan being over', () => noPlanIsOpen(cluster), 120_000);
      for (const nodeId of gone) comesBack(cluster, nodeId);
      back = true;
    },
    phase: phaseOf,
    over: (cluster) => back && noPlanIsOpen(cluster) && isWhole(cluster),
    roles: rolesOf,
  };
})();
