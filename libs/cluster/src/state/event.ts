import type {
  ChunkRoute,
  ChunkState,
  ClusterState as ClusterIdentity,
  CommandOutcome,
  EntityRemoved,
  NamespaceState,
  NodeState,
  PlanState,
  UnitState,
  UserState,
} from '@levee/events';

export type { ClusterIdentity };

/** A fact of the control plane: the full new value of one entity, or that it is gone. */
export type ClusterEvent =
  | { readonly kind: 'cluster'; readonly entity: ClusterIdentity }
  | { readonly kind: 'namespace'; readonly entity: NamespaceState }
  | { readonly kind: 'node'; readonly entity: NodeState }
  | { readonly kind: 'unit'; readonly entity: UnitState }
  | { readonly kind: 'chunk'; readonly entity: ChunkState }
  | { readonly kind: 'route'; readonly entity: ChunkRoute }
  | { readonly kind: 'plan'; readonly entity: PlanState }
  | { readonly kind: 'user'; readonly entity: UserState }
  | { readonly kind: 'outcome'; readonly entity: CommandOutcome }
  | { readonly kind: 'removed'; readonly entity: EntityRemoved };

export type EventKind = ClusterEvent['kind'];

/** The Avro record in which an event of each kind is written. */
export const recordOfKind = {
  cluster: 'ClusterState',
  namespace: 'NamespaceState',
  node: 'NodeState',
  unit: 'UnitState',
  chunk: 'ChunkState',
  route: 'ChunkRoute',
  plan: 'PlanState',
  user: 'UserState',
  outcome: 'CommandOutcome',
  removed: 'EntityRemoved',
} as const satisfies Record<EventKind, string>;

const kindOfRecord = new Map<string, EventKind>(
  Object.entries(recordOfKind).map(([kind, record]) => [record, kind as EventKind]),
);

/** The event that a decoded record is; `undefined` when records of that name are no events. */
export function eventOfRecord(recordName: string, value: unknown): ClusterEvent | undefined {
  const kind = kindOfRecord.get(recordName);
  return kind === undefined ? undefined : ({ kind, entity: value } as ClusterEvent);
}

/** Key of the event's entity in its compacted topic (UTF-8), such as `unit/n1/u03`. */
export function entityKey(event: ClusterEvent): string {
  switch (event.kind) {
    case 'cluster':
      return 'cluster';
    case 'namespace':
      return `namespace/${event.entity.name}`;
    case 'node':
      return `node/${event.entity.nodeId}`;
    case 'unit':
      return `unit/${event.entity.unitId}`;
    case 'chunk':
      return `chunk/${event.entity.chunkId}`;
    case 'route':
      return `route/${event.entity.chunkId}`;
    case 'plan':
      return `plan/${event.entity.planId}`;
    case 'user':
      return `user/${event.entity.name}`;
    case 'outcome':
      return `outcome/${event.entity.commandId}`;
    case 'removed':
      return `${event.entity.entity}/${event.entity.key}`;
  }
}

/** The compacted topic that holds the event's entity. */
export function entityTopic(event: ClusterEvent): 'metadata' | 'routes' | 'plans' {
  const kind = event.kind === 'removed' ? event.entity.entity : event.kind;
  if (kind === 'plan') return 'plans';
  return kind === 'route' ? 'routes' : 'metadata';
}
