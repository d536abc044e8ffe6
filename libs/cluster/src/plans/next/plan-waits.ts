import type { PlanState } from '@levee/events';
import type { Rejection, RejectionCode } from '../../rejection';
import type { ClusterState } from '../../state/state';
import { partsOf } from '../steps/give-up-plan';
import { nextParts, proposalRefusal } from './next-parts';
import { nextPlanWork } from './next-plan-work';
import { planLimits } from '../plan-limits';
import { isCompound, isReadable } from '../plan-shape';

/** What a plan waits for: others have to act before it can go on. */
export interface PlanWait {
  readonly planId: string;
  readonly kind: PlanState['kind'];
  /** Whom or what, in words. */
  readonly reason: string;
  /** When anything last happened to the plan or its parts, in milliseconds since 1970-01-01T00:00:00Z. */
  readonly sinceMs: number;
  /** For longer than `waitAlarmMs`, though neither people nor plans that go on keep it waiting. */
  readonly isAlarm: boolean;
}

/** `undefined`: the master has something to do for it, or time has to pass, or it is over. */
export function planWait(state: ClusterState, plan: PlanState, nowMs: number): PlanWait | undefined {
  const work = nextPlanWork(state, plan, nowMs);
  if (plan.endedAtMs !== null || work.kind !== 'wait') return undefined;
  if (work.untilMs !== undefined && work.looksAgain !== true) return undefined;
  const { planId, kind } = plan;
  const sinceMs = lastMoment(state, plan);
  const isAlarm = nowMs - sinceMs >= planLimits.waitAlarmMs && !isPatient(state, plan, work.reason);
  return { planId, kind, reason: work.reason, sinceMs, isAlarm };
}

/** One line for each plan that waits for too long, the longest first. */
export function waitAlarms(state: ClusterState, nowMs: number): string[] {
  return [...state.openPlans()]
    .filter((plan) => nowMs - lastMoment(state, plan) >= planLimits.waitAlarmMs)
    .flatMap((plan) => planWait(state, plan, nowMs) ?? [])
    .filter(({ isAlarm }) => isAlarm)
    .sort((a, b) => a.sinceMs - b.sinceMs)
    .map((wait) => `plan ${wait.planId} (${wait.kind}) ${waitText(wait, nowMs)}`);
}

/** A plan that empties a node or recuts a namespace, and what it has no place for. */
export interface PlanWithoutRoom {
  readonly planId: string;
  readonly kind: PlanState['kind'];
  /** The node that is emptied, or the namespace. */
  readonly subject: string;
  readonly refusal: Rejection;
}

/**
 * Plans that cannot end as the cluster is: the next of their parts has no place, so that waiting does not help and
 * people have to act. Told at once, not after `waitAlarmMs`. While parts of a resize are under way they may make room.
 */
export function plansWithoutRoom(state: ClusterState, nowMs: number): PlanWithoutRoom[] {
  return [...state.openPlans()].flatMap((plan) => {
    if (!isCompound(plan) || plan.state !== 'running' || plan.step !== 'parts') return [];
    const { accepted, refusal } = nextParts(state, plan, nowMs);
    if (refusal === undefined || accepted.length > 0 || !lackOfRoom.has(refusal.code)) return [];
    const { planId, kind, nodeId, namespace } = plan;
    if (nodeId === null && partsOf(state, planId).length > 0) return [];
    return [{ planId, kind, subject: nodeId ?? namespace ?? 'the cluster', refusal }];
  });
}

/**
 * Why a drain or format cannot end as the cluster is, from its proposal on: a replica on the node has nowhere to go.
 * `undefined` = nothing is known that keeps it.
 */
export function emptyingProblem(state: ClusterState, plan: PlanState, nowMs: number): string | undefined {
  const { nodeId, step } = plan;
  if (nodeId === null || (step !== 'allocate' && step !== 'parts')) return undefined;
  let looks = emptyingLooksMax;
  for (const { chunkId, replicas, state: is } of state.chunksOn(nodeId)) {
    if (looks-- === 0) return undefined;
    if (is !== 'serving' || !replicas.some((of) => of.nodeId === nodeId && isReadable(of))) continue;
    const refusal = proposalRefusal(state, { kind: 'move', chunkId, from: nodeId }, nowMs);
    if (refusal !== undefined && lackOfRoom.has(refusal.code)) return refusal.message;
  }
  return undefined;
}

/** Chunks that are looked at: whoever watches a plan asks again and again. */
const emptyingLooksMax = 64;

const lackOfRoom: ReadonlySet<string> = new Set<RejectionCode>([
  'NOT_ENOUGH_UNITS',
  'NOT_ENOUGH_DOMAINS',
  'UNIT_TOO_SMALL',
  'NODE_CORDONED',
]);

/** In words, after the plan's name. */
export function waitText({ reason, sinceMs }: PlanWait, nowMs: number): string {
  return `waits since ${Math.round((nowMs - sinceMs) / 1_000)} s for ${reason}`;
}

/** It may wait for long: people approve it, its turn comes, or replicas are loaded, which has a stall of its own. */
function isPatient(state: ClusterState, plan: PlanState, reason: string): boolean {
  if (plan.state === 'proposed') return !plan.approved || reason.startsWith('PLAN_LIMIT');
  if (plan.state === 'running' && (plan.step === 'copy' || plan.step === 'catchUp')) return true;
  if (plan.state === 'failed') return true;
  // A part that does not get on has an alarm of its own.
  return isCompound(plan) && [...state.openPlans()].some(({ parent }) => parent === plan.planId);
}

function lastMoment(state: ClusterState, plan: PlanState): number {
  let lastMs = plan.history.at(-1)?.atMs ?? plan.createdAtMs;
  if (isCompound(plan))
    for (const part of state.plans())
      if (part.parent === plan.planId) lastMs = Math.max(lastMs, part.history.at(-1)?.atMs ?? 0);
  // The end of the time to observe is no moment of the history.
  return plan.state === 'observing' ? Math.max(lastMs, plan.observeUntilMs ?? 0) : lastMs;
}
