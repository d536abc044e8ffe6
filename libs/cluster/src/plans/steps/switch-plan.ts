import type { ChunkReplica, ChunkState, PlanRetiring, PlanState } from '@levee/events';
import { assert, defined } from '@levee/kernel';
import { stamp, type Decider } from '../../commands/decider';
import type { DecideContext } from '../../decide-context';
import type { ClusterEvent } from '../../state/event';
import { Promotions } from '../../commands/nodes/promotion';
import { reject } from '../../rejection';
import { routeOf } from '../../state/route-of';
import type { ClusterState } from '../../state/state';
import { replicasReturned } from '../propose/choose-replicas';
import { attemptBounds, chunkBecomes, readPlan, notReady, planChanged } from './plan-events';
import { staleDigests, verifiedIn } from '../evidence/plan-evidence';
import { isReadable, isReshape, isSame, sourceChunks } from '../plan-shape';
import { allRetiring, replicasToReplace, retiringOf } from '../propose/read-proposal';
import { needlessProblem } from './start-plan';

/**
 * `{planId, attempt, barrierId}`: the master's own. In one decision what the plan made becomes readable and what it
 * supersedes is retired. Valid only while every replica of the evidence is in force as it was compared (I11).
 */
export const switchPlan: Decider = (state, fields, context) => {
  const attempt = fields.integer('attempt', attemptBounds);
  const barrierId = fields.text('barrierId', 128);
  const plan = readPlan(state, fields, attempt);
  if ('code' in plan) return plan;
  const verified = verifiedIn(plan);
  if (plan.state === 'observing' && verified?.barrierId === barrierId) return [];
  if (plan.state !== 'running' || plan.step !== 'switch' || verified === undefined) return notReady(plan, 'switched');
  if (verified.barrierId !== barrierId)
    return reject(
      'STALE_EVIDENCE',
      `I11: plan ${plan.planId} was verified at barrier ${verified.barrierId}, not ${barrierId}`,
    );
  const notInForce = staleDigests(state, verified.replicas);
  if (notInForce !== undefined) return notInForce;
  // A node that returned with its replica has made the plan needless: the switch would retire a copy for nothing.
  const needless = plan.kind === 'reReplicate' ? needlessProblem(state, plan) : undefined;
  if (needless !== undefined) return needless;
  const returned = replicasReturned(state, plan);
  if (returned !== undefined) return notReady(plan, 'switched', returned);
  const { events, retiring } = isReshape(plan) ? pieces(state, plan, context) : oneReplica(state, plan, context);
  const values: Partial<PlanState> = {
    state: 'observing',
    step: 'observe',
    retiring,
    observeUntilMs: context.nowMs + plan.observeMs,
    failures: 0,
  };
  const evidence = { barrierId, observeUntilMs: values.observeUntilMs };
  return [
    ...events,
    planChanged(plan, values, { change: 'PlanSwitched', what: 'ended', step: 'switch', evidence }, context),
  ];
};

interface Switched {
  readonly events: ClusterEvent[];
  readonly retiring: readonly PlanRetiring[];
}

/** move, reReplicate: the learner takes the place of what retires; a replica that is dead stays so until it is cleared. */
function oneReplica(state: ClusterState, plan: PlanState, context: DecideContext): Switched {
  const chunk = defined(sourceChunks(state, plan)[0], 'the chunk of a plan that is under way');
  const made = plan.targets[0]?.replicas ?? [];
  const retires = retiredBy(state, plan, chunk);
  const leaving = chunk.replicas.filter((of) => retires(of) && !made.some((one) => isSame(one, of)));
  const retiring = leaving.map((of) => retiringOf(chunk, of));
  const leads = leaving.some(({ role }) => role === 'primary');
  const replicas = chunk.replicas.map((of): ChunkReplica => {
    if (made.some((one) => isSame(one, of))) return { ...of, role: leads ? 'primary' : 'follower' };
    return leaving.includes(of) && isReadable(of) ? { ...of, role: 'retired' } : of;
  });
  const improved = withPrimary(state, replicas);
  return {
    events: chunkBecomes(state, chunk, { values: { replicas: improved }, change: 'ReplicaSwitched', context }),
    retiring,
  };
}

/**
 * Which replicas the learner takes the place of. A reReplicate replaces what is gone now, whatever was gone when it
 * began: a node that came back with its replica counts again. What a move was to retire may sit in another generation
 * by now, on a disk that replaced a lost one.
 */
function retiredBy(state: ClusterState, plan: PlanState, chunk: ChunkState): (of: ChunkReplica) => boolean {
  if (plan.kind !== 'reReplicate') return (of) => plan.retiring.some(({ unitId }) => unitId === of.unitId);
  const gone = replicasToReplace(state, chunk);
  return (of) => gone.some((one) => isSame(one, of));
}

/** split, merge, shift: the new chunks take over the slots of the old ones, which are kept aside. */
function pieces(state: ClusterState, plan: PlanState, context: DecideContext): Switched {
  const sources = sourceChunks(state, plan);
  const targets = plan.targets.map(({ chunkId }) => defined(state.chunk(chunkId), `the planned chunk ${chunkId}`));
  assertSameSlots(sources, targets);
  const events: ClusterEvent[] = sources.flatMap((chunk) => chunkRetired(state, chunk, context));
  for (const [i, chunk] of targets.entries()) {
    const roles = plan.targets[i]?.replicas ?? [];
    const replicas = chunk.replicas.map((of): ChunkReplica => {
      const role = roles.find((one) => isSame(one, of))?.role;
      return role === undefined ? of : { ...of, role };
    });
    events.push(...chunkServes(chunk, withPrimary(state, replicas), context));
  }
  return { events, retiring: sources.flatMap(allRetiring) };
}

/** The route goes, the replicas are kept aside: retired, those that were given up stay dead. */
export function chunkRetired(state: ClusterState, chunk: ChunkState, context: DecideContext): ClusterEvent[] {
  const { chunkId, replicas } = chunk;
  const events: ClusterEvent[] = [];
  if (state.route(chunkId) !== undefined)
    events.push({ kind: 'removed', entity: { entity: 'route', key: chunkId, ...stamp(context, 'RouteRemoved') } });
  const retired = replicas.map((of): ChunkReplica => (of.role === 'dead' ? of : { ...of, role: 'retired' }));
  const values = { state: 'retired', replicas: retired } as const;
  return [...events, ...chunkBecomes(state, chunk, { values, change: 'ChunkRetired', context })];
}

/** The chunk owns its slots, and portals are told. */
export function chunkServes(
  chunk: ChunkState,
  replicas: readonly ChunkReplica[],
  context: DecideContext,
): ClusterEvent[] {
  const entity: ChunkState = { ...chunk, state: 'serving', replicas, ...stamp(context, 'ChunkSwitched') };
  return [
    { kind: 'chunk', entity },
    { kind: 'route', entity: routeOf(entity, context, 'RouteSwitched') },
  ];
}

/** One primary, on a node that is up whenever a follower is on one. */
export function withPrimary(state: ClusterState, replicas: readonly ChunkReplica[]): readonly ChunkReplica[] {
  const hasPrimary = replicas.some(({ role }) => role === 'primary');
  return new Promotions(state).improve(replicas, { anyNode: !hasPrimary });
}

function assertSameSlots(sources: readonly ChunkState[], targets: readonly ChunkState[]): void {
  const [first, last] = [sources[0], sources.at(-1)];
  const edges = targets.every((chunk, i) => i === 0 || chunk.slotStart === targets[i - 1]?.slotEnd);
  assert(
    edges && first?.slotStart === targets[0]?.slotStart && last?.slotEnd === targets.at(-1)?.slotEnd,
    `I9: chunks ${targets.map(({ chunkId }) => chunkId).join()} do not cover what ${sources.map(({ chunkId }) => chunkId).join()} did`,
  );
}
