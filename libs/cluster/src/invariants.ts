import type { ChunkReplica, ChunkRoute, ChunkState, EntityRemoved, UnitState } from '@levee/events';
import { assert } from '@levee/kernel';
import type { ClusterEvent } from './event';
import type { ClusterState } from './state';

/** What must hold between `event` and the state before it. Decisions list what they free first, what they take last. */
export function checkEvent(state: ClusterState, event: ClusterEvent): void {
  switch (event.kind) {
    case 'cluster':
      return assert(
        (state.clusterId ?? event.entity.clusterId) === event.entity.clusterId,
        `the cluster is ${state.clusterId}, it never becomes ${event.entity.clusterId}`,
      );
    case 'unit':
      return checkUnit(state, event.entity);
    case 'chunk':
      return checkChunk(state, event.entity);
    case 'route':
      return checkRoute(state, event.entity);
    case 'removed':
      return checkRemoved(state, event.entity);
    default:
  }
}

/** The same of a whole state, in which the order of events is not known any more. O(entities). */
export function checkWhole(state: ClusterState): void {
  for (const unit of state.units()) checkUnitAlone(unit);
  for (const chunk of state.chunks()) checkChunk(state, chunk);
  for (const route of state.routes()) checkRoute(state, route);
}

function checkUnitAlone(unit: UnitState): void {
  const { unitId, state, chunkId, generation } = unit;
  assert(
    state === 'free' ? chunkId === null : chunkId !== null && generation > 0,
    `I10: unit ${unitId} is ${state} in generation ${generation} with chunk ${chunkId}`,
  );
}

function checkUnit(state: ClusterState, unit: UnitState): void {
  checkUnitAlone(unit);
  const before = state.unit(unit.unitId);
  if (before === undefined) return;
  assert(
    unit.generation >= before.generation,
    `I10: unit ${unit.unitId} falls from generation ${before.generation} to ${unit.generation}`,
  );
  const keeps = unit.state === 'allocated' && unit.chunkId === before.chunkId && unit.generation === before.generation;
  if (!keeps) assertUnused(state, before);
}

function checkChunk(state: ClusterState, chunk: ChunkState): void {
  const { chunkId, slotStart, slotEnd } = chunk;
  assert(slotStart >= 0 && slotStart < slotEnd, `I9: chunk ${chunkId} has slots ${slotStart}..${slotEnd}`);
  for (const other of chunk.state === 'serving' ? state.chunksTouching(chunk.namespace, { slotStart, slotEnd }) : [])
    assert(
      other.chunkId === chunkId,
      `I9: chunk ${chunkId} (slots ${slotStart}..${slotEnd}) overlaps ${other.chunkId} (${other.slotStart}..${other.slotEnd})`,
    );
  for (const replica of chunk.replicas) {
    if (replica.role === 'dead') continue;
    const unit = state.unit(replica.unitId);
    assert(
      unit?.state === 'allocated' && unit.chunkId === chunkId && unit.generation === replica.generation,
      `I10: chunk ${chunkId} names generation ${replica.generation} of unit ${replica.unitId}, which holds ` +
        (unit === undefined ? 'nothing: it is unknown' : `${unit.chunkId} in generation ${unit.generation}`),
    );
  }
}

function checkRoute(state: ClusterState, route: ChunkRoute): void {
  const chunk = state.chunk(route.chunkId);
  assert(
    chunk !== undefined && chunk.slotStart === route.slotStart && chunk.slotEnd === route.slotEnd,
    `I9: the route of ${route.chunkId} has slots ${route.slotStart}..${route.slotEnd}, its chunk ` +
      (chunk === undefined ? 'is unknown' : `has ${chunk.slotStart}..${chunk.slotEnd}`),
  );
  for (const replica of route.replicas)
    assert(
      chunk.replicas.some((of) => of.unitId === replica.unitId && of.generation === replica.generation),
      `I10: the route of ${route.chunkId} names unit ${replica.unitId}, its chunk does not`,
    );
}

function checkRemoved(state: ClusterState, { entity, key }: EntityRemoved): void {
  if (entity === 'unit') {
    const unit = state.unit(key);
    if (unit !== undefined) assertUnused(state, unit);
  }
  if (entity === 'chunk') assert(state.route(key) === undefined, `I9: chunk ${key} goes before its route`);
  if (entity === 'namespace')
    assert([...state.everyChunkOf(key)].length === 0, `I9: namespace ${key} goes before its chunks`);
}

/** No replica that is not dead sits in this generation of `unit`. */
function assertUnused(state: ClusterState, unit: UnitState): void {
  const chunk = unit.chunkId === null ? undefined : state.chunk(unit.chunkId);
  const replica = chunk?.replicas.find((of) => livesIn(of, unit));
  assert(
    replica === undefined,
    `I10: unit ${unit.unitId} generation ${unit.generation} is taken from ${unit.chunkId}, whose ${replica?.role} is in it`,
  );
}

function livesIn(replica: ChunkReplica, unit: UnitState): boolean {
  return replica.role !== 'dead' && replica.unitId === unit.unitId && replica.generation === unit.generation;
}
