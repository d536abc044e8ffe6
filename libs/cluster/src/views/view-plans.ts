import type { PlanMoment, PlanState } from '@levee/events';
import { isPlanOver } from '../state/entities';
import type { ClusterState } from '../state/state';
import { isCompound } from '../plans/plan-shape';

/** One of the steps that people know of a change, with when and what shows it. */
interface PlanStepView {
  /** From 1. */
  readonly number: number;
  readonly name: string;
  readonly state: 'waiting' | 'running' | 'done' | 'failed' | 'skipped';
  /** When it ended, or stopped; null = it has not. */
  readonly atMs: number | null;
  /** Number of the decision that recorded it; null = none has. */
  readonly seq: number | null;
  /** JSON text; empty = nothing to show. */
  readonly evidence: string;
}

export interface PlanView {
  readonly plan: PlanState;
  readonly steps: readonly PlanStepView[];
  /** Plans that are parts of it and are remembered still, oldest first. */
  readonly parts: readonly PlanState[];
}

interface Step {
  readonly name: string;
  /** The moment that ends it. */
  readonly ends: (moment: PlanMoment) => boolean;
  /** The steps of the plan during which it is under way. */
  readonly during: readonly PlanState['step'][];
}

const ended =
  (step: string) =>
  (moment: PlanMoment): boolean =>
    moment.step === step && moment.what === 'ended';

const proposed = ({ what }: PlanMoment): boolean => what === 'proposed';

const steps: readonly Step[] = [
  { name: 'something is reported', ends: proposed, during: [] },
  { name: 'the master holds what is concerned', ends: proposed, during: [] },
  { name: 'the change is planned', ends: proposed, during: [] },
  { name: 'the master is asked, and lets it begin', ends: ({ what }) => what === 'began', during: ['allocate'] },
  { name: 'units are chosen, the nodes are told', ends: ({ what }) => what === 'began', during: ['allocate'] },
  { name: 'the data is copied', ends: ended('copy'), during: ['copy'] },
  { name: 'the nodes report that they follow the log', ends: ended('catchUp'), during: ['catchUp'] },
  { name: 'both sides agree, the routes change', ends: ended('switch'), during: ['verify', 'switch'] },
  { name: 'the new places carry all, the old are free', ends: ended('reclaim'), during: ['observe', 'reclaim'] },
];

/** Plans that are remembered, oldest first. */
export function viewPlans(state: ClusterState): PlanState[] {
  return [...state.plans()].sort((a, b) => a.createdAtMs - b.createdAtMs || a.planId.localeCompare(b.planId));
}

/** One plan with its nine steps; `undefined` = there is no such plan. */
export function viewPlan(state: ClusterState, planId: string): PlanView | undefined {
  const plan = state.plan(planId);
  if (plan === undefined) return undefined;
  const parts = viewPlans(state).filter(({ parent }) => parent === planId);
  return { plan, steps: steps.map((step, i) => stepView(plan, step, i + 1)), parts };
}

function stepView(plan: PlanState, step: Step, number: number): PlanStepView {
  const moment = lastOf(plan, step, number);
  const { name } = step;
  const underWay = step.during.includes(plan.step) && !isPlanOver(plan) && plan.state !== 'reclaiming';
  if (underWay && plan.state === 'failed') {
    const failure = plan.history.findLast(({ what }) => what === 'failed');
    return { number, name, state: 'failed', ...momentOf(failure) };
  }
  if (moment !== undefined && !underWay)
    return { number, name, state: 'done', ...momentOf(moment, evidenceFor(plan, number)) };
  const clearing = number === steps.length && plan.state === 'reclaiming';
  const state = underWay || clearing ? 'running' : isPlanOver(plan) || isCompound(plan) ? 'skipped' : 'waiting';
  return { number, name, state, ...momentOf(undefined) };
}

/** The moment that ended the step in the attempt under way. */
function lastOf(plan: PlanState, { ends }: Step, number: number): PlanMoment | undefined {
  const firstOfAll = number <= 3;
  return plan.history.findLast(
    (moment) => ends(moment) && (firstOfAll || moment.attempt === plan.attempt || isLater(plan, moment)),
  );
}

/** After the switch a further attempt compares again and repeats nothing else. */
function isLater({ observeUntilMs }: PlanState, { what }: PlanMoment): boolean {
  return observeUntilMs !== null && what !== 'failed';
}

function evidenceFor(plan: PlanState, number: number): string | undefined {
  if (number === 1) return plan.evidence;
  if (number !== 2) return undefined;
  const { sources, nodeId, retiring } = plan;
  const replicas = retiring.map(({ role, unitId, generation }) => `${role} ${unitId}@${generation}`);
  return JSON.stringify({ sources, nodeId, replicas });
}

function momentOf(
  moment: PlanMoment | undefined,
  evidence = moment?.evidence ?? '',
): Pick<PlanStepView, 'atMs' | 'seq' | 'evidence'> {
  return { atMs: moment?.atMs ?? null, seq: moment?.seq ?? null, evidence };
}
