import type { DecideContext } from '../decide-context';
import type { ClusterEvent } from '../state/event';
import type { PayloadFields } from '../payload';
import type { Rejection } from '../rejection';
import type { ClusterState } from '../state/state';

/** What a decider knows besides the state and the payload. */
export interface CommandContext extends DecideContext {
  /** Who gave the command: `portal p1`, `node n1`, a user name. */
  readonly principal: string;
}

/** Decides one kind of command. No events and no rejection = accepted, nothing to change. */
export type Decider = (
  state: ClusterState,
  fields: PayloadFields,
  context: CommandContext,
) => readonly ClusterEvent[] | Rejection;

/** The fields that every entity carries about its last change. */
export function stamp(context: DecideContext, change: string): { change: string; seq: number; term: number } {
  return { change, seq: context.seq, term: context.term };
}
