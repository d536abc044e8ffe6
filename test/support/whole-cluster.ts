import { eventually } from './deadline';
import type { RunningCluster } from './one-process';
import type { Plan, PlanDoor, Route } from './plan-door';

const slots = 1_000_000;
const openStates = ['proposed', 'running', 'observing', 'reclaiming', 'failed'];

/** What is not whole about a namespace's routes, as texts: each slot has one chunk, each chunk one primary. */
function routeFaults(routes: readonly Route[], replicas: number): string[] {
  const faults: string[] = [];
  let covered = 0;
  for (const { chunkId, slotStart, slotEnd, replicas: has } of routes) {
    if (slotStart !== covered) faults.push(`${chunkId} begins at ${slotStart}, the one before ends at ${covered}`);
    covered = slotEnd;
    const roles = has.map(({ role }) => role).sort();
    const wanted = [...Array.from({ length: replicas - 1 }, () => 'follower'), 'primary'];
    if (roles.join() !== wanted.join()) faults.push(`${chunkId} has ${roles.join()}`);
    if (new Set(has.map(({ nodeId }) => nodeId)).size !== has.length) faults.push(`${chunkId} is twice on a node`);
  }
  if (covered !== slots) faults.push(`the last chunk ends at ${covered}`);
  return faults;
}

/**
 * Waits until nothing is under way any more and the cluster is whole: one owner per slot, no plan open, no unit held by
 * what no route knows, all replicas equal at one barrier. Fails with what is not, after `deadlineMs`.
 */
export async function becomesWhole(
  cluster: Pick<RunningCluster, 'exits'>,
  door: PlanDoor,
  { replicas, deadlineMs = 60_000 }: { readonly replicas: number; readonly deadlineMs?: number },
): Promise<void> {
  let faults: string[] = [];
  const look = async (): Promise<string[]> => {
    const { plans } = await door.get<{ plans: Plan[] }>('/v1/plans?state=all');
    const open = plans.filter(({ state }) => openStates.includes(state));
    const routes = await door.routes();
    const routed = new Set(routes.flatMap((route) => route.replicas.map(({ unitId }) => unitId)));
    const units = (await Promise.all((await nodeIds(door)).map((nodeId) => door.units(nodeId)))).flat();
    return [
      ...open.map(({ planId, kind, state, step, failureMessage }) =>
        [planId, kind, state, step, failureMessage ?? ''].join(' '),
      ),
      ...routeFaults(routes, replicas),
      ...units
        .filter(({ unitId, state }) => (state === 'free' ? routed.has(unitId) : !routed.has(unitId)))
        .map(({ unitId, state, chunkId }) => `${unitId} is ${state} with ${chunkId ?? 'nothing'}`),
    ];
  };
  try {
    await eventually('the cluster is whole', async () => (faults = await look()).length === 0, deadlineMs, 100);
  } catch (error) {
    throw new Error(`${String(error)}\n${faults.join('\n')}`, { cause: error });
  }
  const digests = await eventually(
    'replicas can be compared',
    () => door.post<{ equal: boolean }>('/v1/namespaces/default/digests'),
    deadlineMs,
    500,
  );
  expect(digests).toMatchObject({ equal: true });
  expect(cluster.exits.filter(({ how }) => how !== 'SIGKILL' && how !== 0)).toEqual([]);
}

async function nodeIds(door: PlanDoor): Promise<string[]> {
  const { nodes } = await door.get<{ nodes: { nodeId: string }[] }>('/v1/nodes');
  return nodes.map(({ nodeId }) => nodeId);
}
