import type { PlanState } from '@levee/events';
import { decide } from '../../decide';
import { reject, type Rejection } from '../../rejection';
import { isPlanOver } from '../../state/entities';
import { draft, type ClusterState } from '../../state/state';
import { IdealCluster } from './ideal-cluster';
import { planWait } from '../next/plan-waits';
import { viewPlan, type PlanView } from '../../views/view-plans';

interface NodeBalance {
  readonly nodeId: string;
  /** Replicas that serve. */
  readonly replicas: number;
  readonly primaries: number;
  readonly unitsFree: number;
  readonly units: number;
}

interface ChunkPlaces {
  readonly chunkId: string;
  readonly slotStart: number;
  readonly slotEnd: number;
  /** `role unit@generation`, the primary first. */
  readonly replicas: readonly string[];
}

interface PlanPrediction {
  /** `done`, or why it would not get there now. */
  readonly outcome: string;
  /** Chunks that would be other than they are. */
  readonly chunksBefore: readonly ChunkPlaces[];
  readonly chunksAfter: readonly ChunkPlaces[];
  readonly nodesBefore: readonly NodeBalance[];
  readonly nodesAfter: readonly NodeBalance[];
  /** Replicas to be copied, parts included. */
  readonly replicasMade: number;
  /** Decisions of the master it takes, reports of nodes included. */
  readonly decisions: number;
}

/** A plan as it would end if every node did what it should. */
export interface SimulatedPlan extends PlanView {
  readonly prediction: PlanPrediction;
}

/** Rounds after which a simulation is given up: beyond what the largest resize takes. */
const roundsMax = 20_000;

/**
 * What ProposePlan with this payload would lead to: the rules themselves play it to its end, on a draft that is thrown
 * away, with nodes that do everything right. Other plans stand still meanwhile. The proposal's rejection when it would be
 * refused. Changes nothing.
 */
export function simulatePlan(
  state: ClusterState,
  payload: Readonly<Record<string, unknown>>,
  nowMs: number,
): SimulatedPlan | Rejection {
  const candidate = draft(state);
  const clock = { nowMs };
  let decisions = 0;
  const submit = (kind: string, fields: object, principal: string): Rejection | boolean => {
    const id = `simulated-${++decisions}`;
    const command = { id, kind, payload: JSON.stringify(fields), principal, submittedAtMs: clock.nowMs };
    const { events, rejection } = decide(candidate, command, { nowMs: clock.nowMs, seq: candidate.seq + 1, term: 1 });
    const changes = events.filter((event) => event.kind !== 'outcome');
    for (const event of changes) candidate.evolve(event);
    return rejection ?? changes.length > 0;
  };
  const planId = `p${candidate.seq + 1}`;
  const proposal = submit('ProposePlan', payload, 'simulation');
  if (typeof proposal === 'object') return proposal;
  if (candidate.plan(planId) === undefined) return reject('INTERNAL', `the proposal left no plan ${planId}`);
  submit('ApprovePlan', { planId }, 'simulation');
  const made = new Set<string>();
  const ideal = new IdealCluster(candidate, {
    clock,
    includes: (plan) => plan.planId === planId || plan.parent === planId,
    submit: (kind, fields, principal) => {
      const changed = submit(kind, fields, principal) === true;
      if (kind === 'StartPlan' && changed) for (const unit of unitsMade(candidate, planId)) made.add(unit);
      return changed;
    },
  });
  ideal.run(roundsMax);
  const view = viewPlan(candidate, planId);
  if (view === undefined) return reject('INTERNAL', `plan ${planId} was forgotten while it was simulated`);
  const { plan } = view;
  const played = { plan, replicasMade: made.size, decisions, nowMs: clock.nowMs };
  return { ...view, prediction: prediction(state, candidate, played) };
}

function unitsMade(state: ClusterState, planId: string): string[] {
  return [...state.openPlans()]
    .filter((plan) => plan.planId === planId || plan.parent === planId)
    .flatMap(({ targets }) => targets.flatMap(({ replicas }) => replicas.map((of) => `${of.unitId}@${of.generation}`)));
}

function prediction(
  before: ClusterState,
  after: ClusterState,
  { plan, replicasMade, decisions, nowMs }: { plan: PlanState; replicasMade: number; decisions: number; nowMs: number },
): PlanPrediction {
  const places = { before: placesIn(before), after: placesIn(after) };
  const differs = ({ chunkId }: ChunkPlaces): boolean =>
    JSON.stringify(places.before.get(chunkId)) !== JSON.stringify(places.after.get(chunkId));
  return {
    outcome: isPlanOver(plan) ? plan.state : stuck(after, plan, nowMs),
    chunksBefore: [...places.before.values()].filter(differs),
    chunksAfter: [...places.after.values()].filter(differs),
    nodesBefore: balanceOf(before),
    nodesAfter: balanceOf(after),
    replicasMade,
    decisions,
  };
}

function stuck(after: ClusterState, plan: PlanState, nowMs: number): string {
  const { state, step, failureCode, failureMessage } = plan;
  const wait = planWait(after, plan, nowMs);
  const why = failureCode === null ? '' : `: ${failureCode} ${failureMessage ?? ''}`;
  return `${state} at ${step}${wait === undefined ? '' : `, waiting for ${wait.reason}`}${why}`;
}

function placesIn(state: ClusterState): Map<string, ChunkPlaces> {
  const places = new Map<string, ChunkPlaces>();
  for (const { chunkId, slotStart, slotEnd, replicas, state: is } of state.chunks()) {
    if (is !== 'serving') continue;
    const named = replicas
      .map(({ role, unitId, generation }) => `${role} ${unitId}@${generation}`)
      .sort((a, b) => Number(b.startsWith('primary')) - Number(a.startsWith('primary')) || (a < b ? -1 : 1));
    places.set(chunkId, { chunkId, slotStart, slotEnd, replicas: named });
  }
  return places;
}

/** What each node holds, by id. */
function balanceOf(state: ClusterState): NodeBalance[] {
  const counts = new Map<string, { replicas: number; primaries: number }>();
  for (const { replicas, state: is } of state.chunks())
    for (const { nodeId, role } of is === 'serving' ? replicas : []) {
      if (role !== 'primary' && role !== 'follower') continue;
      const of = counts.get(nodeId) ?? { replicas: 0, primaries: 0 };
      counts.set(nodeId, { replicas: of.replicas + 1, primaries: of.primaries + Number(role === 'primary') });
    }
  return [...state.nodes()]
    .map(({ nodeId }) => ({
      nodeId,
      ...(counts.get(nodeId) ?? { replicas: 0, primaries: 0 }),
      unitsFree: state.freeUnitCount(nodeId),
      units: state.unitCount(nodeId),
    }))
    .sort((a, b) => (a.nodeId < b.nodeId ? -1 : 1));
}
