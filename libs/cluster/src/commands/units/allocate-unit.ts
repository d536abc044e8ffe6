import type { ChunkReplica } from '@levee/events';
import { numberAfter } from '../../state/numbers-lost';
import { planEmptying, planHolding } from '../../plans/plan-shape';
import { reject } from '../../rejection';
import { stamp, type Decider } from '../decider';

/**
 * `{unitId, generation, chunkId}`: takes the free unit, whose generation the submitter saw, for one more replica of
 * the chunk: a learner in the next generation, not readable yet.
 */
export const allocateUnit: Decider = (state, fields, context) => {
  const unitId = fields.text('unitId');
  const generation = fields.integer('generation', { min: 0, max: 2 ** 31 - 2 });
  const chunkId = fields.text('chunkId', 512);
  fields.refuseOthers('BAD_COMMAND', 'field');
  if (fields.problem !== undefined) return fields.problem;
  const unit = state.unit(unitId);
  if (unit === undefined) return reject('UNIT_UNKNOWN', `there is no unit ${unitId}`);
  const chunk = state.chunk(chunkId);
  if (chunk === undefined) return reject('CHUNK_UNKNOWN', `there is no chunk ${chunkId}`);
  const next = numberAfter(state, generation);
  if (unit.generation === next && unit.chunkId === chunkId && unit.state === 'allocated') return [];
  if (unit.generation !== generation)
    return reject(
      'STALE_GENERATION',
      `unit ${unitId} is in generation ${unit.generation}, not ${generation}: look again`,
    );
  if (unit.state !== 'free') return reject('UNIT_NOT_FREE', `unit ${unitId} is ${unit.state} for ${unit.chunkId}`);
  const held = planHolding(state, chunk.namespace, chunk);
  const plan = held ?? planEmptying(state, unit.nodeId);
  if (plan !== undefined || chunk.state !== 'serving')
    return reject(
      'PLAN_CONFLICT',
      `${plan === undefined || held !== undefined ? chunkId : `node ${unit.nodeId}`} is held by ` +
        `${plan === undefined ? 'a plan that is ending' : `plan ${plan.planId} (${plan.kind}, ${plan.state})`}: wait until it is over`,
    );
  const node = state.node(unit.nodeId);
  if (node?.state !== 'up')
    return reject(
      'NODE_UNKNOWN',
      `unit ${unitId} is on node ${unit.nodeId}, which is ${node?.state ?? 'unknown'}, not up`,
    );
  if (node.cordoned)
    return reject('NODE_CORDONED', `unit ${unitId} is on node ${node.nodeId}, which is cordoned: uncordon it first`);
  const capacityBytes = state.namespace(chunk.namespace)?.chunkCapacityBytes ?? 0;
  if (unit.capacityBytes < capacityBytes)
    return reject(
      'UNIT_TOO_SMALL',
      `unit ${unitId} has ${unit.capacityBytes} bytes, a chunk of ${chunk.namespace} may grow to ${capacityBytes}`,
    );
  const rival = chunk.replicas.find(
    (of) => of.role !== 'dead' && of.role !== 'retired' && state.node(of.nodeId)?.domain === node.domain,
  );
  if (rival !== undefined)
    return reject('DOMAIN_TAKEN', `${chunkId} has its ${rival.role} ${rival.unitId} in domain ${node.domain} already`);
  const { nodeId, storeId } = unit;
  const replica: ChunkReplica = { nodeId, storeId, unitId, generation: next, role: 'learner' };
  return [
    {
      kind: 'unit',
      entity: { ...unit, state: 'allocated', generation: next, chunkId, ...stamp(context, 'UnitAllocated') },
    },
    {
      kind: 'chunk',
      entity: { ...chunk, replicas: [...chunk.replicas, replica], ...stamp(context, 'ReplicaAdded') },
    },
  ];
};
