import type { Decider } from '../../commands/decider';
import { reject } from '../../rejection';
import { compareDigests } from '../evidence/compare-digests';
import { readDigests } from '../evidence/digest-evidence';
import { planFailed } from './fail-plan';
import { attemptBounds, readPlan, notReady, planChanged } from './plan-events';
import {
  comparedBeforeSwitch,
  comparedReplicas,
  sidesOf,
  staleDigests,
  verifiedIn,
  type Verified,
} from '../evidence/plan-evidence';

/**
 * `{planId, attempt, barrierId, barriers, digests}` (see `DigestEvidence`): the master's own. This decision compares: per
 * partition the sources and the targets hold the same, and all replicas of one chunk agree. Unequal, the plan stops and
 * both sides stay. Equal, the switch may follow.
 */
export const verifyPlan: Decider = (state, fields, context) => {
  const attempt = fields.integer('attempt', attemptBounds);
  const barrierId = fields.text('barrierId', 128);
  const digests = readDigests(fields);
  const plan = readPlan(state, fields, attempt);
  if ('code' in plan) return plan;
  if (plan.state === 'failed' && plan.failureCode === 'DIGEST_MISMATCH') return [];
  if (plan.state !== 'running' || (plan.step !== 'verify' && plan.step !== 'switch')) return notReady(plan, 'verified');
  if (verifiedIn(plan)?.barrierId === barrierId) return [];
  const compared = comparedReplicas(digests);
  const notInForce = staleDigests(state, compared);
  if (notInForce !== undefined) return notInForce;
  const toCompare = comparedBeforeSwitch(state, plan);
  if ('waitsFor' in toCompare) return reject('STALE_EVIDENCE', `plan ${plan.planId} waits for ${toCompare.waitsFor}`);
  const verdict = compareDigests(digests, sidesOf(state, plan, toCompare));
  if ('code' in verdict) return verdict;
  if (!verdict.equal) {
    const { message, evidence } = verdict;
    return [planFailed(plan, { code: 'DIGEST_MISMATCH', message, evidence: { barrierId, ...evidence } }, context)];
  }
  const { barriers, keys, digest } = verdict;
  const verified: Verified = { barrierId, barriers, keys, digest, replicas: compared };
  const values = { step: 'switch', verified: JSON.stringify(verified) } as const;
  return [
    planChanged(plan, values, { change: 'PlanVerified', what: 'ended', step: 'verify', evidence: verified }, context),
  ];
};
