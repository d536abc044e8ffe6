import type { PlanState } from '@levee/events';
import { digestEvidence, nextPlanWork, type ClusterState } from '../../src';

/** What is said of a plan that waits for verification, and what it says; none of it is true. */
export interface BadEvidence {
  readonly kind: 'VerifyPlan' | 'ReclaimPlan';
  readonly payload: object;
}

/** Digests that differ; with `wrong` 1 of other runs of the nodes, with 2 of a barrier more. */
export function badEvidence(
  state: ClusterState,
  plan: PlanState | undefined,
  nowMs: number,
  wrong: number,
): BadEvidence | undefined {
  const work = plan && nextPlanWork(state, plan, nowMs);
  if (work?.kind !== 'verify') return undefined;
  const digests = work.expect.map((of, i) => ({
    ...of,
    incarnation: wrong === 1 ? 'another-run' : (state.node(of.nodeId)?.incarnation ?? ''),
    barrierOffset: 7,
    digest: String(i % 2).padStart(32, '0'),
    keys: 1,
  }));
  const told = digestEvidence(digests);
  const other = { partition: told.barriers[0]?.partition, offset: 8 };
  const evidence = wrong === 2 ? { ...told, barriers: [...told.barriers, other] } : told;
  const { planId, attempt } = work;
  return work.purpose === 'switch'
    ? { kind: 'VerifyPlan', payload: { planId, attempt, barrierId: 'bad', ...evidence } }
    : { kind: 'ReclaimPlan', payload: { planId, barrierId: 'bad', ...evidence } };
}
