import type { DoctorFacts } from './facts';
import type { Finding } from './finding';
import { journalRules } from './journal-rules';
import { doctorLimits } from './limits';
import { logRules } from './log-rules';
import { namespaceRules } from './namespace-rules';
import { lossRules } from './loss-rules';
import { nodeRules } from './node-rules';
import { proofRules } from './proof-rules';

/** A rule looks at the facts alone: the same facts give the same findings. Without the facts it needs it says nothing. */
export type Rule = (facts: DoctorFacts) => readonly Omit<Finding, 'rule'>[];

/** Every rule by its stable name, what explains most first. */
export const doctorRules: Readonly<Record<string, Rule>> = {
  ...logRules,
  ...journalRules,
  ...lossRules,
  ...nodeRules,
  ...namespaceRules,
  ...proofRules,
};

export function findingsOf(facts: DoctorFacts): Finding[] {
  return Object.entries(doctorRules).flatMap(([rule, look]) =>
    bounded(look(facts)).map((found) => ({ rule, ...found })),
  );
}

function bounded(found: readonly Omit<Finding, 'rule'>[]): readonly Omit<Finding, 'rule'>[] {
  const most = doctorLimits.findingsPerRuleMax;
  const last = found[most - 1];
  if (last === undefined || found.length <= most) return found;
  const more = found.length - most;
  return [...found.slice(0, most - 1), { ...last, finding: `${last.finding}; and ${more} more like it` }];
}
