import type { NamespaceState } from '@levee/events';
import type { ClusterEvent } from '../event';
import type { PayloadFields } from '../payload';
import { reject, type Rejection } from '../rejection';
import { routeOf } from '../route-of';
import type { ClusterState } from '../state';
import { stamp, type Decider } from './decider';
import { chunksGone } from './delete-namespace';

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
  return [
    { kind: 'namespace', entity: { ...namespace, state: 'deleted', ...stamp(context, 'NamespaceFailed') } },
    ...chunksGone(state, namespace.name, context),
  ];
};

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
