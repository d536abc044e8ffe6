import type { Decision } from '@levee/events';
import { witnessLimits } from '../fold/witness-limits';

/** Kind of the command that a bridge is said to decide; nobody can have one decided. */
export const bridgeKind = 'BridgeJournal';

/**
 * A decision that takes the place of those in a stretch of the journal that is gone (decision record 0031): its events
 * are the whole state, its `commandOffset` is the last command decided, and it may skip numbers. Who comes from before
 * the stretch and who has read past it are in the same state behind it. A command of that kind which somebody submits is
 * decided as refused, and is none.
 */
export function isBridge({ command, rejectionCode }: Pick<Decision, 'command' | 'rejectionCode'>): boolean {
  return command.kind === bridgeKind && rejectionCode === null;
}

/** Why a bridge is not in force where a reader stands, in words. */
export function bridgeMisfit(
  { seq, term }: Pick<Decision, 'seq' | 'term'>,
  at: { readonly seq: number; readonly term: number },
): string | undefined {
  const what = `decision ${seq} of term ${term}, which bridges a stretch that is gone`;
  if (term !== at.term) return `${what}, of a term that nobody claimed: the term is ${at.term}`;
  if (seq <= at.seq) return `${what} once more, decision ${at.seq} is in force`;
  if (seq - at.seq > witnessLimits.seqsAheadMax) return `${what}, where ${at.seq + 1} is next: too far ahead`;
  return undefined;
}
