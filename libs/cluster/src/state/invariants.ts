import type {
  ChunkReplica,
  ChunkRoute,
  ChunkState,
  EntityRemoved,
  NamespaceState,
  PlanState,
  UnitState,
  UserState,
} from '@levee/events';
import { assert } from '@levee/kernel';
import { isNamespaceRight } from '../users/rights';
import type { ClusterEvent } from './event';
import type { Entities } from './entities';

/** What must hold between `event` and the state before it. Decisions list what they free first, what they take last. */
export function checkEvent(state: Entities, event: ClusterEvent): void {
  switch (event.kind) {
    case 'cluster':
      return assert(
        (state.clusterId ?? event.entity.clusterId) === event.entity.clusterId,
        `the cluster is ${state.clusterId}, it never becomes ${event.entity.clusterId}`,
      );
    case 'namespace':
      return checkNamespace(event.entity);
    case 'unit':
      return checkUnit(state, event.entity);
    case 'chunk':
      return checkChunk(state, event.entity);
    case 'route':
      return checkRoute(state, event.entity);
    case 'plan':
      return checkPlan(state, event.entity);
    case 'user':
      return checkUser(state, event.entity);
    case 'removed':
      return checkRemoved(state, event.entity);
    default:
  }
}

/** The same of a whole state, in which the order of events is not known any more. O(entities). */
export function checkWhole(state: Entities): void {
  for (const namespace of state.namespaces()) checkNamespace(namespace);
  for (const unit of state.units()) checkUnitAlone(unit);
  for (const chunk of state.chunks()) checkChunk(state, chunk);
  for (const route of state.routes()) checkRoute(state, route);
  for (const plan of state.plans()) checkPlan(state, plan);
  for (const user of state.users()) checkUser(state, user);
}

/** [safety] Values are hidden before their topic lets go of them, or replicas differ by when they were built. */
function checkNamespace({ name, state, expireWithRetention, retentionMs, hiddenAfterMs }: NamespaceState): void {
  const isHidden = retentionMs !== null && hiddenAfterMs !== null && hiddenAfterMs < retentionMs;
  const isFree = retentionMs === null && hiddenAfterMs === null;
  const holds = expireWithRetention ? isHidden || (isFree && state !== 'active') : isFree;
  assert(holds, `values of ${name} are hidden after ${hiddenAfterMs} ms, and their topic keeps them ${retentionMs} ms`);
}

function checkUnitAlone(unit: UnitState): void {
  const { unitId, state, chunkId, generation } = unit;
  assert(
    state === 'free' ? chunkId === null : chunkId !== null && generation > 0,
    `I10: unit ${unitId} is ${state} in generation ${generation} with chunk ${chunkId}`,
  );
}

function checkUnit(state: Entities, unit: UnitState): void {
  checkUnitAlone(unit);
  const before = state.unit(unit.unitId);
  if (before === undefined) return;
  assert(
    unit.generation >= before.generation,
    `I10: unit ${unit.unitId} falls from generation ${before.generation} to ${unit.generation}`,
  );
  const keeps = unit.state === 'allocated' && unit.chunkId === before.chunkId && unit.generation === before.generation;
  if (!keeps) assertUnused(state, before);
  if (unit.state === 'reclaiming' && before.state === 'allocated') assertNotLastCopy(state, before);
}

/** I14: the chunk whose replica is cleared, if it serves, is readable elsewhere. */
function assertNotLastCopy(state: Entities, unit: UnitState): void {
  const chunk = state.chunk(unit.chunkId ?? '');
  assert(
    chunk?.state !== 'serving' || chunk.replicas.some((of) => isReadable(of) && of.unitId !== unit.unitId),
    `I14: unit ${unit.unitId} may hold the last copy of ${unit.chunkId}`,
  );
}

function checkChunk(state: Entities, chunk: ChunkState): void {
  const { chunkId, slotStart, slotEnd } = chunk;
  assert(slotStart >= 0 && slotStart < slotEnd, `I9: chunk ${chunkId} has slots ${slotStart}..${slotEnd}`);
  for (const other of chunk.state === 'serving' ? state.chunksTouching(chunk.namespace, { slotStart, slotEnd }) : [])
    assert(
      other.chunkId === chunkId,
      `I9: chunk ${chunkId} (slots ${slotStart}..${slotEnd}) overlaps ${other.chunkId} (${other.slotStart}..${other.slotEnd})`,
    );
  const before = state.chunk(chunkId);
  assert(
    before === undefined || (before.slotStart === slotStart && before.slotEnd === slotEnd),
    `I9: chunk ${chunkId} has slots ${before?.slotStart}..${before?.slotEnd} for ever, never ${slotStart}..${slotEnd}`,
  );
  const readable = chunk.state === 'serving' ? undefined : chunk.replicas.find(isReadable);
  assert(
    readable === undefined,
    `I13: chunk ${chunkId} is ${chunk.state}, its replica in ${readable?.unitId} is ${readable?.role}`,
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

function checkRoute(state: Entities, route: ChunkRoute): void {
  const chunk = state.chunk(route.chunkId);
  const { forkedFrom = null, forkedDigest = null } = state.namespace(chunk?.namespace ?? '') ?? {};
  assert(
    forkedFrom === null || forkedDigest !== null,
    `I9: the route of ${route.chunkId} shows a copy of ${forkedFrom} that is not complete: what it lacks would look absent`,
  );
  assert(
    chunk !== undefined && chunk.slotStart === route.slotStart && chunk.slotEnd === route.slotEnd,
    `I9: the route of ${route.chunkId} has slots ${route.slotStart}..${route.slotEnd}, its chunk ` +
      (chunk === undefined ? 'is unknown' : `has ${chunk.slotStart}..${chunk.slotEnd}`),
  );
  assert(chunk.state === 'serving', `I9: the route of ${route.chunkId} leads to a chunk that is ${chunk.state}`);
  for (const replica of route.replicas)
    assert(
      chunk.replicas.some((of) => of.unitId === replica.unitId && of.generation === replica.generation),
      `I10: the route of ${route.chunkId} names unit ${replica.unitId}, its chunk does not`,
    );
}

function checkRemoved(state: Entities, { entity, key }: EntityRemoved): void {
  if (entity === 'unit') {
    const unit = state.unit(key);
    if (unit !== undefined) assertUnused(state, unit);
  }
  if (entity === 'chunk') checkChunkRemoved(state, key);
  if (entity === 'namespace')
    assert([...state.everyChunkOf(key)].length === 0, `I9: namespace ${key} goes before its chunks`);
}

function checkChunkRemoved(state: Entities, chunkId: string): void {
  assert(state.route(chunkId) === undefined, `I9: chunk ${chunkId} goes before its route`);
  const chunk = state.chunk(chunkId);
  const namespace = state.namespace(chunk?.namespace ?? '');
  assert(
    chunk?.state !== 'serving' || namespace?.state !== 'active',
    `I9: chunk ${chunkId} owns slots of ${chunk?.namespace}, which is active: nothing would hold them`,
  );
}

/** A plan that is over stays so, attempts never fall, and what has switched says how long it can be undone (I11). */
function checkPlan(state: Entities, plan: PlanState): void {
  const { planId, attempt, endedAtMs } = plan;
  const before = state.plan(planId);
  const isOver = plan.state === 'done' || plan.state === 'cancelled' || plan.state === 'rolledBack';
  assert(isOver === (endedAtMs !== null), `plan ${planId} is ${plan.state} and ended at ${endedAtMs}`);
  assert(
    plan.state !== 'observing' || (plan.observeUntilMs !== null && plan.verified !== null),
    `I11: plan ${planId} has switched without evidence`,
  );
  if (before === undefined) return;
  assert(attempt >= before.attempt, `plan ${planId} falls from attempt ${before.attempt} to ${attempt}`);
  assert(
    before.endedAtMs === null || before.state === plan.state,
    `plan ${planId} was ${before.state} and becomes ${plan.state}`,
  );
}

/** Rights on namespaces say on which, a token has one id, and nobody becomes another person of the same name (I21). */
function checkUser(state: Entities, user: UserState): void {
  const { name, grants, tokens } = user;
  for (const { right, namespaces } of grants)
    assert(isNamespaceRight(right) === (namespaces !== null), `I21: ${name} has the right ${right} on ${namespaces}`);
  assert(
    new Set(tokens.map((token) => token.tokenId)).size === tokens.length,
    `I21: two tokens of ${name} have one id`,
  );
  const before = state.user(name);
  assert(
    (before?.number ?? user.number) === user.number,
    `I21: ${name} was user ${before?.number}, not ${user.number}`,
  );
}

/** No replica that is not dead sits in this generation of `unit`. */
function assertUnused(state: Entities, unit: UnitState): void {
  const chunk = unit.chunkId === null ? undefined : state.chunk(unit.chunkId);
  const replica = chunk?.replicas.find((of) => livesIn(of, unit));
  assert(
    replica === undefined,
    `I10: unit ${unit.unitId} generation ${unit.generation} is taken from ${unit.chunkId}, whose ${replica?.role} is in it`,
  );
}

function isReadable({ role }: ChunkReplica): boolean {
  return role === 'primary' || role === 'follower';
}

function livesIn(replica: ChunkReplica, unit: UnitState): boolean {
  return replica.role !== 'dead' && replica.unitId === unit.unitId && replica.generation === unit.generation;
}
