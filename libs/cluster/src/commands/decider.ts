import type { DecideContext } from '../decide';
import type { ClusterEvent } from '../event';
import type { PayloadFields } from '../payload';
import type { Rejection } from '../rejection';
import type { ClusterState } from '../state';

/** Decides one kind of command. No events and no rejection = accepted, nothing to change. */
export type Decider = (
  state: ClusterState,
  fields: PayloadFields,
  context: DecideContext,
) => readonly ClusterEvent[] | Rejection;

/** The fields that every entity carries about its last change. */
export function stamp(context: DecideContext, change: string): { change: string; seq: number; term: number } {
  return { change, seq: context.seq, term: context.term };
}
