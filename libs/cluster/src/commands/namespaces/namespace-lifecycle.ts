import type { NamespaceState } from '@levee/events';
import type { DecideContext } from '../../decide-context';
import type { ClusterEvent } from '../../state/event';
import type { PayloadFields } from '../../payload';
import { partitionsMax } from '@levee/keyspace';
import { reject, type Rejection } from '../../rejection';
import { routeOf } from '../../state/route-of';
import type { ClusterState } from '../../state/state';
import { stamp, type Decider } from '../decider';
import { hiddenAfter, retentionLimits } from './binding';
import { chunksGone } from './delete-namespace';
import { forkBegun } from './fork-origin';

const retentionRange = { min: retentionLimits.retentionMsMin, max: Number.MAX_SAFE_INTEGER, unit: 'ms' } as const;

/**
 * `{name, number}`: the master's own, once the binlog and its Genesis records exist; `{name, number, topicId, partitions,
 * retentionMs?}` of a bound one, as its topic was seen; the last where its values expire with the topic's retention. Publishes the routes.
 */
export const activateNamespace: Decider = (state, fields, context) => {
  const topicId = fields.optional('topicId', (name) => fields.text(name, 64), null);
  const partitions = fields.optional('partitions', (n) => fields.integer(n, { min: 1, max: partitionsMax }), undefined);
  const retentionMs = fields.optional('retentionMs', (n) => fields.integer(n, retentionRange), null);
  const namespace = readNamespace(state, fields);
  if ('code' in namespace) return namespace;
  if (namespace.state === 'active') return [];
  if (namespace.state !== 'creating') return notReady(namespace, 'activated');
  const isBound = namespace.sourceTopic !== null;
  if (isBound !== (topicId !== null && partitions !== undefined))
    return reject(
      'BAD_COMMAND',
      `${namespace.name} is ${isBound ? '' : 'not '}bound to a topic, whose id was ${isBound ? 'not ' : ''}told`,
    );
  if (namespace.expireWithRetention !== (retentionMs !== null))
    return reject(
      'BAD_COMMAND',
      `values of ${namespace.name} ${namespace.expireWithRetention ? '' : 'do not '}expire with the retention of its topic, which was ${retentionMs === null ? 'not ' : ''}told`,
    );
  if (namespace.forkedFrom !== null && namespace.forkedDigest === null) {
    // It is filled first: until then what is not there would look as if it had never been.
    if (namespace.change === forkBegun) return [];
    return [{ kind: 'namespace', entity: { ...namespace, ...stamp(context, forkBegun) } }];
  }
  const kept = retentionMs === null ? {} : { retentionMs, hiddenAfterMs: hiddenAfter(retentionMs) };
  const seen = { sourceTopicId: topicId, partitions: partitions ?? namespace.partitions, ...kept };
  return activated(state, { ...namespace, ...seen, ...stamp(context, 'NamespaceActivated') }, context);
};

/**
 * `{name, number, keys, digest}`: the copy of another namespace's past is complete, and was compared with it key by key.
 * From this decision on it is a namespace like any other.
 */
export const finishFork: Decider = (state, fields, context) => {
  const forkedKeys = fields.integer('keys', { min: 0, max: Number.MAX_SAFE_INTEGER });
  const forkedDigest = fields.text('digest', 32);
  const namespace = readNamespace(state, fields);
  if ('code' in namespace) return namespace;
  if (!/^[0-9a-f]{32}$/.test(forkedDigest)) return reject('BAD_COMMAND', `the digest ${forkedDigest} is none`);
  if (namespace.state === 'active' && namespace.forkedDigest === forkedDigest) return [];
  if (namespace.state !== 'creating' || namespace.change !== forkBegun)
    return reject(
      'NAMESPACE_NOT_READY',
      `namespace ${namespace.name} is ${namespace.state}, and no fork that is being filled`,
    );
  return activated(state, { ...namespace, forkedKeys, forkedDigest, ...stamp(context, 'NamespaceForked') }, context);
};

function activated(state: ClusterState, namespace: NamespaceState, context: DecideContext): ClusterEvent[] {
  return [
    { kind: 'namespace', entity: { ...namespace, state: 'active' } },
    ...state.chunksOf(namespace.name).map((chunk): ClusterEvent => ({
      kind: 'route',
      entity: routeOf(chunk, context, 'RouteCreated'),
    })),
  ];
}

/**
 * `{name, number, reason}`: the master's own, when the binlog cannot be made. Its units are free again once their nodes
 * have cleared them, since a replica may have been opened already; the name may be created again, with another binlog.
 */
export const failNamespace: Decider = (state, fields, context) => {
  const reason = fields.optional('reason', (name) => fields.text(name, 2_000), null);
  const namespace = readNamespace(state, fields);
  if ('code' in namespace) return namespace;
  if (namespace.state === 'deleted') return [];
  if (namespace.state !== 'creating') return notReady(namespace, 'failed');
  // Who asked for it wants to know what does not fit.
  const failed = namespace.sourceTopic === null ? namespace : { ...namespace, sourceProblem: reason };
  return [
    { kind: 'namespace', entity: { ...failed, state: 'deleted', ...stamp(context, 'NamespaceFailed') } },
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
