import type { ChunkRoute, ChunkState, NamespaceState } from '@levee/events';
import type { DecideContext } from '../decide';
import type { ClusterEvent } from '../event';
import type { PayloadFields } from '../payload';
import { reject, type Rejection } from '../rejection';
import type { ClusterState } from '../state';
import { stamp, type Decider } from './decider';

/** `{name, number}`: the master's own, once the binlog and its Genesis records exist. Publishes the routes. */
export const activateNamespace: Decider = (state, fields, context) => {
  const namespace = readNamespace(state, fields);
  if ('code' in namespace) return namespace;
  if (namespace.state === 'active') return [];
  if (namespace.state !== 'creating') return notReady(namespace, 'activated');
  return [
    { kind: 'namespace', entity: { ...namespace, state: 'active', ...stamp(context, 'NamespaceActivated') } },
    ...state.chunksOf(namespace.name).map((chunk): ClusterEvent => ({
      kind: 'route',
      entity: routeOf(chunk, context, 'RouteCreated'),
    })),
  ];
};

/**
 * `{name, number, reason}`: the master's own, when the binlog cannot be made. Its units are free again once their nodes
 * have cleared them, since a replica may have been opened already; the name may be created again, with another binlog.
 */
export const failNamespace: Decider = (state, fields, context) => {
  fields.optional('reason', (name) => fields.text(name, 2_000), '');
  const namespace = readNamespace(state, fields);
  if ('code' in namespace) return namespace;
  if (namespace.state === 'deleted') return [];
  if (namespace.state !== 'creating') return notReady(namespace, 'failed');
  const chunks = state.chunksOf(namespace.name);
  return [
    { kind: 'namespace', entity: { ...namespace, state: 'deleted', ...stamp(context, 'NamespaceFailed') } },
    ...chunks.map((chunk): ClusterEvent => ({
      kind: 'removed',
      entity: { entity: 'chunk', key: chunk.chunkId, ...stamp(context, 'ChunkRemoved') },
    })),
    ...chunks.flatMap((chunk) => reclaimed(state, chunk, context)),
  ];
};

/** What portals need of `chunk`: its readable and retired replicas, the primary first. */
export function routeOf(chunk: ChunkState, context: DecideContext, change: string): ChunkRoute {
  const { chunkId, namespace, slotStart, slotEnd } = chunk;
  const replicas = chunk.replicas.flatMap(({ role, ...place }) =>
    role === 'primary' || role === 'follower' || role === 'retired' ? [{ ...place, role }] : [],
  );
  replicas.sort((a, b) => Number(b.role === 'primary') - Number(a.role === 'primary'));
  return { chunkId, namespace, slotStart, slotEnd, replicas, ...stamp(context, change) };
}

function readNamespace(state: ClusterState, fields: PayloadFields): NamespaceState | Rejection {
  const name = fields.text('name');
  const number = fields.integer('number', { min: 1, max: 2 ** 31 - 1 });
  fields.refuseOthers('BAD_COMMAND', 'field');
  if (fields.problem !== undefined) return fields.problem;
  const namespace = state.namespace(name);
  if (namespace?.number !== number)
    return reject(
      'NAMESPACE_UNKNOWN',
      `there is no namespace ${name}#${number}${namespace ? `, but #${namespace.number}` : ''}`,
    );
  return namespace;
}

function notReady(namespace: NamespaceState, done: string): Rejection {
  const { name, number, state } = namespace;
  return reject('NAMESPACE_NOT_READY', `namespace ${name}#${number} is ${state}: it cannot be ${done}`);
}

function reclaimed(state: ClusterState, chunk: ChunkState, context: DecideContext): ClusterEvent[] {
  return chunk.replicas.flatMap((replica): ClusterEvent[] => {
    const unit = state.unit(replica.unitId);
    if (unit?.chunkId !== chunk.chunkId) return [];
    return [{ kind: 'unit', entity: { ...unit, state: 'reclaiming', ...stamp(context, 'UnitReclaimed') } }];
  });
}
