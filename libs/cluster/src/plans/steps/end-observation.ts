import type { PlanState } from '@levee/events';
import type { Decider } from '../../commands/decider';
import type { DecideContext } from '../../decide-context';
import type { ClusterEvent } from '../../state/event';
import type { ClusterState } from '../../state/state';
import { partsOf } from './give-up-plan';
import { readPlan, notReady, planChanged } from './plan-events';
import { isCompound, isFinishable, isSwitched } from '../plan-shape';
import { planReclaimed } from './reclaim-plan';

const finished = 'finished';

/**
 * `{planId, reason?}`: people have seen enough. The time to observe ends now, and what follows it is what always does: the
 * second comparison, then what was superseded goes; until that decision a rollback is possible still. Of a plan made of
 * parts it ends for every part that observes, and parts that switch later have none.
 */
export const endObservation: Decider = (state, fields, context) => {
  const reason = fields.optional('reason', (name) => fields.text(name, 1_000), null);
  const plan = readPlan(state, fields);
  if ('code' in plan) return plan;
  if (wasFinished(plan)) return [];
  if (!isFinishable(plan)) return notReady(plan, finished, whyNot(state, plan));
  const parts = isCompound(plan) ? partsOf(state, plan.planId) : [];
  const evidence = { finishedBy: context.principal, ...(reason === null ? {} : { reason }) };
  return [...parts, plan].flatMap((one) => observedNoMore(one, evidence, context));
};

/** It was asked for before, and the plan has gone on from there. */
function wasFinished({ state, step, change, history }: PlanState): boolean {
  const goesOn = state === 'done' || change === planReclaimed || step === 'reformat';
  return goesOn && history.some(({ what }) => what === finished);
}

function whyNot(state: ClusterState, plan: PlanState): string {
  if (isCompound(plan) && partsOf(state, plan.planId).length > 0) return 'finish its parts';
  if (plan.state === 'observing' || plan.state === 'reclaiming' || plan.endedAtMs !== null || plan.step === 'reformat')
    return 'nothing of it is observed any more';
  if (plan.state === 'proposed') return 'it has not begun';
  return isSwitched(plan) ? 'it stopped' : 'it has not switched';
}

function observedNoMore(plan: PlanState, evidence: object, context: DecideContext): ClusterEvent[] {
  const values = observedUntil(plan, context.nowMs);
  if (values === undefined) return [];
  const shown = { ...evidence, ...values };
  return [planChanged(plan, values, { change: 'ObservationEnded', what: finished, evidence: shown }, context)];
}

/** The plan as it is observed until now and no longer; `undefined` = so it is already. */
function observedUntil(plan: PlanState, nowMs: number): Partial<PlanState> | undefined {
  const { state, observeMs, observeUntilMs } = plan;
  if (isSwitched(plan)) {
    const leftMs = (observeUntilMs ?? 0) - nowMs;
    // Both, for the time of the switch is what lies between them.
    return leftMs > 0 ? { observeMs: Math.max(0, observeMs - leftMs), observeUntilMs: nowMs } : undefined;
  }
  const switchesLater = state === 'proposed' || state === 'running' || state === 'failed';
  return switchesLater && observeMs > 0 ? { observeMs: 0 } : undefined;
}
