import type { DecideContext } from '../../decide-context';
import type { ClusterEvent } from '../../state/event';
import type { ClusterState } from '../../state/state';
import { planLimits } from '../plan-limits';

/** Plans that are over for long enough, or too many; a few in each decision, the oldest first. */
export function* forgottenPlans(state: ClusterState, { nowMs, seq, term }: DecideContext): Iterable<ClusterEvent> {
  let excess = state.overPlanCount - planLimits.overMax;
  let forgotten = 0;
  for (const { planId, endedAtMs } of state.plans()) {
    if (endedAtMs === null) continue;
    const isOld = nowMs - endedAtMs > planLimits.overKeptMs;
    if ((!isOld && excess <= 0) || forgotten++ === planLimits.forgottenMax) return;
    excess--;
    yield { kind: 'removed', entity: { entity: 'plan', key: planId, change: 'PlanForgotten', seq, term } };
  }
}
