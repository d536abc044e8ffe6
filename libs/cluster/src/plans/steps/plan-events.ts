import type { ChunkReplica, ChunkState, PlanMoment, PlanState } from '@levee/events';
import { stamp } from '../../commands/decider';
import type { DecideContext } from '../../decide-context';
import type { ClusterEvent } from '../../state/event';
import type { PayloadFields } from '../../payload';
import { reject, type Rejection } from '../../rejection';
import { routeOf } from '../../state/route-of';
import type { ClusterState } from '../../state/state';
import { isFinishable, isSame, type ReplicaRef } from '../plan-shape';
import { boundedHistory, shortenedEvidence } from '../evidence/shorten-evidence';

export interface PlanChange {
  /** Past-tense name, kept in the entity. */
  readonly change: string;
  /** Past-tense word for the history. */
  readonly what: string;
  /** The step it happened in; the plan's own before the change when left out. */
  readonly step?: PlanState['step'];
  /** What shows it; written as JSON. */
  readonly evidence?: object;
}

/** The plan with other values and one more moment. */
export function planChanged(
  plan: PlanState,
  values: Partial<PlanState>,
  { change, what, step, evidence }: PlanChange,
  context: DecideContext,
): ClusterEvent {
  const moment: PlanMoment = {
    step: step ?? plan.step,
    attempt: values.attempt ?? plan.attempt,
    what,
    atMs: context.nowMs,
    seq: context.seq,
    evidence: evidence === undefined ? '' : shortenedEvidence(evidence),
  };
  const history = boundedHistory([...plan.history, moment]);
  return { kind: 'plan', entity: { ...plan, ...values, history, ...stamp(context, change) } };
}

/**
 * The plan that the payload names, or why the payload is refused: to be called once its other fields were read. With
 * `attempt`, a payload that speaks of another attempt than the one under way is refused too.
 */
export function readPlan(state: ClusterState, fields: PayloadFields, attempt?: number): PlanState | Rejection {
  const planId = fields.text('planId', 64);
  fields.refuseOthers('BAD_COMMAND', 'field');
  if (fields.problem !== undefined) return fields.problem;
  const plan = state.plan(planId);
  if (plan === undefined)
    return reject('PLAN_UNKNOWN', `there is no plan '${planId}': it never was, or was over more than a day ago`);
  if (attempt === undefined || attempt === plan.attempt) return plan;
  return reject('STALE_ATTEMPT', `plan ${planId} is in attempt ${plan.attempt}, not ${attempt}: look again`);
}

/** What people and the master can do with a plan, by its state. */
const possibleIn: Readonly<Record<PlanState['state'], string>> = {
  proposed: 'approve, cancel',
  running: 'cancel',
  observing: 'rollback',
  reclaiming: 'nothing: it ends when the units are cleared',
  done: 'nothing: it is over',
  cancelled: 'nothing: it is over',
  rolledBack: 'nothing: it is over',
  failed: 'retry, cancel',
};

/** PLAN_NOT_READY, with what is possible instead. */
export function notReady(plan: PlanState, asked: string, why = ''): Rejection {
  const { planId, kind, state, step, observeUntilMs } = plan;
  const byState = state === 'failed' && observeUntilMs !== null ? 'retry, rollback' : possibleIn[state];
  const possible = isFinishable(plan) ? `${byState}, finish` : byState;
  return reject(
    'PLAN_NOT_READY',
    `plan ${planId} (${kind}) is ${state}${step === 'none' ? '' : ` at step ${step}`} and cannot be ${asked}` +
      `${why === '' ? '' : `: ${why}`}; possible now: ${possible}`,
  );
}

export const attemptBounds = { min: 1, max: 2 ** 31 - 1 } as const;

/** The chunk with other values, and its route when it serves and has one. */
export function chunkBecomes(
  state: ClusterState,
  chunk: ChunkState,
  { values, change, context }: { values: Partial<ChunkState>; change: string; context: DecideContext },
): ClusterEvent[] {
  const entity: ChunkState = { ...chunk, ...values, ...stamp(context, change) };
  const events: ClusterEvent[] = [{ kind: 'chunk', entity }];
  if (entity.state === 'serving' && state.route(chunk.chunkId) !== undefined)
    events.push({ kind: 'route', entity: routeOf(entity, context, 'RouteChanged') });
  return events;
}

/**
 * Takes these replicas out of their chunks and has their units cleared; a chunk that does not serve goes with its last
 * replica. What is not in force any more is left alone: a unit taken again belongs to somebody else (I10).
 */
export function replicasGivenUp(
  state: ClusterState,
  names: readonly ReplicaRef[],
  context: DecideContext,
): ClusterEvent[] {
  const byChunk = new Map<string, ReplicaRef[]>();
  for (const of of names) byChunk.set(of.chunkId, [...(byChunk.get(of.chunkId) ?? []), of]);
  return [...byChunk].flatMap(([chunkId, given]) => {
    const chunk = state.chunk(chunkId);
    if (chunk === undefined) return [];
    const goes = (replica: ChunkReplica): boolean => given.some((of) => isSame(replica, of));
    const left = chunk.replicas.filter((of) => !goes(of));
    const gone = chunk.replicas.filter(goes);
    return [...chunkWithout(state, chunk, { left, gone }, context), ...unitsCleared(state, chunkId, gone, context)];
  });
}

function chunkWithout(
  state: ClusterState,
  chunk: ChunkState,
  { left, gone }: { left: readonly ChunkReplica[]; gone: readonly ChunkReplica[] },
  context: DecideContext,
): ClusterEvent[] {
  if (left.length === 0 && chunk.state !== 'serving')
    return [{ kind: 'removed', entity: { entity: 'chunk', key: chunk.chunkId, ...stamp(context, 'ChunkRemoved') } }];
  if (gone.length === 0) return [];
  return chunkBecomes(state, chunk, { values: { replicas: left }, change: 'ReplicaRemoved', context });
}

/** The units that hold exactly these replicas are to be cleared by their nodes. */
function unitsCleared(
  state: ClusterState,
  chunkId: string,
  replicas: readonly ChunkReplica[],
  context: DecideContext,
): ClusterEvent[] {
  return replicas.flatMap(({ unitId, generation, storeId }): ClusterEvent[] => {
    const unit = state.unit(unitId);
    if (unit?.state !== 'allocated' || unit.chunkId !== chunkId) return [];
    if (unit.generation !== generation || unit.storeId !== storeId) return [];
    return [{ kind: 'unit', entity: { ...unit, state: 'reclaiming', ...stamp(context, 'UnitReclaimed') } }];
  });
}
