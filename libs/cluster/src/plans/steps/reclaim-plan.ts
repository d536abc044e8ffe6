import type { ChunkReplica, PlanState } from '@levee/events';
import type { Decider } from '../../commands/decider';
import type { DecideContext } from '../../decide-context';
import type { ClusterEvent } from '../../state/event';
import { reject, type Rejection } from '../../rejection';
import type { ClusterState } from '../../state/state';
import { compareDigests, type DigestsDiffer } from '../evidence/compare-digests';
import { readDigests } from '../evidence/digest-evidence';
import { planFailed } from './fail-plan';
import { readPlan, notReady, planChanged, replicasGivenUp } from './plan-events';
import { comparedBeforeReclaim, comparedReplicas, sidesOf, staleDigests } from '../evidence/plan-evidence';
import { planLimits } from '../plan-limits';
import { isReadable, isReshape, isSame, isUp, replicasMade, type ReplicaRef } from '../plan-shape';
import type { PlanDigest } from '../next/plan-work';

/**
 * `{planId, barrierId, barriers, digests}` (see `DigestEvidence`): the master's own, once the time to observe is over. A
 * second comparison agrees, or (barrierId null) nothing of what was superseded is left to compare with; every target can
 * be read (I14). Then what was superseded goes, and its nodes clear exactly those generations. After a rollback it is
 * what the plan had made that goes.
 */
export const reclaimPlan: Decider = (state, fields, context) => {
  const barrierId = fields.optional('barrierId', (name) => fields.text(name, 128), null);
  const digests = readDigests(fields);
  const plan = readPlan(state, fields);
  if ('code' in plan) return plan;
  if (plan.state === 'reclaiming') return plan.step === 'observe' ? targetsGivenUp(state, plan, context) : [];
  if (plan.state === 'failed' && plan.failureCode === 'DIGEST_MISMATCH') return [];
  if (plan.state !== 'observing') return notReady(plan, 'reclaimed');
  if (context.nowMs < (plan.observeUntilMs ?? Infinity))
    return notReady(plan, 'reclaimed', `it is observed for ${(plan.observeUntilMs ?? 0) - context.nowMs} ms more`);
  const verdict = agreed(state, plan, { barrierId, digests });
  if ('code' in verdict) return verdict;
  if ('equal' in verdict) {
    const { message, evidence } = verdict;
    return [planFailed(plan, { code: 'DIGEST_MISMATCH', message, evidence: { barrierId, ...evidence } }, context)];
  }
  return [
    ...replicasGivenUp(state, supersededNow(state, plan), context),
    planChanged(
      plan,
      { state: 'reclaiming', step: 'reclaim' },
      { change: planReclaimed, what: 'ended', step: 'observe', evidence: verdict.evidence },
      context,
    ),
  ];
};

/** Its switch was undone: what it had made is retired, and goes. */
export function rolledBack({ change }: Pick<PlanState, 'change'>): boolean {
  return change === planRolledBack;
}

/** `change` of a plan whose switch was undone, until it is over. */
export const planRolledBack = 'PlanRolledBack';

/** `change` of a plan that gave up what it had superseded, until it is over. */
export const planReclaimed = 'PlanReclaimed';

interface Evidence {
  readonly barrierId: string | null;
  readonly digests: readonly PlanDigest[];
}

/** The evidence on which the superseded replicas may go, or what forbids it. */
function agreed(
  state: ClusterState,
  plan: PlanState,
  { barrierId, digests }: Evidence,
): { readonly evidence: object } | DigestsDiffer | Rejection {
  const toCompare = comparedBeforeReclaim(state, plan);
  if (toCompare === undefined) return { evidence: { nothingToCompare: plan.retiring.map(({ unitId }) => unitId) } };
  if ('waitsFor' in toCompare) return notReady(plan, 'reclaimed', `it waits for ${toCompare.waitsFor}`);
  if (barrierId === null)
    return reject(
      'STALE_EVIDENCE',
      `I11: plan ${plan.planId} may clear nothing without a second comparison: give its barrierId`,
    );
  const compared = comparedReplicas(digests);
  const notInForce = staleDigests(state, compared);
  if (notInForce !== undefined) return notInForce;
  const verdict = compareDigests(digests, sidesOf(state, plan, toCompare));
  if ('code' in verdict || !verdict.equal) return verdict;
  const { barriers, keys } = verdict;
  return { evidence: { barrierId, barriers, keys, replicas: compared } };
}

/** After a rollback: readers with an older route have had their time, and the sources can be read (I14). */
function targetsGivenUp(state: ClusterState, plan: PlanState, context: DecideContext): ClusterEvent[] | Rejection {
  // One that was given up with its node, and came back when its chunk lacked replicas, serves: readers rely on it (I14).
  const made = replicasMadeNow(state, plan).filter((of) => !isReadable(of));
  const sinceMs = context.nowMs - (plan.history.at(-1)?.atMs ?? 0);
  if (sinceMs < planLimits.rolledBackGraceMs)
    return notReady(plan, 'reclaimed', `readers have ${planLimits.rolledBackGraceMs - sinceMs} ms more`);
  const unreadable = unreadableSource(state, plan);
  if (unreadable !== undefined)
    return notReady(plan, 'reclaimed', `I14: no replica of ${unreadable} on a node that is up can be read`);
  return [
    ...replicasGivenUp(state, made, context),
    planChanged(plan, { step: 'reclaim' }, { change: planRolledBack, what: 'ended' }, context),
  ];
}

/**
 * What the plan has made, as it is now: a replica whose disk was replaced goes on in another generation of its unit, one
 * whose node was given up is dead, and whatever else a chunk has that only this plan knows.
 */
export function replicasMadeNow(state: ClusterState, plan: PlanState): Named[] {
  const made = replicasMade(plan);
  const isMade = (of: ChunkReplica): boolean =>
    made.some((one) => (of.role === 'dead' ? isSame(one, of) : one.unitId === of.unitId));
  return plan.targets.flatMap(({ chunkId }) => namedIn(state, chunkId, (of) => isReshape(plan) || isMade(of)));
}

/** What the plan has superseded, as it is now. */
function supersededNow(state: ClusterState, plan: PlanState): Named[] {
  return plan.sources.flatMap((chunkId) =>
    namedIn(
      state,
      chunkId,
      (of) => isReshape(plan) || (plan.retiring.some((one) => isSame(one, of)) && !isReadable(of)),
    ),
  );
}

type Named = ReplicaRef & Pick<ChunkReplica, 'nodeId' | 'role'>;

function namedIn(state: ClusterState, chunkId: string, which: (of: ChunkReplica) => boolean): Named[] {
  return (state.chunk(chunkId)?.replicas ?? []).filter(which).map((of) => ({ ...of, chunkId }));
}

/** A source chunk that nobody could read now. */
export function unreadableSource(state: ClusterState, plan: PlanState): string | undefined {
  return plan.sources.find((chunkId) => {
    const chunk = state.chunk(chunkId);
    return chunk === undefined || !chunk.replicas.some((of) => isReadable(of) && isUp(state, of));
  });
}
