import type { ChunkReplica, ChunkState, PlanState } from '@levee/events';
import type { Decider } from '../../commands/decider';
import type { DecideContext } from '../../decide-context';
import type { ClusterEvent } from '../../state/event';
import type { Rejection } from '../../rejection';
import { isPlanOver } from '../../state/entities';
import type { ClusterState } from '../../state/state';
import { chunkBecomes, readPlan, notReady, planChanged, replicasGivenUp } from './plan-events';
import { isRetired } from '../evidence/plan-evidence';
import { isCompound, isLost, isReadable, isReshape, isSame, isSwitched, isUp, replicasMade } from '../plan-shape';
import { replicasMadeNow, planRolledBack } from './reclaim-plan';
import { chunkRetired, chunkServes, withPrimary } from './switch-plan';

/** `change` of a plan that was given up before its switch, until it is over. */
export const planCancelled = 'PlanCancelled';

/**
 * `{planId}`: before the switch. What the plan has made goes, and nobody ever read it. The parts of a plan are cancelled
 * with it where they have not switched; the others end as they would have.
 */
export const cancelPlan: Decider = (state, fields, context) => {
  const plan = readPlan(state, fields);
  if ('code' in plan) return plan;
  if (plan.state === 'cancelled' || (plan.state === 'reclaiming' && plan.change === planCancelled)) return [];
  if (!isCancellable(plan)) return notReady(plan, 'cancelled');
  const parts = isCompound(plan) ? partsOf(state, plan.planId).filter(isCancellable) : [];
  return [...parts, plan].flatMap((one) => cancelled(state, one, context));
};

/**
 * Its node may be clearing every unit at this moment, and would clear what is put into one meanwhile: the plan keeps the
 * node closed until the node says that it does nothing for it any more.
 */
function isFormatting(state: ClusterState, { step, nodeId }: PlanState): boolean {
  const node = state.node(nodeId ?? '');
  return step === 'reformat' && node !== undefined && node.state !== 'lost';
}

function isCancellable(plan: PlanState): boolean {
  return plan.state === 'proposed' || plan.state === 'running' || (plan.state === 'failed' && !isSwitched(plan));
}

/** The parts of a plan that are not over. */
export function partsOf(state: ClusterState, planId: string): PlanState[] {
  return [...state.openPlans()].filter(({ parent }) => parent === planId);
}

function cancelled(state: ClusterState, plan: PlanState, context: DecideContext): ClusterEvent[] {
  const made = replicasMade(plan);
  const step = isFormatting(state, plan) ? 'reformat' : 'reclaim';
  const over = made.length === 0 && step !== 'reformat';
  const values: Partial<PlanState> = over
    ? { state: 'cancelled', step: 'none', endedAtMs: context.nowMs, retryAtMs: null }
    : { state: 'reclaiming', step, retryAtMs: null };
  return [
    ...replicasGivenUp(state, made, context),
    planChanged(plan, values, { change: planCancelled, what: 'cancelled' }, context),
  ];
}

/** The plans of a namespace that is deleted are over with it; its chunks and units go their own way. */
export function plansEnded(state: ClusterState, namespace: string, context: DecideContext): ClusterEvent[] {
  return [...state.openPlans()]
    .filter((plan) => plan.namespace === namespace)
    .map((plan) => {
      const values = { state: 'cancelled', step: 'none', endedAtMs: context.nowMs, retryAtMs: null } as const;
      const evidence = { namespace: 'deleted' };
      return planChanged(plan, values, { change: planCancelled, what: 'cancelled', evidence }, context);
    });
}

/**
 * `{planId}`: after the switch, before what was superseded is cleared. Everything reads from there again in this one
 * decision; no write is lost, since those replicas have followed the log all the time. Then what the plan had made goes.
 */
export const rollbackPlan: Decider = (state, fields, context) => {
  const plan = readPlan(state, fields);
  if ('code' in plan) return plan;
  if (plan.state === 'rolledBack' || (plan.state === 'reclaiming' && plan.change === planRolledBack)) return [];
  if (!isSwitched(plan)) return notReady(plan, 'rolled back', switchedOrNot(plan));
  const events = isReshape(plan) ? piecesBack(state, plan, context) : replicaBack(state, plan, context);
  if ('code' in events) return events;
  const values = {
    state: 'reclaiming',
    step: 'observe',
    retryAtMs: null,
    failureCode: null,
    failureMessage: null,
  } as const;
  return [...events, planChanged(plan, values, { change: planRolledBack, what: 'rolledBack' }, context)];
};

function switchedOrNot(plan: PlanState): string {
  if (isCompound(plan)) return 'roll back its parts';
  return isPlanOver(plan) || plan.state === 'reclaiming'
    ? 'what it superseded is gone'
    : 'it has not switched: cancel it';
}

/** move: the retired replica is what it was; what the plan made is retired instead. */
function replicaBack(state: ClusterState, plan: PlanState, context: DecideContext): ClusterEvent[] | Rejection {
  const chunk = state.chunk(plan.sources[0] ?? '');
  const returning = plan.retiring.filter((of) => isRetired(state, of) && isUp(state, of));
  if (chunk === undefined || returning.length === 0)
    return notReady(plan, 'rolled back', 'no replica that it superseded is on a node that is up');
  const made = replicasMadeNow(state, plan);
  const leads = chunk.replicas.some((of) => of.role === 'primary' && made.some((one) => isSame(one, of)));
  const replicas = chunk.replicas.map((of): ChunkReplica => {
    if (made.some((one) => isSame(one, of))) return of.role === 'dead' ? of : { ...of, role: 'retired' };
    if (!returning.some((one) => isSame(one, of))) return of;
    return { ...of, role: leads && isSame(of, returning[0] ?? of) ? 'primary' : 'follower' };
  });
  const values = { replicas: withPrimary(state, replicas) };
  return chunkBecomes(state, chunk, { values, change: 'ReplicaReturned', context });
}

/** split, merge, shift: the old chunks own their slots again. */
function piecesBack(state: ClusterState, plan: PlanState, context: DecideContext): ClusterEvent[] | Rejection {
  const missing = plan.sources.find(
    (chunkId) => !plan.retiring.some((of) => of.chunkId === chunkId && isRetired(state, of) && isUp(state, of)),
  );
  if (missing !== undefined)
    return notReady(plan, 'rolled back', `no replica of ${missing} that could be read is on a node that is up`);
  const made = plan.targets.flatMap(({ chunkId }) => state.chunk(chunkId) ?? []);
  const sources = plan.sources.flatMap((chunkId) => state.chunk(chunkId) ?? []);
  return [
    ...made.flatMap((chunk) => chunkRetired(state, chunk, context)),
    ...sources.flatMap((chunk) => chunkServes(chunk, withPrimary(state, rolesBefore(state, plan, chunk)), context)),
  ];
}

function rolesBefore(state: ClusterState, plan: PlanState, chunk: ChunkState): ChunkReplica[] {
  return chunk.replicas.map((of): ChunkReplica => {
    const was = plan.retiring.find((one) => isSame(one, of));
    if (was === undefined || was.role === 'dead') return { ...of, role: 'dead' };
    // Readable replicas of a node that was given up meanwhile are as dead as if they had been so then.
    if (isReadable({ role: was.role }) && isLost(state, of)) return { ...of, role: 'dead' };
    return { ...of, role: was.role };
  });
}

/**
 * `{planId}`: a plan that stopped begins again with its next attempt. Before the switch everything that the failed
 * attempt took is given back, and units are chosen anew; after it the second comparison is made again.
 */
export const retryPlan: Decider = (state, fields, context) => {
  const plan = readPlan(state, fields);
  if ('code' in plan) return plan;
  if (plan.attempt > 1 && plan.state !== 'failed' && !isPlanOver(plan)) return [];
  if (plan.state !== 'failed') return notReady(plan, 'tried again', 'it did not stop');
  const attempt = plan.attempt + 1;
  const cleared = { attempt, failureCode: null, failureMessage: null, retryAtMs: null };
  const moment = { change: 'PlanRetried', what: 'retried' };
  if (isSwitched(plan))
    return [planChanged(plan, { ...cleared, state: 'observing', step: 'observe' }, moment, context)];
  const targets = plan.targets.map((target) => ({ ...target, replicas: [] }));
  const values = { ...cleared, state: 'proposed', step: 'allocate', targets, verified: null } as const;
  return [...replicasGivenUp(state, replicasMade(plan), context), planChanged(plan, values, moment, context)];
};

/** `{planId}`: a plan that waits for people may begin. */
export const approvePlan: Decider = (state, fields, context) => {
  const plan = readPlan(state, fields);
  if ('code' in plan) return plan;
  if (plan.approved && !isPlanOver(plan)) return [];
  if (plan.state !== 'proposed') return notReady(plan, 'approved');
  const evidence = { approvedBy: context.principal };
  return [planChanged(plan, { approved: true }, { change: 'PlanApproved', what: 'approved', evidence }, context)];
};
