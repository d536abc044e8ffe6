import type { NamespaceState } from '@levee/events';
import { bornOf, creationIdOf, creationOfChunk, creationRead } from '../commands/namespaces/born';
import { isSourceLost } from '../commands/namespaces/binding';
import type { Rejection } from '../rejection';
import type { ClusterState } from '../state/state';
import { readOrder } from './read-order';
import { routeVersionOf, unknownNamespace, versionFromFuture } from './view';

export interface DirectNode {
  readonly nodeId: string;
  readonly storeId: string;
  readonly respAddress: string;
}

export interface DirectRoute {
  readonly chunkId: string;
  readonly slotStart: number;
  readonly slotEnd: number;
  readonly seq: number;
  /** Places in `nodes`, in the order in which a reader tries them. */
  readonly nodes: readonly number[];
  /** How many of them, from the first, are up. */
  readonly upCount: number;
}

/** What a client needs that follows the log itself. */
export interface FollowFacts {
  readonly clusterId: string;
  /** `shop.orders#1`; its log is that of this creation, whatever the name means later. */
  readonly creation: string;
  /** The name that the Genesis records of the log say. */
  readonly bornAs: string;
  readonly binlog: string;
  /** Id of the topic of others that `binlog` names; null: it is Levee's own. */
  readonly sourceTopicId: string | null;
  readonly recordFormat: NamespaceState['recordFormat'];
  /** Age from which on values are expired, by the times of their records; null: only what records say counts. */
  readonly hiddenAfterMs: number | null;
  readonly maxStalenessMs: number | null;
}

/** What a client needs that reads from nodes, or from a replica of its own, without a portal. */
export interface DirectRoutes {
  readonly change: 'metaChange';
  /** Of routes, nodes and the namespace itself; grows with every change of them. */
  readonly version: number;
  /** What nodes are asked for: this creation and no other. */
  readonly askedAs: string;
  /** The log that positions of sessions are of. */
  readonly log: string;
  readonly partitions: number;
  readonly hashAlgorithm: NamespaceState['hashAlgorithm'];
  /** Of reads that do not say. */
  readonly consistency: NamespaceState['consistency'];
  /** Why nothing of it is read from nodes for now. */
  readonly notDirect: string | null;
  readonly nodes: readonly DirectNode[];
  readonly routes: readonly DirectRoute[];
  /** How its log is followed, or why it is not for now. */
  readonly follow: FollowFacts | string;
}

export type DirectView = DirectRoutes | { readonly change: 'notChange'; readonly version: number };

/** How clients read a namespace from its nodes, unless the caller knows: `knownVersion` is the version it got last. */
export function viewDirect(state: ClusterState, name: string, knownVersion?: number): DirectView | Rejection {
  const namespace = state.namespace(name);
  if (namespace === undefined || namespace.state === 'deleted') return unknownNamespace(state, name);
  const version = Math.max(routeVersionOf(state, name), namespace.seq);
  if (knownVersion === version) return { change: 'notChange', version };
  if (knownVersion !== undefined && knownVersion > version) return versionFromFuture(name, knownVersion, version);
  const places = new Map<string, number>();
  const nodes: DirectNode[] = [];
  const placeOf = ({ nodeId, storeId, respAddress }: DirectNode): number => {
    const known = places.get(nodeId);
    if (known !== undefined) return known;
    places.set(nodeId, nodes.length);
    return nodes.push({ nodeId, storeId, respAddress }) - 1;
  };
  const creation = creationIdOf(namespace);
  const own = [...state.routesOf(name)].filter(({ chunkId }) => creationOfChunk(chunkId) === creation);
  const routes = own.map((route): DirectRoute => {
    const { chunkId, slotStart, slotEnd, seq } = route;
    const { readable, upCount } = readOrder(state, route);
    return { chunkId, slotStart, slotEnd, seq, nodes: readable.map(({ node }) => placeOf(node)), upCount };
  });
  const { partitions, hashAlgorithm, consistency } = namespace;
  return {
    change: 'metaChange',
    version,
    askedAs: creationRead(namespace),
    log: sessionLog(namespace),
    partitions,
    hashAlgorithm,
    consistency,
    notDirect: notDirect(namespace),
    nodes,
    routes,
    follow: followOf(state, namespace),
  };
}

/** The name of a topic of others may come again, with other records at the same positions. */
export function sessionLog({ binlog, sourceTopicId }: Pick<NamespaceState, 'binlog' | 'sourceTopicId'>): string {
  return sourceTopicId === null ? binlog : `${binlog}@${sourceTopicId}`;
}

function followOf(state: ClusterState, namespace: NamespaceState): FollowFacts | string {
  const { clusterId } = state;
  const problem = notServed(namespace);
  if (problem !== null) return problem;
  if (clusterId === undefined) return 'the cluster has no identity yet';
  const { binlog, sourceTopicId, recordFormat, hiddenAfterMs, maxStalenessMs } = namespace;
  const facts = { binlog, sourceTopicId, recordFormat, hiddenAfterMs, maxStalenessMs };
  return { clusterId, creation: creationIdOf(namespace), bornAs: bornOf(namespace).name, ...facts };
}

function notServed(namespace: NamespaceState): string | null {
  if (namespace.state !== 'active') return `it is ${namespace.state}`;
  return isSourceLost(namespace) ? 'its topic is not the one that it was bound to' : null;
}

function notDirect(namespace: NamespaceState): string | null {
  const problem = notServed(namespace);
  if (problem !== null) return problem;
  // Nodes know the limit of a chunk; that of a namespace only who sees its requests.
  if (namespace.requestsPerSecond !== null) return 'portals count its requests (requestsPerSecond)';
  return null;
}
