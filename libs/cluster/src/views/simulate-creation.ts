import { decide } from '../decide';
import { unitBudget, type UnitBudget } from '../placement/unit-budget';
import type { Rejection } from '../rejection';
import { draft, type ClusterState } from '../state/state';
import { describeNamespace, type NamespaceDescription } from './view';

export interface SimulatedCreation extends NamespaceDescription {
  /** As it would be afterwards. */
  readonly budget: UnitBudget;
}

/** What CreateNamespace with this payload would lead to, or why it would be refused. Changes nothing. */
export function simulateCreation(
  state: ClusterState,
  payload: Readonly<Record<string, unknown>>,
  context: { readonly nowMs: number; readonly topicPrefix: string },
): SimulatedCreation | Rejection {
  const candidate = draft(state);
  const command = {
    id: 'simulated',
    kind: 'CreateNamespace',
    payload: JSON.stringify(payload),
    principal: 'simulation',
    submittedAtMs: context.nowMs,
  };
  const { events, rejection } = decide(candidate, command, { ...context, seq: candidate.seq + 1, term: 1 });
  if (rejection !== undefined) return rejection;
  for (const event of events) candidate.evolve(event);
  const description = describeNamespace(candidate, String(payload['name']));
  return 'code' in description ? description : { ...description, budget: unitBudget(candidate) };
}
