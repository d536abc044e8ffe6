import type { PlanState } from '@levee/events';
import { PayloadFields } from '../../payload';
import type { Rejection } from '../../rejection';
import type { ClusterState } from '../../state/state';
import { startPlan } from '../steps/start-plan';

/** Why StartPlan would be refused as the state is; `undefined` = it would not. */
export function startRefusal(state: ClusterState, { planId, createdAtMs }: PlanState): Rejection | undefined {
  const fields = PayloadFields.parse('StartPlan', JSON.stringify({ planId }));
  if ('code' in fields) return fields;
  const verdict = startPlan(state, fields, { nowMs: createdAtMs, seq: state.seq + 1, term: 1, principal: 'master' });
  return 'code' in verdict ? verdict : undefined;
}
