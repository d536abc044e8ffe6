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
  if (event.kind === 'cluster') return 'cluster';
  return `${entityKind(event)}/${entityId(event)}`;
}

/** What the event's entity is, also when the event removes it. */
export const entityKind = (event: ClusterEvent): Exclude<EventKind, 'removed'> =>
  event.kind === 'removed' ? event.entity.entity : event.kind;

/** What tells the event's entity from others of its kind; of the cluster, which is alone, nothing. */
export function entityId(event: ClusterEvent): string {
  switch (event.kind) {
    case 'cluster':
      return '';
    case 'namespace':
    case 'user':
      return event.entity.name;
    case 'node':
      return event.entity.nodeId;
    case 'unit':
      return event.entity.unitId;
    case 'chunk':
    case 'route':
      return event.entity.chunkId;
    case 'plan':
      return event.entity.planId;
    case 'outcome':
      return event.entity.commandId;
    case 'removed':
      return event.entity.key;
  }
}

/** The compacted topic that holds the event's entity. */
export function entityTopic(event: ClusterEvent): 'metadata' | 'routes' | 'plans' {
  const kind = entityKind(event);
  if (kind === 'plan') return 'plans';
  return kind === 'route' ? 'routes' : 'metadata';
}
