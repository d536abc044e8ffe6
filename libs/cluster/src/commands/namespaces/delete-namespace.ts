import type { ChunkState } from '@levee/events';
import type { DecideContext } from '../../decide-context';
import type { ClusterEvent } from '../../state/event';
import { plansEnded } from '../../plans/steps/give-up-plan';
import { reject } from '../../rejection';
import type { ClusterState } from '../../state/state';
import { stamp, type Decider } from '../decider';
import { isFrozen, operatorFreeze, unfrozen } from './freeze-namespace';

/**
 * `{name, number?}`: from this decision on nothing of the namespace is visible: routes and chunks are gone, its plans
 * are over, its units are cleared by their nodes. The master deletes the binlog; then the name may be used again, with another binlog. `number`
 * guards against deleting a later creation of the name.
 */
export const deleteNamespace: Decider = (state, fields, context) => {
  const name = fields.text('name');
  const number = fields.optional('number', () => fields.integer('number', { min: 1, max: 2 ** 31 - 1 }), undefined);
  fields.refuseOthers('BAD_COMMAND', 'field');
  if (fields.problem !== undefined) return fields.problem;
  const namespace = state.namespace(name);
  if (namespace === undefined) return reject('NAMESPACE_UNKNOWN', `there is no namespace ${name}`);
  if (number !== undefined && namespace.number !== number)
    return reject('NAMESPACE_UNKNOWN', `there is no namespace ${name}#${number}, but #${namespace.number}`);
  if (namespace.state === 'deleting' || namespace.state === 'deleted') return [];
  if (namespace.frozenBy !== null && namespace.frozenBy !== operatorFreeze) return isFrozen(namespace);
  return [
    { kind: 'namespace', entity: { ...namespace, ...unfrozen, state: 'deleting', ...stamp(context, 'DeletionBegun') } },
    ...plansEnded(state, name, context),
    ...chunksGone(state, name, context),
  ];
};

/** `{name, number}`: the master's own, once the binlog is gone. */
export const finishDeletion: Decider = (state, fields, context) => {
  const name = fields.text('name');
  const number = fields.integer('number', { min: 1, max: 2 ** 31 - 1 });
  fields.refuseOthers('BAD_COMMAND', 'field');
  if (fields.problem !== undefined) return fields.problem;
  const namespace = state.namespace(name);
  if (namespace?.number !== number) return reject('NAMESPACE_UNKNOWN', `there is no namespace ${name}#${number}`);
  if (namespace.state === 'deleted') return [];
  if (namespace.state !== 'deleting')
    return reject('NAMESPACE_NOT_READY', `namespace ${name}#${number} is ${namespace.state}, nobody deletes it`);
  return [{ kind: 'namespace', entity: { ...namespace, state: 'deleted', ...stamp(context, 'NamespaceDeleted') } }];
};

/** Routes, then chunks go; the units of every replica, dead ones too, wait for their nodes to clear them. */
export function chunksGone(state: ClusterState, namespace: string, context: DecideContext): ClusterEvent[] {
  const chunks = [...state.everyChunkOf(namespace)];
  const gone = (entity: 'route' | 'chunk', { chunkId }: ChunkState, change: string): ClusterEvent => ({
    kind: 'removed',
    entity: { entity, key: chunkId, ...stamp(context, change) },
  });
  return [
    ...chunks
      .filter(({ chunkId }) => state.route(chunkId) !== undefined)
      .map((of) => gone('route', of, 'RouteRemoved')),
    ...chunks.map((of) => gone('chunk', of, 'ChunkRemoved')),
    ...chunks.flatMap((chunk) => unitsReclaimed(state, chunk, context)),
  ];
}

function unitsReclaimed(state: ClusterState, chunk: ChunkState, context: DecideContext): ClusterEvent[] {
  const unitIds = new Set(chunk.replicas.map(({ unitId }) => unitId));
  return [...unitIds].flatMap((unitId): ClusterEvent[] => {
    const unit = state.unit(unitId);
    if (unit?.chunkId !== chunk.chunkId || unit.state !== 'allocated') return [];
    return [{ kind: 'unit', entity: { ...unit, state: 'reclaiming', ...stamp(context, 'UnitReclaimed') } }];
  });
}
