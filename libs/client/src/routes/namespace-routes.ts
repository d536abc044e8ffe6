import { type ClusterState, creationIdOf, creationOfChunk, readOrder } from '@levee/cluster';
import type { ChunkRoute, NamespaceState, RouteReplica } from '@levee/events';
import { RouteTable, type RouteTableProblem } from '@levee/keyspace';
import type { ReadBatch } from '../reads/read-batch';
import type { ChunkLoad } from '../writes/chunk-loads';
import type { NodeLink } from './node-link';

/** One node as one namespace sees it: its link, and the reads gathered for it in this tick. */
export interface ReadTarget {
  readonly link: NodeLink;
  /** Per partition the highest next offset the node is known to have applied; a hint. */
  readonly applied: Float64Array;
  /** Batches being gathered, by lane. */
  readonly open: [ReadBatch | undefined, ReadBatch | undefined, ReadBatch | undefined];
  /** Batches being gathered for sessions whose clock is ahead, by that clock and the lane. */
  ahead: Map<number, ReadBatch> | undefined;
}

export interface PortalReplica extends ReadReplica {
  /** Of the unit and its generation: one replica, ever. */
  readonly replicaId: string;
  readonly role: RouteReplica['role'];
}

/** A replica as readers know it. */
export interface ReadReplica {
  readonly nodeId: string;
  readonly target: ReadTarget;
}

/** A route as readers know it. */
export interface ReadRoute {
  readonly chunkId: string;
  readonly slotStart: number;
  readonly slotEnd: number;
  readonly seq: number;
  /** Readable ones in the order in which a reader tries them: the primary, then followers, suspect nodes last. */
  readonly readable: readonly ReadReplica[];
  /** How many of them, from the first, are on nodes that are up. */
  readonly upCount: number;
}

/** A route joined with addresses. */
export interface PortalRoute extends ReadRoute {
  readonly readable: readonly PortalReplica[];
  /** What nodes tell of its replicas. */
  readonly load: ChunkLoad;
}

/** Joins routes with nodes into a table, or says why there is none yet. */
export function buildRoutes(
  state: ClusterState,
  namespace: NamespaceState,
  targetOf: (replica: RouteReplica) => ReadTarget | undefined,
  loadOf: (chunkId: string) => ChunkLoad,
): RouteTable<PortalRoute> | RouteTableProblem {
  const routes: PortalRoute[] = [];
  const creation = creationIdOf(namespace);
  const nodeIds = new Set<string>();
  for (const route of state.routesOf(namespace.name)) {
    if (creationOfChunk(route.chunkId) !== creation) continue;
    for (const { nodeId } of route.replicas) nodeIds.add(nodeId);
    routes.push(join(state, route, targetOf, loadOf(route.chunkId)));
  }
  let version = 0;
  for (const nodeId of nodeIds) version = Math.max(version, state.node(nodeId)?.seq ?? 0);
  return RouteTable.build(routes, version);
}

function join(
  state: ClusterState,
  route: ChunkRoute,
  targetOf: (replica: RouteReplica) => ReadTarget | undefined,
  load: ChunkLoad,
): PortalRoute {
  const { readable: replicas, upCount } = readOrder(state, route);
  const readable: PortalReplica[] = [];
  for (const { replica } of replicas) {
    const target = targetOf(replica);
    const { nodeId, unitId, generation, role } = replica;
    if (target) readable.push({ nodeId, replicaId: `${unitId}@${generation}`, role, target });
  }
  const { chunkId, slotStart, slotEnd, seq } = route;
  // No target: no cluster is known yet, so none of them has one.
  return { chunkId, slotStart, slotEnd, seq, readable, load, upCount: Math.min(upCount, readable.length) };
}
