import type { PlanState } from '@levee/events';
import { evenSplit } from '@levee/keyspace';
import { historyWindowChanged } from '../../commands/namespaces/alter-namespace';
import { stamp, type CommandContext, type Decider } from '../../commands/decider';
import type { ClusterEvent } from '../../state/event';
import type { ClusterState } from '../../state/state';
import { partsOf, planCancelled } from './give-up-plan';
import { nextRebalanceMove } from '../next/next-rebalance-move';
import { readPlan, notReady, planChanged } from './plan-events';
import { isCompound, isLost, planOfUnit, replicaInForce, replicasMade, type ReplicaRef } from '../plan-shape';
import { rolledBack } from './reclaim-plan';
import { parseUnitSpecs, unitsAreAs } from '../propose/unit-specs';

/**
 * `{planId}`: the master's own. The plan is over once the nodes have cleared what it gave up, or are lost; a plan made of
 * parts once these are over and its goal is reached. A format goes on to its second step when the node is empty.
 */
export const finishPlan: Decider = (state, fields, context) => {
  const plan = readPlan(state, fields);
  if ('code' in plan) return plan;
  if (plan.endedAtMs !== null) return [];
  const waits = waitsFor(state, plan);
  if (waits !== undefined) return notReady(plan, 'finished', `it waits for ${waits}`);
  if (plan.kind === 'format' && plan.step === 'parts')
    return [planChanged(plan, { step: 'reformat' }, { change: 'PlanEmptied', what: 'ended', step: 'parts' }, context)];
  const ended = { step: 'none', endedAtMs: context.nowMs } as const;
  const cleared = givenUp(plan).filter((of) => replicaInForce(state, of) === undefined);
  const evidence = { cleared: cleared.map(({ unitId, generation }) => `${unitId}@${generation}`) };
  const moment = { what: 'ended', step: plan.step, ...(isCompound(plan) ? {} : { evidence }) } as const;
  if (plan.change === planCancelled)
    return [planChanged(plan, { ...ended, state: 'cancelled' }, { change: planCancelled, ...moment }, context)];
  const over = rolledBack(plan) ? 'rolledBack' : 'done';
  const change = over === 'done' ? 'PlanDone' : plan.change;
  const changed = planChanged(plan, { ...ended, state: over }, { change, ...moment }, context);
  return over === 'done' && plan.kind === 'resize' ? [...resized(state, plan, context), changed] : [changed];
};

/** A namespace asks for what it was resized to, or the dispatcher would merge new chunks away while they are cold. */
function resized(state: ClusterState, plan: PlanState, context: CommandContext): ClusterEvent[] {
  const entity = state.namespace(plan.namespace ?? '');
  const chunks = isCompound(plan) ? plan.chunksWanted : null;
  if (entity?.state !== 'active' || chunks === null || entity.chunks === chunks) return [];
  const change = entity.change === historyWindowChanged ? historyWindowChanged : 'NamespaceResized';
  return [{ kind: 'namespace', entity: { ...entity, chunks, ...stamp(context, change) } }];
}

/** The replicas whose units are cleared at its end. */
function givenUp(plan: PlanState): readonly (ReplicaRef & { readonly nodeId: string })[] {
  return plan.change === planCancelled || rolledBack(plan) ? replicasMade(plan) : plan.retiring;
}

/** What keeps the plan from being over, or from its next step; `undefined` = nothing. */
export function waitsFor(state: ClusterState, plan: PlanState): string | undefined {
  if (isCompound(plan)) {
    if (plan.state === 'reclaiming') return formatUnderWay(state, plan);
    if (plan.state !== 'running') return `its turn: it is ${plan.state}`;
    const [part] = partsOf(state, plan.planId);
    return part === undefined ? goalAhead(state, plan) : `its part ${part.planId}`;
  }
  if (plan.state !== 'reclaiming') return `its step ${plan.step}`;
  if (plan.step === 'observe') return 'readers with the route before the rollback';
  for (const { unitId, generation, storeId, nodeId } of givenUp(plan)) {
    const unit = state.unit(unitId);
    if (unit?.state !== 'reclaiming' || unit.generation !== generation || unit.storeId !== storeId) continue;
    // Its node clears it when it returns; nobody waits for a node that was given up.
    if (!isLost(state, { nodeId, storeId }))
      return `node ${nodeId}, which is ${state.node(nodeId)?.state ?? 'unknown'}, to clear unit ${unitId}`;
  }
  return undefined;
}

/** Of a format that was cancelled at its second step; `undefined` = its node clears nothing for it any more. */
function formatUnderWay(state: ClusterState, plan: PlanState): string | undefined {
  const node = state.node(plan.nodeId ?? '');
  if (node === undefined || node.state === 'lost' || goalAhead(state, plan) === undefined) return undefined;
  return `node ${node.nodeId}, which is ${node.state} and may be clearing its disk, to say which units it has`;
}

/** What a plan made of parts has not reached yet. */
function goalAhead(state: ClusterState, plan: PlanState): string | undefined {
  switch (plan.kind) {
    case 'drain':
      return unitInUse(state, plan);
    case 'format': {
      if (plan.step === 'parts') return unitInUse(state, plan);
      const specs = parseUnitSpecs(plan.unitsWanted ?? '') ?? [];
      const formatted = unitsAreAs(state.unitsOf(plan.nodeId ?? ''), specs);
      return formatted ? undefined : `node ${plan.nodeId} to register units ${plan.unitsWanted}`;
    }
    case 'resize': {
      const wanted = evenSplit(plan.chunksWanted ?? 1);
      const chunks = state.chunksOf(plan.namespace ?? '');
      const reached = chunks.length === wanted.length && chunks.every((of, i) => of.slotEnd === wanted[i]?.slotEnd);
      return reached ? undefined : `${plan.chunksWanted} chunks, there are ${chunks.length}`;
    }
    default:
      return nextRebalanceMove(state, plan.namespace) === undefined ? undefined : 'an even spread';
  }
}

function unitInUse(state: ClusterState, { nodeId }: PlanState): string | undefined {
  const node = state.node(nodeId ?? '');
  for (const unit of state.unitsOf(nodeId ?? '')) {
    if (unit.state === 'free') continue;
    // What a lost node has to clear it clears when it returns.
    if (unit.state === 'reclaiming' && (node === undefined || node.state === 'lost')) continue;
    const holder = planOfUnit(state, unit);
    const held = holder === undefined ? '' : `, held by plan ${holder.planId} (${holder.kind}, ${holder.state})`;
    const where = `on node ${nodeId}, which is ${node?.state ?? 'unknown'}`;
    return `unit ${unit.unitId}, ${unit.state} for ${unit.chunkId}${held}, ${where}`;
  }
  return undefined;
}
