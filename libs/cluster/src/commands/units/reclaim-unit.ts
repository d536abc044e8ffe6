import type { UnitState } from '@levee/events';
import type { ClusterEvent } from '../../state/event';
import type { PayloadFields } from '../../payload';
import { planOfUnit } from '../../plans/plan-shape';
import { reject, type Rejection } from '../../rejection';
import { routeOf } from '../../state/route-of';
import type { ClusterState } from '../../state/state';
import { stamp, type Decider } from '../decider';
import { callerProblem } from '../caller-check';

/**
 * `{unitId, generation}`: takes the unit from its replica, which must be a learner, retired or dead (I14: what readers
 * rely on is never wiped). The node then clears the directory of exactly that generation and submits FinishReclaim.
 */
export const reclaimUnit: Decider = (state, fields, context) => {
  const unit = namedUnit(state, fields);
  if ('code' in unit) return unit;
  const { unitId, generation } = unit;
  if (unit.state !== 'allocated') return [];
  const plan = planOfUnit(state, unit);
  if (plan !== undefined)
    return reject(
      'PLAN_CONFLICT',
      `unit ${unitId} belongs to plan ${plan.planId} (${plan.kind}, ${plan.state}), which clears it when its time has come: ` +
        `cancel the plan, or roll it back`,
    );
  const events: ClusterEvent[] = [];
  const chunk = unit.chunkId === null ? undefined : state.chunk(unit.chunkId);
  const replica = chunk?.replicas.find((of) => of.unitId === unitId && of.generation === generation);
  if (chunk !== undefined && replica !== undefined) {
    if (replica.role === 'primary' || replica.role === 'follower')
      return reject(
        'UNIT_IN_USE',
        `unit ${unitId} holds the ${replica.role} of ${chunk.chunkId}, which readers use: move the chunk away first`,
      );
    const others = chunk.replicas.filter((of) => of !== replica);
    if (!others.some((of) => of.role === 'primary' || of.role === 'follower'))
      return reject('UNIT_IN_USE', `I14: unit ${unitId} may hold the last copy of ${chunk.chunkId}`);
    const smaller = { ...chunk, replicas: others, ...stamp(context, 'ReplicaRemoved') };
    const route = state.route(chunk.chunkId);
    if (route?.replicas.some((of) => of.unitId === unitId) === true)
      events.push({ kind: 'route', entity: routeOf(smaller, context, 'RouteNarrowed') });
    events.push({ kind: 'chunk', entity: smaller });
  }
  events.push({ kind: 'unit', entity: { ...unit, state: 'reclaiming', ...stamp(context, 'UnitReclaimed') } });
  return events;
};

/** `{unitId, generation}`: the node, nobody else, has cleared that generation; the unit is free for any namespace. */
export const finishReclaim: Decider = (state, fields, context) => {
  const unit = namedUnit(state, fields);
  if ('code' in unit) return unit;
  const { unitId } = unit;
  const refusal = callerProblem(unit.nodeId, `unit ${unitId}`, context);
  if (refusal !== undefined) return refusal;
  if (unit.state === 'free') return [];
  if (unit.state !== 'reclaiming')
    return reject('UNIT_IN_USE', `unit ${unitId} is allocated to ${unit.chunkId}: reclaim it first`);
  return [{ kind: 'unit', entity: { ...unit, state: 'free', chunkId: null, ...stamp(context, 'UnitFreed') } }];
};

/** The unit in the generation that the payload names: nobody may take or clear another one (I10). */
function namedUnit(state: ClusterState, fields: PayloadFields): UnitState | Rejection {
  const unitId = fields.text('unitId');
  const generation = fields.integer('generation', { min: 1, max: 2 ** 31 - 1 });
  fields.refuseOthers('BAD_COMMAND', 'field');
  if (fields.problem !== undefined) return fields.problem;
  const unit = state.unit(unitId);
  if (unit === undefined) return reject('UNIT_UNKNOWN', `there is no unit ${unitId}`);
  if (unit.generation !== generation)
    return reject(
      'STALE_GENERATION',
      `unit ${unitId} is in generation ${unit.generation}, not ${generation}: look again`,
    );
  return unit;
}
