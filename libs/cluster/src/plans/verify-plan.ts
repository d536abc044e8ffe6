import type { Decider } from '../commands/decider';
import { reject } from '../rejection';
import { compareDigests } from './compare-digests';
import { readDigests } from './digest-evidence';
import { planFailed } from './fail-plan';
import { attemptBounds, namedPlan, notReady, planChanged } from './plan-events';
import { placesBeforeSwitch, provenBy, sidesOf, staleDigests, verifiedIn, type Verified } from './plan-evidence';

/**
 * `{planId, attempt, barrierId, barriers, digests}` (see `DigestEvidence`): the master's own. This decision compares: per
 * partition the sources and the targets hold the same, and all replicas of one chunk agree. Unequal, the plan stops and
 * both sides stay. Equal, the switch may follow.
 */
export const verifyPlan: Decider = (state, fields, context) => {
  const attempt = fields.integer('attempt', attemptBounds);
  const barrierId = fields.text('barrierId', 128);
  const digests = readDigests(fields);
  const plan = namedPlan(state, fields, attempt);
  if ('code' in plan) return plan;
  if (plan.state === 'failed' && plan.failureCode === 'DIGEST_MISMATCH') return [];
  if (plan.state !== 'running' || (plan.step !== 'verify' && plan.step !== 'switch')) return notReady(plan, 'verified');
  if (verifiedIn(plan)?.barrierId === barrierId) return [];
  const proven = provenBy(digests);
  const notInForce = staleDigests(state, proven);
  if (notInForce !== undefined) return notInForce;
  const places = placesBeforeSwitch(state, plan);
  if ('waitsFor' in places) return reject('STALE_EVIDENCE', `plan ${plan.planId} waits for ${places.waitsFor}`);
  const verdict = compareDigests(digests, sidesOf(state, plan, places));
  if ('code' in verdict) return verdict;
  if (!verdict.equal) {
    const { message, evidence } = verdict;
    return [planFailed(plan, { code: 'DIGEST_MISMATCH', message, evidence: { barrierId, ...evidence } }, context)];
  }
  const verified: Verified = { barrierId, barriers: verdict.barriers, keys: verdict.keys, replicas: proven };
  const values = { step: 'switch', verified: JSON.stringify(verified) } as const;
  return [
    planChanged(plan, values, { change: 'PlanVerified', what: 'ended', step: 'verify', evidence: verified }, context),
  ];
};
