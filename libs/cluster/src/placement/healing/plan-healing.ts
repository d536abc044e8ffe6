import { healColdNeighbours } from './rules/cold-neighbours';
import { healDeadReplicas } from './rules/dead-replicas';
import { healEmptyNodes } from './rules/empty-nodes';
import { Findings, type FindingTimes } from './findings';
import { healFullChunks } from './rules/full-chunks';
import { triggers, type Trigger } from './healing-policy';
import { healHotChunks } from './rules/hot-chunks';
import { healHotNodes } from './rules/hot-nodes';
import { evenPrimaries } from './rules/uneven-primaries';
import type { Proposal, WhyNot } from './proposal';
import { Round } from './round';
import { survey, type Survey, type SurveyInput } from './survey';

export interface HealingInput extends SurveyInput {
  /** What the round before found; empty for the first. */
  readonly findings: FindingTimes;
}

export interface HealingRound {
  /** The most urgent first. */
  readonly proposals: readonly Proposal[];
  /** For every finding that nothing is proposed about, why. */
  readonly reasons: readonly WhyNot[];
  /** To be given to the next round. */
  readonly findings: FindingTimes;
  /** What it was judged by; its node figures already count what is proposed. */
  readonly survey: Survey;
  readonly counts: {
    readonly chunks: number;
    readonly nodes: number;
    readonly findings: Readonly<Record<Trigger, number>>;
  };
}

const rules: Readonly<Record<Trigger, (round: Round) => void>> = {
  deadReplica: healDeadReplicas,
  fullChunk: healFullChunks,
  hotChunk: healHotChunks,
  hotNode: healHotNodes,
  emptyNode: healEmptyNodes,
  coldNeighbours: healColdNeighbours,
  unevenPrimaries: evenPrimaries,
};

/**
 * One round of healing and balancing: which plans should be proposed now, and why no others. Pure and deterministic;
 * whoever gives the same state, loads, time and findings gets the same answer. Nothing goes back and forth: each rule
 * has a threshold to begin and a lower one to end, acts on what has lasted, lets what it changed rest, and never does
 * what would make another rule undo it (`checkHealingPolicy`). O(units + replicas) and what is proposed.
 */
export function planHealing(input: HealingInput): HealingRound {
  const findings = new Findings(input.findings, input.nowMs, input.policy.ageMs);
  const round = new Round(survey(input), findings);
  for (const trigger of triggers) rules[trigger](round);
  return {
    proposals: round.proposals,
    reasons: round.reasons,
    findings: findings.times,
    survey: round.survey,
    counts: {
      chunks: round.survey.chunks.length,
      nodes: round.survey.nodes.size,
      findings: countByTrigger(findings.times),
    },
  };
}

function countByTrigger(times: FindingTimes): Record<Trigger, number> {
  const counts = Object.fromEntries(triggers.map((trigger) => [trigger, 0])) as Record<Trigger, number>;
  for (const key of times.keys()) {
    const trigger = key.slice(0, key.indexOf('/'));
    if (trigger in counts) counts[trigger as Trigger]++;
  }
  return counts;
}
