import { Failure, isoTime } from '@levee/kernel';
import type { Precondition } from '../proof/preconditions';
import type { JournalThen, Moment, NotProvable, PlacedDecision, UnprovableReason } from './journal-then';

/** What every answer about the control plane's past says. */
export interface PastAnswer {
  readonly verdict: 'proved' | 'not provable';
  /** `null`: it is proved. */
  readonly reason: UnprovableReason | null;
  readonly message: string | null;
  /** The decision whose state is told; `null`: none was in force yet. */
  readonly decision: (PlacedDecision & { readonly at: string }) | null;
  /** The next one in force, which ends it; `null`: there is none yet. */
  readonly until: (PlacedDecision & { readonly at: string }) | null;
  readonly preconditions: readonly Precondition[];
}

const placed = (of: PlacedDecision | undefined): PastAnswer['decision'] =>
  of === undefined ? null : { ...of, at: isoTime(of.atMs) };

export function answerOf(then: JournalThen | NotProvable): PastAnswer {
  if (then.verdict === 'not provable') {
    const { verdict, reason, message } = then;
    return { verdict, reason, message, decision: null, until: null, preconditions: [] };
  }
  const { verdict, decision, next, preconditions } = then;
  return { verdict, reason: null, message: null, decision: placed(decision), until: placed(next), preconditions };
}

/** In words: `at 2026-03-02T12:00:00.000Z`, `as of decision 17`. */
function momentWords(moment: Moment): string {
  if ('newest' in moment) return 'now';
  return 'seq' in moment ? `as of decision ${moment.seq}` : `at ${isoTime(moment.timeMs)}`;
}

/** What was not there then. */
export const notThere = (code: string, what: string, moment: Moment): Failure =>
  new Failure(code, `${momentWords(moment)}, ${what}`);
