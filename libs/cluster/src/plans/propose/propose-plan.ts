import type { NamespaceState, PlanState } from '@levee/events';
import { historyWindowChanged } from '../../commands/namespaces/alter-namespace';
import { cordonProblem } from '../../commands/nodes/cordon-node';
import { readHeardLevels, type HeardLevel } from '../../commands/heard-levels';
import { stamp, type CommandContext, type Decider } from '../../commands/decider';
import type { ClusterEvent } from '../../state/event';
import type { PayloadFields } from '../../payload';
import { reject, type Rejection } from '../../rejection';
import type { ClusterState } from '../../state/state';
import { chooseReplicas } from './choose-replicas';
import { planChanged } from '../steps/plan-events';
import { planLimits } from '../plan-limits';
import { isCompound, planEmptying, planHolding, slotsHeld } from '../plan-shape';
import { readProposal, type PlanOutline } from './read-proposal';

export const planKinds = [
  'move',
  'reReplicate',
  'promote',
  'split',
  'merge',
  'shift',
  'resize',
  'drain',
  'format',
  'rebalance',
] as const satisfies readonly PlanState['kind'][];

/** Why a plan is proposed. */
const planTriggers = [
  'operator',
  'deadReplica',
  'fullChunk',
  'hotChunk',
  'hotNode',
  'coldNeighbours',
  'emptyNode',
  'unevenPrimaries',
  'parent',
] as const;

interface Terms extends Pick<
  PlanState,
  'observeMs' | 'maxLagRecords' | 'trigger' | 'evidence' | 'policyVersion' | 'parent'
> {
  readonly hold: boolean;
}

/**
 * `{kind, …by kind, observeMs?, maxLagRecords?, hold?, trigger?, evidence?, policyVersion?, parent?, heard?}`, by kind: move
 * {chunkId, from, to?, unitId?, engine?}; reReplicate {chunkId, to?}; promote {chunkId, to}; split {chunkId, parts?, at?};
 * merge {chunkIds}; shift {chunkIds, at}; resize {namespace, chunks}, as a part {chunkIds, at}; drain {nodeId}; format
 * {nodeId, units}; rebalance {namespace?}. The plan gets the id `p<seq of this decision>`. Refused when it is impossible
 * as things are, and while another plan holds one of its slots, its node or its namespace. Nothing is taken yet.
 */
export const proposePlan: Decider = (state, fields, context) => {
  const kind = fields.choice('kind', planKinds);
  const terms = readTerms(kind, fields, context);
  if (fields.problem !== undefined) return fields.problem;
  const purpose = readProposal(kind, state, fields);
  if ('code' in purpose) return purpose;
  const heard = readHeardLevels(fields);
  fields.refuseOthers('BAD_COMMAND', 'field');
  if (fields.problem !== undefined) return fields.problem;
  const plan = planOf(state, { kind, terms: asItsParent(state, terms), purpose }, context);
  const problem = parentProblem(state, terms) ?? conflict(state, plan) ?? impossible(state, plan, heard);
  if (problem !== undefined) return problem;
  return [...chunksNumbered(state, purpose, context), proposed(plan, context)];
};

function readTerms(kind: PlanState['kind'], fields: PayloadFields, context: CommandContext): Terms {
  const observeMsDefault =
    kind === 'reReplicate' || kind === 'promote' ? 0 : (context.planObserveMs ?? planLimits.observeMsDefault);
  const integer = (name: string, max: number, otherwise: number, unit: string): number =>
    fields.optional(name, () => fields.integer(name, { min: 0, max, unit }), otherwise);
  return {
    observeMs: integer('observeMs', planLimits.observeMsMax, observeMsDefault, 'ms'),
    maxLagRecords: integer('maxLagRecords', 1_000_000_000, planLimits.maxLagRecordsDefault, 'records'),
    hold: fields.optional('hold', (name) => fields.flag(name), false),
    trigger: fields.optional('trigger', (name) => fields.choice(name, planTriggers), 'operator'),
    evidence: evidenceIn(fields),
    policyVersion: integer('policyVersion', 1_000_000, 0, ''),
    parent: fields.optional('parent', (name) => fields.text(name, 64), null),
  };
}

/** A part is observed no longer than its plan, which people may have finished since the part was thought of. */
function asItsParent(state: ClusterState, terms: Terms): Terms {
  const longest = state.plan(terms.parent ?? '')?.observeMs ?? terms.observeMs;
  return { ...terms, observeMs: Math.min(terms.observeMs, longest) };
}

/** The field `evidence`, an object or JSON text, as JSON text. */
export function evidenceIn(fields: PayloadFields): string {
  const value = fields.raw('evidence');
  if (value === undefined || value === null) return '{}';
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  if (text.length <= planLimits.evidenceLengthMax) return text;
  fields.refuse(
    reject(
      'TOO_LARGE',
      `evidence has ${text.length} characters, the limit is ${planLimits.evidenceLengthMax}: shorten it`,
    ),
  );
  return '{}';
}

function planOf(
  state: ClusterState,
  { kind, terms, purpose }: { kind: PlanState['kind']; terms: Terms; purpose: PlanOutline },
  context: CommandContext,
): PlanState {
  const { hold, ...kept } = terms;
  const { chunksNumbered: _numbered, ...about } = purpose;
  return {
    planId: `p${context.seq}`,
    kind,
    state: 'proposed',
    step: isCompound({ kind, sources: about.sources }) ? 'parts' : 'allocate',
    attempt: 1,
    approved: !hold && !waitsForPeople(state.namespace(about.namespace ?? ''), kind, terms.trigger),
    nodeId: null,
    chunksWanted: null,
    unitsWanted: null,
    toNodeId: null,
    toUnitId: null,
    toEngine: null,
    ...about,
    ...kept,
    verified: null,
    observeUntilMs: null,
    proposedBy: context.principal,
    history: [],
    failureCode: null,
    failureMessage: null,
    failures: 0,
    retryAtMs: null,
    createdAtMs: context.nowMs,
    endedAtMs: null,
    ...stamp(context, 'PlanProposed'),
  };
}

/** What a person, or a plan that was approved, asks for needs no further approval. */
function waitsForPeople(namespace: NamespaceState | undefined, kind: PlanState['kind'], trigger: string): boolean {
  if (namespace === undefined || trigger === 'operator' || trigger === 'parent') return false;
  return namespace.manualPlans.includes(kind) || (kind === 'reReplicate' && namespace.failoverStrategy === 'manual');
}

function proposed(plan: PlanState, context: CommandContext): ClusterEvent {
  const { trigger, evidence, proposedBy } = plan;
  const shown = { trigger, proposedBy, approved: plan.approved, evidence };
  return planChanged(plan, {}, { change: 'PlanProposed', what: 'proposed', evidence: shown }, context);
}

function parentProblem(state: ClusterState, { parent, trigger }: Terms): Rejection | undefined {
  if (parent === null && trigger !== 'parent') return undefined;
  const plan = parent === null ? undefined : state.plan(parent);
  if (plan === undefined)
    return reject('PLAN_UNKNOWN', `there is no plan '${parent ?? ''}' that this could be a part of`);
  if (isCompound(plan) && plan.state === 'running') return undefined;
  return reject('PLAN_NOT_READY', `plan ${plan.planId} (${plan.kind}) is ${plan.state} and takes no parts now`);
}

function conflict(state: ClusterState, plan: PlanState): Rejection | undefined {
  let open = 0;
  for (const _ of state.openPlans()) open++;
  if (open >= planLimits.openMax)
    return reject('PLAN_LIMIT', `${open} plans are not over, the limit is ${planLimits.openMax}: cancel some, or wait`);
  const slots = slotsHeld(plan);
  const rival = slots === undefined ? compoundRival(state, plan) : planHolding(state, plan.namespace ?? '', slots);
  if (rival === undefined) return undefined;
  const held = slotsHeld(rival);
  const what =
    held === undefined
      ? (rival.nodeId ?? rival.namespace ?? 'the cluster')
      : `${rival.namespace} slots ${held.slotStart}..${held.slotEnd}`;
  return reject(
    'PLAN_CONFLICT',
    `plan ${rival.planId} (${rival.kind}, ${rival.state}) holds ${what} until it is over: wait for it, or cancel it or roll it back first`,
  );
}

/** Two plans that would pull the same node or namespace in two directions. */
function compoundRival(state: ClusterState, plan: PlanState): PlanState | undefined {
  if (plan.nodeId !== null) return planEmptying(state, plan.nodeId);
  for (const other of state.openPlans()) {
    if (other.kind !== plan.kind || !isCompound(other)) continue;
    if (other.namespace === plan.namespace || other.namespace === null || plan.namespace === null) return other;
  }
  return undefined;
}

/** Units and domains as they are now would not do: better said at once than waited for. */
function impossible(state: ClusterState, plan: PlanState, heard: readonly HeardLevel[]): Rejection | undefined {
  if (plan.kind === 'drain') return cordonProblem(state, heard);
  if (isCompound(plan) || plan.kind === 'promote') return undefined;
  const targets = chooseReplicas(state, plan);
  return 'code' in targets ? targets : undefined;
}

/** Numbers of chunks are given once: not even a plan that never begins gives its numbers back. */
function chunksNumbered(
  state: ClusterState,
  { namespace, chunksNumbered: count }: PlanOutline,
  context: CommandContext,
): ClusterEvent[] {
  const entity = state.namespace(namespace ?? '');
  if (entity === undefined || count === 0) return [];
  const change = entity.change === historyWindowChanged ? historyWindowChanged : 'ChunksNumbered';
  return [{ kind: 'namespace', entity: { ...entity, nextChunk: entity.nextChunk + count, ...stamp(context, change) } }];
}
