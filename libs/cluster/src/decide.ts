import type { Command, CommandOutcome } from '@levee/events';
import { commandKinds, isCommandKind } from './command-kinds';
import { commandDeciders } from './command-table';
import type { DecideContext } from './decide-context';
import type { ClusterEvent } from './state/event';
import { PayloadFields, payloadLengthMax } from './payload';
import { forgottenPlans } from './plans/steps/forgotten-plans';
import { reject, type Rejection } from './rejection';
import type { ClusterState } from './state/state';

/** What comes of a command. `events` are in the order in which `evolve` takes them. */
export interface Verdict {
  readonly events: readonly ClusterEvent[];
  /** `undefined` = accepted. */
  readonly rejection: Rejection | undefined;
  readonly outcome: CommandOutcome;
  /** The command had been decided before: this is its recorded outcome, and nothing changes. */
  readonly repeated: boolean;
}

/** For this long a repeated command id gets the recorded outcome; older commands are refused. */
export const commandLifetimeMs = 24 * 3_600_000;
/** A submitter's clock may be this far ahead. Outcomes are kept longer by as much, so that none is forgotten early. */
export const commandClockAheadMsMax = 3_600_000;
/** Expired outcomes dropped by one decision: more than one, so that they never pile up. */
const outcomesForgottenMax = 4;

/** Pure: the same state, command and context give the same verdict. Never throws, whatever the payload is. */
export function decide(state: ClusterState, command: Command, context: DecideContext): Verdict {
  const recorded = state.outcome(command.id);
  if (recorded !== undefined)
    return { events: [], rejection: rejectionOf(recorded), outcome: recorded, repeated: true };
  const decided = decideNew(state, command, context);
  const rejection = 'code' in decided ? decided : undefined;
  const outcome: CommandOutcome = {
    commandId: command.id,
    kind: command.kind,
    rejectionCode: rejection?.code ?? null,
    rejectionMessage: rejection?.message ?? null,
    decidedAtMs: context.nowMs,
    change: rejection === undefined ? 'CommandAccepted' : 'CommandRejected',
    seq: context.seq,
    term: context.term,
  };
  const events = 'code' in decided ? [] : decided;
  return {
    events: [
      ...events,
      { kind: 'outcome', entity: outcome },
      ...forgottenOutcomes(state, context),
      ...forgottenPlans(state, context),
    ],
    rejection,
    outcome,
    repeated: false,
  };
}

/** The rejection that an outcome records, else `undefined`. */
function rejectionOf(outcome: CommandOutcome): Rejection | undefined {
  if (outcome.rejectionCode === null) return undefined;
  return { code: outcome.rejectionCode as Rejection['code'], message: outcome.rejectionMessage ?? '' };
}

function decideNew(state: ClusterState, command: Command, context: DecideContext): readonly ClusterEvent[] | Rejection {
  const ageMs = context.nowMs - command.submittedAtMs;
  if (ageMs > commandLifetimeMs)
    return reject(
      'COMMAND_EXPIRED',
      `command ${command.id} was submitted ${Math.floor(ageMs / 3_600_000)} h ago, the limit is 24 h: look at the state, then submit it anew`,
    );
  if (-ageMs > commandClockAheadMsMax)
    return reject(
      'COMMAND_FROM_FUTURE',
      `command ${command.id} was submitted ${Math.floor(-ageMs / 60_000)} min in the future, the limit is 60: set the submitter's clock`,
    );
  if (command.payload.length > payloadLengthMax)
    return reject(
      'TOO_LARGE',
      `the payload has ${command.payload.length} characters, the limit is ${payloadLengthMax}`,
    );
  const { kind } = command;
  if (!isCommandKind(kind))
    return reject('UNKNOWN_KIND', `'${kind.slice(0, 80)}' is no command: there are ${commandKinds.join(', ')}`);
  if (state.clusterId === undefined && kind !== 'InitCluster')
    return reject('NOT_INITIALISED', `${kind} must wait until a master has founded the cluster: try again`);
  const fields = PayloadFields.parse(kind, command.payload);
  return 'code' in fields ? fields : commandDeciders[kind](state, fields, { ...context, principal: command.principal });
}

function* forgottenOutcomes(state: ClusterState, context: DecideContext): Iterable<ClusterEvent> {
  const { nowMs, seq, term } = context;
  let forgotten = 0;
  for (const { commandId, decidedAtMs } of state.outcomes()) {
    if (nowMs - decidedAtMs <= commandLifetimeMs + commandClockAheadMsMax || forgotten++ === outcomesForgottenMax)
      return;
    yield {
      kind: 'removed',
      entity: { entity: 'outcome', key: commandId, change: 'OutcomeExpired', seq, term },
    };
  }
}
