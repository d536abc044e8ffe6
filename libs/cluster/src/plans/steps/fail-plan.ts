import type { PlanState } from '@levee/events';
import type { Decider } from '../../commands/decider';
import type { DecideContext } from '../../decide-context';
import type { ClusterEvent } from '../../state/event';
import { attemptBounds, readPlan, notReady, planChanged } from './plan-events';
import { planLimits } from '../plan-limits';
import { isSwitched, isCompound } from '../plan-shape';

/**
 * `{planId, attempt, code, message}`: the master's own. The plan stops where it is, keeps everything in place, and is
 * tried again by itself after a while, later each time the same happens.
 */
export const failPlan: Decider = (state, fields, context) => {
  const attempt = fields.integer('attempt', attemptBounds);
  const code = fields.text('code', 64);
  const message = fields.text('message', 2_000);
  const plan = readPlan(state, fields, attempt);
  if ('code' in plan) return plan;
  if (plan.state === 'failed') return [];
  if (plan.state !== 'running' && !isSwitched(plan)) return notReady(plan, 'stopped');
  if (isCompound(plan)) return notReady(plan, 'stopped', 'its parts fail, each for itself');
  return [planFailed(plan, { code, message }, context)];
};

export interface PlanFailure {
  readonly code: string;
  readonly message: string;
  /** What shows it beyond code and message. */
  readonly evidence?: object;
}

export function planFailed(plan: PlanState, failure: PlanFailure, context: DecideContext): ClusterEvent {
  const { code, message } = failure;
  const failures = lastFailure(plan) === code ? plan.failures + 1 : 1;
  const values = {
    state: 'failed',
    failureCode: code,
    failureMessage: message,
    failures,
    retryAtMs: context.nowMs + retryAfterMs(failures),
  } as const;
  const evidence = { code, message, ...failure.evidence };
  return planChanged(plan, values, { change: 'PlanFailed', what: 'failed', evidence }, context);
}

/** How long after so many identical failures in a row a plan is tried again. */
function retryAfterMs(failures: number): number {
  return Math.min(planLimits.retryMaxMs, planLimits.retryMinMs * 2 ** Math.min(30, failures - 1));
}

/** Code of the failure before, also when it was tried again since. */
function lastFailure({ history, failures }: PlanState): string | undefined {
  if (failures === 0) return undefined;
  const evidence = history.findLast(({ what }) => what === 'failed')?.evidence ?? '';
  return evidence === '' ? undefined : (JSON.parse(evidence) as { code?: string }).code;
}
