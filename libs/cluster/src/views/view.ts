import type { ChunkState, NamespaceState, NodeState, UnitState } from '@levee/events';
import { producerSettings, type ProducerSettings } from './producer-settings';
import { reject, type Rejection } from '../rejection';
import type { ClusterState } from '../state/state';

/** Pure answers for the doors: plain JSON-ready objects, nothing kept. */
export interface NamespaceDescription {
  readonly namespace: NamespaceState;
  /** By ascending slot. */
  readonly chunks: readonly ChunkState[];
  readonly routeVersion: number;
  /** What producers that write to the binlog themselves must set. */
  readonly producers: ProducerSettings;
  readonly totals: {
    readonly units: number;
    /** Sum of the capacities of the units taken. */
    readonly capacityBytes: number;
    /** Most bytes the namespace may hold: chunks x chunkCapacityBytes. */
    readonly quotaBytes: number;
  };
}

/** By name. One that was deleted is remembered for the number of its next creation, and shown to nobody. */
export function viewNamespaces(state: ClusterState): NamespaceState[] {
  return [...state.namespaces()]
    .filter((namespace) => namespace.state !== 'deleted')
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

export function describeNamespace(state: ClusterState, name: string): NamespaceDescription | Rejection {
  const namespace = state.namespace(name);
  if (namespace === undefined || namespace.state === 'deleted') return unknownNamespace(state, name);
  const chunks = state.chunksOf(name);
  const units = chunks.flatMap((chunk) => chunk.replicas.flatMap(({ unitId }) => state.unit(unitId) ?? []));
  return {
    namespace,
    chunks,
    routeVersion: routeVersionOf(state, name),
    producers: producerSettings(namespace),
    totals: {
      units: units.length,
      capacityBytes: units.reduce((sum, unit) => sum + unit.capacityBytes, 0),
      quotaBytes: chunks.length * namespace.chunkCapacityBytes,
    },
  };
}

/** A route with the addresses of its replicas joined in. */
export interface RouteView {
  readonly chunkId: string;
  readonly slotStart: number;
  readonly slotEnd: number;
  readonly version: number;
  readonly replicas: readonly {
    readonly nodeId: string;
    readonly storeId: string;
    readonly unitId: string;
    readonly generation: number;
    readonly role: string;
    readonly respAddress: string | null;
    readonly nodeState: NodeState['state'] | null;
  }[];
  /** Places of replicas that were given up with their node and have not been made up for: nobody reads them. */
  readonly dead: readonly { readonly nodeId: string; readonly unitId: string }[];
}

export type RoutesView =
  | { readonly change: 'notChange'; readonly namespace: string; readonly version: number }
  | {
      readonly change: 'metaChange';
      readonly namespace: string;
      readonly binlog: string;
      readonly partitions: number;
      readonly hashAlgorithm: NamespaceState['hashAlgorithm'];
      readonly recordFormat: NamespaceState['recordFormat'];
      readonly version: number;
      readonly routes: readonly RouteView[];
    };

/** The routes of a namespace, unless the caller has them: `knownVersion` is the version it got last. */
export function viewRoutes(state: ClusterState, name: string, knownVersion?: number): RoutesView | Rejection {
  const namespace = state.namespace(name);
  if (namespace === undefined || namespace.state === 'deleted') return unknownNamespace(state, name);
  const version = routeVersionOf(state, name);
  if (knownVersion === version) return { change: 'notChange', namespace: name, version };
  if (knownVersion !== undefined && knownVersion > version) return versionFromFuture(name, knownVersion, version);
  const routes = [...state.routesOf(name)]
    .sort((a, b) => a.slotStart - b.slotStart)
    .map(({ chunkId, slotStart, slotEnd, seq, replicas }) => ({
      chunkId,
      slotStart,
      slotEnd,
      version: seq,
      replicas: replicas.map((replica) => {
        const node = state.node(replica.nodeId);
        return { ...replica, respAddress: node?.respAddress ?? null, nodeState: node?.state ?? null };
      }),
      dead: (state.chunk(chunkId)?.replicas ?? [])
        .filter(({ role }) => role === 'dead')
        .map(({ nodeId, unitId }) => ({ nodeId, unitId })),
    }));
  const { binlog, partitions, hashAlgorithm, recordFormat } = namespace;
  return { change: 'metaChange', namespace: name, binlog, partitions, hashAlgorithm, recordFormat, version, routes };
}

export function versionFromFuture(name: string, knownVersion: number, version: number): Rejection {
  return reject(
    'VERSION_FROM_FUTURE',
    `route version ${knownVersion} of ${name} is above ${version}, the highest known here: this process lags, or the ` +
      `version is of another cluster; ask without one`,
  );
}

/** Highest seq of any route of the namespace, or of any node in one: a new address is a new version too. 0 = none. */
export function routeVersionOf(state: ClusterState, name: string): number {
  let version = 0;
  const nodeIds = new Set<string>();
  for (const route of state.routesOf(name)) {
    version = Math.max(version, route.seq);
    for (const replica of route.replicas) nodeIds.add(replica.nodeId);
  }
  for (const nodeId of nodeIds) version = Math.max(version, state.node(nodeId)?.seq ?? 0);
  return version;
}

export interface NodeView {
  readonly node: NodeState;
  readonly units: Readonly<Record<UnitState['state'], number>>;
  readonly capacityBytes: number;
  readonly freeBytes: number;
  readonly replicas: Readonly<Record<ChunkState['replicas'][number]['role'], number>>;
}

/** Every node with what it holds, by id. */
export function viewNodes(state: ClusterState): NodeView[] {
  return [...state.nodes()].sort((a, b) => (a.nodeId < b.nodeId ? -1 : 1)).map((node) => viewNode(state, node));
}

function viewNode(state: ClusterState, node: NodeState): NodeView {
  const units = { free: 0, allocated: 0, reclaiming: 0 };
  const replicas = { primary: 0, follower: 0, learner: 0, retired: 0, dead: 0 };
  let capacityBytes = 0;
  let freeBytes = 0;
  for (const unit of state.unitsOf(node.nodeId)) {
    units[unit.state]++;
    capacityBytes += unit.capacityBytes;
    if (unit.state === 'free') freeBytes += unit.capacityBytes;
    const chunk = unit.chunkId === null ? undefined : state.chunk(unit.chunkId);
    const replica = chunk?.replicas.find((of) => of.unitId === unit.unitId && of.generation === unit.generation);
    if (replica !== undefined) replicas[replica.role]++;
  }
  return { node, units, capacityBytes, freeBytes, replicas };
}

/** Units of one node, or of all, by id. */
export function viewUnits(state: ClusterState, nodeId?: string): UnitState[] {
  const units = nodeId === undefined ? state.units() : state.unitsOf(nodeId);
  return [...units].sort((a, b) => (a.unitId < b.unitId ? -1 : 1));
}

export function unknownNamespace(state: ClusterState, name: string): Rejection {
  const names = viewNamespaces(state).map((one) => one.name);
  const known = names.length === 0 ? 'there is none yet' : `there are ${names.slice(0, 20).join(', ')}`;
  return reject('NAMESPACE_UNKNOWN', `there is no namespace '${name.slice(0, 200)}': ${known}`);
}
