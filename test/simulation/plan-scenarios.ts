import { isDeepStrictEqual } from 'node:util';
import { chunkAt, chunkCount, planScenario, plansAreOver, propose } from './plan-scenario';
import type { Scenario } from './scenario';
import { namespace, type SimulatedCluster } from './simulated-cluster';

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

/** The boundary between two chunks: half of the first one's slots go to the second. */
export const shift = planScenario(
  'shift',
  (cluster) => {
    const { chunkId, slotEnd } = chunkAt(cluster, 0);
    return { kind: 'shift', chunkIds: [chunkId, chunkAt(cluster, 1).chunkId], at: slotEnd / 2 };
  },
  (cluster) => chunkCount(cluster, 2),
);

/** Two chunks become three of equal size: both are cut anew in one part. */
export const resize = planScenario(
  'resize',
  () => ({ kind: 'resize', namespace, chunks: 3 }),
  (cluster) => chunkCount(cluster, 3),
);

const busyNode = (cluster: SimulatedCluster): string =>
  chunkAt(cluster, 0).replicas.find(({ role }) => role === 'primary')?.nodeId ?? 'n1';

/** Every replica leaves a node that has some. */
export const drain: Scenario = (() => {
  let nodeId = '';
  return planScenario(
    'drain',
    (cluster) => ({ kind: 'drain', nodeId: (nodeId = busyNode(cluster)) }),
    ({ view }) => [...view.state.chunksOn(nodeId)].map(({ chunkId }) => `${chunkId} is on ${nodeId}`)[0],
  );
})();

/** A node in use gets other units: its replicas leave it, then its disk is made anew. */
export const format: Scenario = (() => {
  const units = { '16777216:leveldb': 3, '8388608:memory': 2 };
  let nodeId = '';
  return planScenario(
    'format',
    (cluster) => ({ kind: 'format', nodeId: (nodeId = busyNode(cluster)), units: '3x16MiB:leveldb,2x8MiB:memory' }),
    ({ view }) => {
      const found: Record<string, number> = {};
      for (const { capacityBytes, engine } of view.state.unitsOf(nodeId))
        found[`${capacityBytes}:${engine}`] = (found[`${capacityBytes}:${engine}`] ?? 0) + 1;
      return isDeepStrictEqual(found, units) ? undefined : `${nodeId} has the units ${JSON.stringify(found)}`;
    },
  );
})();

/** An empty node joins and takes its share. Who is away then is asked for again, as people would. */
export const rebalance: Scenario = (() => {
  const newcomer = 'n4';
  const even = ({ view: { state } }: SimulatedCluster): boolean => {
    const counts = [...state.nodes()].map((node) => [...state.chunksOn(node.nodeId)].length);
    return counts.length === 4 && Math.max(...counts) - Math.min(...counts) <= 1;
  };
  return {
    ...planScenario(
      'rebalance',
      () => ({}),
      (cluster) => (even(cluster) ? undefined : 'the spread is not even'),
    ),
    shape: { nodes: 3, chunks: 4 },
    begin: async (cluster) => {
      const { time, view } = cluster;
      cluster.restart(newcomer);
      const isUp = (): boolean => [...view.state.nodes()].filter(({ state }) => state === 'up').length === 4;
      while (!even(cluster)) {
        await time.until('every node being there', isUp, 120_000);
        await propose(cluster, { kind: 'rebalance' });
        await time.until('the spread being changed', () => plansAreOver(cluster), 120_000);
      }
    },
  };
})();

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
