import type { ChunkReplica, ChunkState, PlanState, PlanTarget, UnitState } from '@levee/events';
import { defined } from '@levee/kernel';
import { cordoned } from '../../commands/nodes/cordon-node';
import { stamp, type CommandContext, type Decider } from '../../commands/decider';
import type { DecideContext } from '../../decide-context';
import { unitReasons } from '../../placement/unit-reasons';
import type { ClusterEvent } from '../../state/event';
import { reject, type Rejection } from '../../rejection';
import type { ClusterState } from '../../state/state';
import { chooseReplicas } from '../propose/choose-replicas';
import { chunkBecomes, readPlan, notReady, planChanged } from './plan-events';
import { planLimits } from '../plan-limits';
import { isCompound, isReadable, isReshape, replicasMade, sourceChunks } from '../plan-shape';
import { replicasToReplace, replicaNotNeeded, promotionProblem } from '../propose/read-proposal';

/**
 * `{planId}`: the master's own. Takes a unit for each replica that the plan makes, in the next generation: learners, of
 * chunks that serve or of new ones that do not yet. A promotion is all done by this decision; a plan made of parts waits
 * for them.
 */
export const startPlan: Decider = (state, fields, context) => {
  const plan = readPlan(state, fields);
  if ('code' in plan) return plan;
  if (plan.state === 'running' || (plan.kind === 'promote' && plan.state === 'done')) return [];
  if (plan.state !== 'proposed') return notReady(plan, 'started');
  if (!plan.approved) return notReady(plan, 'started', 'it waits for approval');
  if (isCompound(plan)) return [...drainBegun(state, plan, context), begun(plan, { step: 'parts' }, {}, context)];
  const problem = startProblem(state, plan);
  if (problem !== undefined) return problem;
  if (plan.kind === 'promote') return promoted(state, plan, context);
  const targets = chooseReplicas(state, plan);
  return 'code' in targets ? targets : allocated(state, plan, targets, context);
};

/** A node that is drained stays empty for as long as people want, also when the plan is given up or forgotten. */
function drainBegun(state: ClusterState, { kind, nodeId }: PlanState, context: CommandContext): ClusterEvent[] {
  const node = kind === 'drain' ? state.node(nodeId ?? '') : undefined;
  return node === undefined ? [] : cordoned(node, true, context);
}

/** Why the plan cannot begin now, units aside; `undefined` = it can. */
function startProblem(state: ClusterState, plan: PlanState): Rejection | undefined {
  return needlessProblem(state, plan) ?? limitProblem(state, plan);
}

/** What the plan was for has come about, or gone, without it: nothing is left to wait for. */
export function needlessProblem(state: ClusterState, plan: PlanState): Rejection | undefined {
  const chunk = sourceChunks(state, plan)[0];
  if (isReshape(plan) || chunk === undefined) return undefined;
  if (plan.kind === 'reReplicate') return replicaNotNeeded(state, chunk);
  if (plan.kind === 'promote') return promotionProblem(state, chunk, plan.toNodeId ?? '');
  const [leaves] = plan.retiring;
  if (leaves === undefined || chunk.replicas.some((of) => of.unitId === leaves.unitId)) return undefined;
  return reject('PLAN_NOT_NEEDED', `${chunk.chunkId} has no replica in unit ${leaves.unitId} any more`);
}

function limitProblem(state: ClusterState, plan: PlanState): Rejection | undefined {
  if (plan.kind === 'promote') return undefined;
  let running = 0;
  const serving = primaryNodes(state, plan);
  const fromNode = new Map<string, number>();
  for (const other of state.openPlans()) {
    if (other.state !== 'running' || isCompound(other)) continue;
    running++;
    if (other.step !== 'copy') continue;
    for (const nodeId of primaryNodes(state, other)) fromNode.set(nodeId, (fromNode.get(nodeId) ?? 0) + 1);
  }
  if (running >= planLimits.runningMax)
    return reject(
      'PLAN_LIMIT',
      `${running} plans are running, the limit is ${planLimits.runningMax}: wait for one of them`,
    );
  const busy = [...serving].find((nodeId) => (fromNode.get(nodeId) ?? 0) >= planLimits.servingPerNodeMax);
  if (busy === undefined) return undefined;
  return reject(
    'PLAN_LIMIT',
    `${fromNode.get(busy)} plans are copying from node ${busy}, the limit is ${planLimits.servingPerNodeMax}: wait for one`,
  );
}

function primaryNodes(state: ClusterState, plan: PlanState): ReadonlySet<string> {
  return new Set(
    sourceChunks(state, plan).flatMap(({ replicas }) =>
      replicas.flatMap(({ role, nodeId }) => (role === 'primary' ? [nodeId] : [])),
    ),
  );
}

/** Nodes onto which as many plans are loading as may. */
function nodesLoading(state: ClusterState): ReadonlyMap<string, number> {
  const plans = new Map<string, number>();
  for (const plan of state.openPlans()) {
    if (plan.state !== 'running') continue;
    const nodeIds = new Set(replicasMade(plan).flatMap(({ step, nodeId }) => (step === 'copy' ? [nodeId] : [])));
    for (const nodeId of nodeIds) plans.set(nodeId, (plans.get(nodeId) ?? 0) + 1);
  }
  return plans;
}

function allocated(
  state: ClusterState,
  plan: PlanState,
  targets: readonly PlanTarget[],
  context: DecideContext,
): ClusterEvent[] | Rejection {
  const loading = nodesLoading(state);
  const busy = replicasMade({ targets }).find(
    ({ nodeId }) => (loading.get(nodeId) ?? 0) >= planLimits.loadingPerNodeMax,
  );
  if (busy !== undefined)
    return reject(
      'PLAN_LIMIT',
      `${loading.get(busy.nodeId)} plans are loading onto node ${busy.nodeId}, the limit is ${planLimits.loadingPerNodeMax}: wait for one`,
    );
  const chunk = sourceChunks(state, plan)[0];
  const refreshed =
    plan.kind === 'reReplicate' && chunk !== undefined ? replicasToReplace(state, chunk) : plan.retiring;
  const made = replicasMade({ targets });
  const units = made.map(({ unitId, generation }) => `${unitId}@${generation}`);
  const evidence = { units, because: unitReasons(state, plan, made) };
  return [
    ...targets.flatMap((target) => learnersAdded(state, plan, target, context)),
    begun(plan, { step: 'copy', targets, retiring: refreshed, verified: null }, evidence, context),
  ];
}

function learnersAdded(
  state: ClusterState,
  plan: PlanState,
  target: PlanTarget,
  context: DecideContext,
): ClusterEvent[] {
  const { chunkId, slotStart, slotEnd } = target;
  const units = target.replicas.map(({ unitId, generation }): ClusterEvent => {
    const unit: UnitState = defined(state.unit(unitId), 'a unit that was chosen');
    return {
      kind: 'unit',
      entity: { ...unit, state: 'allocated', generation, chunkId, ...stamp(context, 'UnitAllocated') },
    };
  });
  const learners = target.replicas.map(({ nodeId, storeId, unitId, generation }): ChunkReplica => {
    return { nodeId, storeId, unitId, generation, role: 'learner' };
  });
  const known = state.chunk(chunkId);
  if (known !== undefined)
    return [
      ...units,
      ...chunkBecomes(state, known, {
        values: { replicas: [...known.replicas, ...learners] },
        change: 'ReplicaAdded',
        context,
      }),
    ];
  const namespace = defined(plan.namespace ?? undefined, 'the namespace of a plan that makes chunks');
  const chunk: ChunkState = {
    chunkId,
    namespace,
    slotStart,
    slotEnd,
    state: 'pending',
    replicas: learners,
    ...stamp(context, 'ChunkPlanned'),
  };
  return [...units, { kind: 'chunk', entity: chunk }];
}

function begun(plan: PlanState, values: Partial<PlanState>, evidence: object, context: DecideContext): ClusterEvent {
  return planChanged(
    plan,
    { ...values, state: 'running' },
    { change: 'PlanStarted', what: 'began', evidence },
    context,
  );
}

function promoted(state: ClusterState, plan: PlanState, context: DecideContext): ClusterEvent[] {
  const chunk = defined(sourceChunks(state, plan)[0], 'the chunk of a promotion');
  const before = chunk.replicas.find(({ role }) => role === 'primary');
  const replicas = chunk.replicas.map((of): ChunkReplica => {
    if (!isReadable(of)) return of;
    return { ...of, role: of.nodeId === plan.toNodeId ? 'primary' : 'follower' };
  });
  const evidence = { from: before?.nodeId ?? null, to: plan.toNodeId };
  const ended = { state: 'done', step: 'none', endedAtMs: context.nowMs } as const;
  return [
    ...chunkBecomes(state, chunk, { values: { replicas }, change: 'PrimaryMoved', context }),
    planChanged(plan, ended, { change: 'PlanDone', what: 'ended', step: 'switch', evidence }, context),
  ];
}
