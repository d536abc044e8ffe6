import {
  type ClusterState,
  type FindingTimes,
  type HealingPolicy,
  type HealingRound,
  judge,
  planHealing,
  type ReasonCode,
  type Trigger,
} from '@levee/cluster';
import { loadsOfFacts } from './recorded-loads';
import { findingOf, proposalWords, type RecordedProposal, sameFinding, samePlan } from './recorded-proposal';

interface JudgedBy {
  readonly state: ClusterState;
  readonly findings: FindingTimes;
  readonly policy: HealingPolicy;
  /** The policy is another one than that of the dispatcher then. */
  readonly isOther: boolean;
}

interface Judged {
  /** `unknown`: the journal lacks what it rested on. */
  readonly verdict: 'same' | 'other' | 'none' | 'unknown';
  readonly why: string;
}

/**
 * A recorded proposal judged again by the figures that it recorded with itself; of everything else nothing is known.
 */
export function judgedByFacts(
  proposal: RecordedProposal,
  { state, findings: known, policy, isOther }: JudgedBy,
): Judged {
  const { payload, atMs, facts, chunkIds } = proposal;
  const { trigger } = payload;
  const unheld = hotNodeByFacts(proposal, policy);
  if (unheld !== undefined) return unheld;
  const loads = loadsOfFacts(state, chunkIds, facts);
  const run = (counts: boolean): HealingRound => {
    const findings = new Map(known).set(findingOf(proposal), { sinceMs: 0, counts });
    return planHealing({ state, loads, policy, nowMs: atMs, findings });
  };
  const rounds = [run(false), run(true)];
  for (const [i, round] of rounds.entries()) {
    const found = round.proposals.find((each) => sameFinding(each.payload, payload));
    if (found === undefined) continue;
    if (i === 1 && isOther)
      return {
        verdict: 'unknown',
        why: 'it would have had to be above the upper threshold before, which is not recorded',
      };
    if (samePlan(found.payload, payload))
      return isOther && mustLast(policy, trigger)
        ? { verdict: 'unknown', why: 'whether it lasted so long is not recorded' }
        : { verdict: 'same', why: '' };
    if (choosesByLoad.has(trigger))
      return {
        verdict: 'unknown',
        why: `by what is recorded ${proposalWords(found.payload)}: the loads that chose are not`,
      };
    return { verdict: 'other', why: proposalWords(found.payload) };
  }
  const round = rounds.at(-1);
  const code = round?.reasons.find((each) => concerns(each, proposal))?.code;
  const why = whyNot(proposal, round);
  if (code === undefined ? choosesByLoad.has(trigger) : restsOnLoads.has(code))
    return {
      verdict: 'unknown',
      why: `${why ?? 'nothing is found there'}: the loads that it rests on are not recorded`,
    };
  return { verdict: 'none', why: why ?? 'nothing is found there' };
}

/** Loads of a whole node are the sum of many: its finding can be judged, the choice that followed cannot. */
function hotNodeByFacts(
  { payload, facts }: RecordedProposal,
  { hotNode, hotNodePerSecondMin }: HealingPolicy,
): Judged | undefined {
  if (payload.trigger !== 'hotNode') return undefined;
  const [load, share] = [Number(facts['fromRequestsPerSecond']), Number(facts['fromShare'])];
  const words = `${Math.round(load)} requests per second, ${(load / share).toFixed(2)} times its share`;
  const isHot = load >= hotNodePerSecondMin && load / share >= hotNode.leave;
  if (isHot || Number.isNaN(load / share))
    return { verdict: 'unknown', why: `${words}: the loads of its replicas, which chose, are not recorded` };
  return {
    verdict: 'none',
    why: `${words}; hot from ${hotNode.enter} times and ${hotNodePerSecondMin} requests per second`,
  };
}

/** Why a round does not come to it, in words; `undefined`: it finds nothing there. */
export function whyNot(proposal: RecordedProposal, round: HealingRound | undefined): string | undefined {
  if (round === undefined) return undefined;
  const reason = round.reasons.find((each) => concerns(each, proposal));
  if (reason !== undefined) return `${reason.code}: ${reason.message}`;
  const [subject = ''] = proposal.chunkIds;
  const { trigger } = proposal.payload;
  return judge(round.survey, round.findings, subject).find((each) => each.trigger === trigger)?.message;
}

/** Rules whose choice of a node or replica depends on the loads of all others. */
const choosesByLoad: ReadonlySet<Trigger> = new Set<Trigger>([
  'deadReplica',
  'hotNode',
  'emptyNode',
  'unevenPrimaries',
]);
const restsOnLoads: ReadonlySet<ReasonCode> = new Set<ReasonCode>(['ONE_HOT_KEY', 'NO_GAIN', 'SETTLING', 'TOO_YOUNG']);

const mustLast = (policy: HealingPolicy, trigger: Trigger): boolean => policy.ageMs[trigger] > 0;

function concerns(
  { trigger, subject }: HealingRound['reasons'][number],
  { payload, chunkIds, facts }: RecordedProposal,
): boolean {
  if (trigger !== payload.trigger) return false;
  const { chunkId, nodeId } = subject;
  if (chunkId !== undefined) return chunkId === chunkIds.join('+') || chunkIds.includes(chunkId);
  return nodeId === facts['from'] || nodeId === facts['to'];
}
