import { ClusterState, entityKey, type ClusterEvent } from '@levee/cluster';
import type { EntityRemoved } from '@levee/events';
import { assert } from '@levee/kernel';

export type Stamp = Pick<EntityRemoved, 'seq' | 'term'>;

/**
 * Events of one decision that lead from one whole state to another, whatever lies between. Rules hold at every event,
 * and what lies between is lost: so a namespace in which anything differs is taken away as if it were deleted and made
 * again, and everything else that differs is removed and put back.
 */
export function restoreEvents(from: ClusterState, to: ClusterState, stamp: Stamp): ClusterEvent[] {
  assert(from.clusterId === undefined || from.clusterId === to.clusterId, 'a repair stays within one cluster');
  const differing = differingKeys(from, to);
  const namespaces = namespacesOf(differing, [from, to]);
  const events: ClusterEvent[] = [];
  const remove = (entity: EntityRemoved['entity'], key: string): void => {
    events.push({ kind: 'removed', entity: { entity, key, change: 'Repaired', ...stamp } });
  };
  for (const name of namespaces) {
    const namespace = from.namespace(name);
    if (namespace !== undefined)
      events.push({ kind: 'namespace', entity: { ...namespace, state: 'deleting', change: 'Repaired', ...stamp } });
    for (const { chunkId } of from.routesOf(name)) remove('route', chunkId);
    for (const { chunkId } of from.everyChunkOf(name)) remove('chunk', chunkId);
    if (namespace !== undefined) remove('namespace', name);
  }
  const goes = (event: ClusterEvent): boolean => differing.has(entityKey(event)) && !belongsTo(namespaces, event);
  for (const event of from.events()) {
    if (event.kind === 'removed' || event.kind === 'cluster' || !goes(event)) continue;
    const key = entityKey(event);
    remove(event.kind, key.slice(event.kind.length + 1));
  }
  for (const event of to.events()) if (goes(event) || belongsTo(namespaces, event)) events.push(event);
  return events;
}

function differingKeys(from: ClusterState, to: ClusterState): ReadonlySet<string> {
  const before = new Map([...from.events()].map((event) => [entityKey(event), JSON.stringify(event.entity)]));
  const differing = new Set<string>();
  for (const event of to.events()) {
    const key = entityKey(event);
    if (before.get(key) !== JSON.stringify(event.entity)) differing.add(key);
    before.delete(key);
  }
  for (const key of before.keys()) differing.add(key);
  return differing;
}

/** Those of which anything differs, or in whose chunks a unit is that does. */
function namespacesOf(differing: ReadonlySet<string>, states: readonly ClusterState[]): ReadonlySet<string> {
  const names = new Set<string>();
  for (const state of states)
    for (const event of state.events()) {
      if (!differing.has(entityKey(event))) continue;
      if (event.kind === 'namespace') names.add(event.entity.name);
      if (event.kind === 'chunk' || event.kind === 'route') names.add(event.entity.namespace);
      if (event.kind !== 'unit' || event.entity.chunkId === null) continue;
      for (const each of states) {
        const chunk = each.chunk(event.entity.chunkId);
        if (chunk !== undefined) names.add(chunk.namespace);
      }
    }
  return names;
}

function belongsTo(namespaces: ReadonlySet<string>, event: ClusterEvent): boolean {
  if (event.kind === 'namespace') return namespaces.has(event.entity.name);
  return (event.kind === 'chunk' || event.kind === 'route') && namespaces.has(event.entity.namespace);
}
