import type { PlanState } from '@levee/events';
import { unreachable } from '@levee/kernel';
import type { ClusterState } from '../../state/state';
import { replicasReturned } from '../propose/choose-replicas';
import { waitsFor } from '../steps/finish-plan';
import { partsOf } from '../steps/give-up-plan';
import { nextParts } from './next-parts';
import {
  expectedDigests,
  comparedBeforeReclaim,
  comparedBeforeSwitch,
  staleDigests,
  verifiedIn,
  type ReplicasToCompare,
} from '../evidence/plan-evidence';
import { planLimits } from '../plan-limits';
import { isCompound, isLost, replicaInForce, replicasMade } from '../plan-shape';
import type { PlanWork, VerifyForPlan } from './plan-work';
import { unreadableSource } from '../steps/reclaim-plan';
import { needlessProblem } from '../steps/start-plan';
import { startRefusal } from './start-refusal';

/**
 * What the master has to do next for `plan`, derived from the state alone: a master that takes over finds the same. The
 * commands it names are accepted as the state is; `wait` means that others have to act, time has to pass, or room has to
 * be made. Pure; look again after every decision and at `untilMs`.
 */
export function nextPlanWork(state: ClusterState, plan: PlanState, nowMs: number): PlanWork {
  switch (plan.state) {
    case 'proposed':
      return workForProposed(state, plan, nowMs);
    case 'running':
      return isCompound(plan) ? workForParts(state, plan, nowMs) : workForRunning(state, plan);
    case 'observing':
      return workForObserving(state, plan, nowMs);
    case 'reclaiming':
      return workForReclaiming(state, plan, nowMs);
    case 'failed':
      return workForFailed(plan, nowMs);
    case 'done':
    case 'cancelled':
    case 'rolledBack':
      return { kind: 'wait', reason: 'nothing: it is over' };
    default:
      return unreachable(plan.state);
  }
}

function workForProposed(state: ClusterState, plan: PlanState, nowMs: number): PlanWork {
  const { planId } = plan;
  if (needlessProblem(state, plan) !== undefined) return { kind: 'submit', command: 'CancelPlan', payload: { planId } };
  if (!plan.approved) return { kind: 'wait', reason: 'approval' };
  const problem = startRefusal(state, plan);
  if (problem === undefined) return { kind: 'submit', command: 'StartPlan', payload: { planId } };
  // A part whose room others have taken would wait for ever if they keep it: its plan chooses another one.
  if (plan.parent !== null && problem.code !== 'PLAN_LIMIT')
    return { kind: 'submit', command: 'CancelPlan', payload: { planId } };
  return lookAgain(`${problem.code}: ${problem.message}`, nowMs);
}

function workForParts(state: ClusterState, plan: PlanState, nowMs: number): PlanWork {
  const waits = waitsFor(state, plan);
  if (waits === undefined) return { kind: 'submit', command: 'FinishPlan', payload: { planId: plan.planId } };
  const { accepted, refusal } = nextParts(state, plan, nowMs);
  if (accepted.length > 0) return { kind: 'propose', payloads: accepted };
  const isUnderWay = partsOf(state, plan.planId).length > 0;
  return lookAgain(refusal === undefined || isUnderWay ? waits : `${waits}: ${refusal.message}`, nowMs);
}

function lookAgain(reason: string, nowMs: number): PlanWork {
  return { kind: 'wait', untilMs: nowMs + planLimits.lookAgainMs, looksAgain: true, reason };
}

function workForRunning(state: ClusterState, plan: PlanState): PlanWork {
  const { planId, attempt } = plan;
  const lost = replicasMade(plan).find((of) => replicaInForce(state, of) === undefined || isLost(state, of));
  if (lost !== undefined) {
    const message = `node ${lost.nodeId}, which made unit ${lost.unitId} generation ${lost.generation}, is lost or has another disk`;
    return { kind: 'submit', command: 'FailPlan', payload: { planId, attempt, code: 'TARGET_LOST', message } };
  }
  const returned = replicasReturned(state, plan);
  if (returned !== undefined)
    return {
      kind: 'submit',
      command: 'FailPlan',
      payload: { planId, attempt, code: 'REPLICAS_RETURNED', message: returned },
    };
  // A node that returned with its replica has made the plan needless.
  if (plan.kind === 'reReplicate' && needlessProblem(state, plan) !== undefined)
    return { kind: 'submit', command: 'CancelPlan', payload: { planId } };
  if (plan.step !== 'verify' && plan.step !== 'switch')
    return { kind: 'wait', reason: `the nodes that make its replicas, at step ${plan.step}` };
  const verified = verifiedIn(plan);
  if (verified !== undefined && staleDigests(state, verified.replicas) === undefined)
    return { kind: 'submit', command: 'SwitchPlan', payload: { planId, attempt, barrierId: verified.barrierId } };
  const toCompare = comparedBeforeSwitch(state, plan);
  return 'waitsFor' in toCompare
    ? { kind: 'wait', reason: toCompare.waitsFor }
    : verification(state, plan, { purpose: 'switch', toCompare });
}

function verification(
  state: ClusterState,
  plan: PlanState,
  { purpose, toCompare }: { purpose: VerifyForPlan['purpose']; toCompare: ReplicasToCompare },
): VerifyForPlan {
  const expect = expectedDigests(state, plan, toCompare);
  const chunkIds = [...new Set(expect.map(({ chunkId }) => chunkId))];
  const { planId, attempt, namespace } = plan;
  return { kind: 'verify', purpose, planId, attempt, namespace: namespace ?? '', chunkIds, expect };
}

function workForObserving(state: ClusterState, plan: PlanState, nowMs: number): PlanWork {
  const untilMs = plan.observeUntilMs ?? nowMs;
  if (nowMs < untilMs) return { kind: 'wait', untilMs, reason: 'the end of the time in which it can be rolled back' };
  const toCompare = comparedBeforeReclaim(state, plan);
  if (toCompare === undefined)
    return {
      kind: 'submit',
      command: 'ReclaimPlan',
      payload: { planId: plan.planId, barrierId: null, barriers: [], digests: [] },
    };
  return 'waitsFor' in toCompare
    ? { kind: 'wait', reason: toCompare.waitsFor }
    : verification(state, plan, { purpose: 'reclaim', toCompare });
}

function workForReclaiming(state: ClusterState, plan: PlanState, nowMs: number): PlanWork {
  const { planId } = plan;
  if (plan.step === 'observe') {
    const untilMs = (plan.history.at(-1)?.atMs ?? nowMs) + planLimits.rolledBackGraceMs;
    if (nowMs < untilMs)
      return { kind: 'wait', untilMs, reason: 'readers that still have the route before the rollback' };
    const unreadable = unreadableSource(state, plan);
    if (unreadable !== undefined) return { kind: 'wait', reason: `a replica of ${unreadable} that can be read` };
    return { kind: 'submit', command: 'ReclaimPlan', payload: { planId, barrierId: null, barriers: [], digests: [] } };
  }
  const waits = waitsFor(state, plan);
  if (waits !== undefined) return { kind: 'wait', reason: waits };
  return { kind: 'submit', command: 'FinishPlan', payload: { planId } };
}

function workForFailed({ planId, retryAtMs }: PlanState, nowMs: number): PlanWork {
  if (retryAtMs === null) return { kind: 'wait', reason: 'people: retry or cancel' };
  if (nowMs < retryAtMs) return { kind: 'wait', untilMs: retryAtMs, reason: 'the pause before it is tried again' };
  return { kind: 'submit', command: 'RetryPlan', payload: { planId } };
}
