import type { ChunkReplica, ChunkState, NodeState, UnitState } from '@levee/events';
import { assert } from '@levee/kernel';
import type { DecideContext } from '../../decide-context';
import type { ClusterEvent } from '../../state/event';
import type { PayloadFields } from '../../payload';
import { numberAfter, numbersLostUpTo } from '../../state/numbers-lost';
import { planCancelled } from '../../plans/steps/give-up-plan';
import { planChanged } from '../../plans/steps/plan-events';
import { isReadable } from '../../plans/plan-shape';
import { unitSpecLimits } from '../../plans/propose/unit-specs';
import { chunkChanged, Promotions, replicasRevived } from './promotion';
import { reject, type Rejection } from '../../rejection';
import { routeOf } from '../../state/route-of';
import { draft, type ClusterState } from '../../state/state';
import { stamp, type Decider } from '../decider';
import { callerProblem } from '../caller-check';

const engines = ['leveldb', 'memory'] as const;
const nodeIdPattern = /^[a-z0-9][a-z0-9-]{0,62}$/;
const unitNamePattern = /^[a-z0-9][a-z0-9-]{0,62}$/;

interface UnitSpec {
  readonly unitId: string;
  readonly capacityBytes: number;
  readonly engine: UnitState['engine'];
  /** As found on the disk: 0 = never taken. */
  readonly generation: number;
}

interface Registration {
  readonly nodeId: string;
  readonly storeId: string;
  readonly incarnation: string;
  readonly domain: string;
  readonly respAddress: string;
  readonly httpAddress: string;
  readonly featureLevel: number;
  /** storeId of the lost disk whose replicas this empty one takes over, to be filled from the log; '' = none. */
  readonly replaces: string;
  /** Id of a format that was cancelled while this node may have been at it, and that it does nothing for any more. */
  readonly formatCancelled: string;
  readonly units: readonly UnitSpec[];
}

/**
 * `{nodeId, storeId, incarnation, domain, respAddress, httpAddress, featureLevel, replaces?, formatCancelled?, units:
 * [{unitId, capacityBytes, engine, generation}]}`. The same storeId with another incarnation is a restart; another storeId under a known nodeId
 * is a new disk, welcome only once no replica lives on the old one, or when `replaces` names the old one: the node says
 * so after it has heard nothing of it for a while. Then each replica moves to the same unit of the new disk, in the next
 * generation: empty, and not readable before the log has filled it. The same happens to a unit that a decision gave out
 * which the journal lost and a person let go: what the disk holds of it stays there, and is nobody's. Units may grow; they
 * shrink, change engine or go only while free. Only the node itself may say all that.
 */
export const registerNode: Decider = (state, fields, context) => {
  const registration = readRegistration(fields);
  if (fields.problem !== undefined) return fields.problem;
  const { nodeId } = registration;
  const refusal = callerProblem(nodeId, 'its disk and units', context);
  if (refusal !== undefined) return refusal;
  const storeProblem = checkStore(state, registration);
  if (storeProblem !== undefined) return storeProblem;
  const revived = revivedBy(state, registration, context);
  // A replica that comes back with its node counts, also where its unit turns out to hold another generation.
  const returned = draft(state);
  for (const event of revived) returned.evolve(event);
  const units = decideUnits(returned, registration, context);
  if ('code' in units) return units;
  return [
    ...nodeEvents(state.node(nodeId), registration, context),
    ...revived,
    ...units,
    ...formatLeft(state, registration, context),
  ];
};

function readRegistration(fields: PayloadFields): Registration {
  const nodeId = fields.text('nodeId', 63);
  const registration = {
    nodeId,
    storeId: fields.text('storeId', 64),
    incarnation: fields.text('incarnation', 64),
    domain: fields.optional('domain', (name) => fields.text(name, 128), nodeId),
    respAddress: address(fields, 'respAddress'),
    httpAddress: address(fields, 'httpAddress'),
    featureLevel: fields.integer('featureLevel', { min: 1, max: 1_000_000 }),
    replaces: fields.optional('replaces', (name) => fields.text(name, 64), ''),
    formatCancelled: fields.optional('formatCancelled', (name) => fields.text(name, 64), ''),
    units: fields.objects('units', unitSpecLimits.unitsMax, (unit) => ({
      unitId: unit.text('unitId', 128),
      capacityBytes: unit.integer('capacityBytes', { min: 65_536, max: 2 ** 50, unit: 'bytes' }),
      engine: unit.choice('engine', engines),
      generation: unit.optional('generation', (name) => unit.integer(name, { min: 0, max: 2 ** 31 - 2 }), 0),
    })),
  };
  fields.refuseOthers('BAD_COMMAND', 'field');
  if (!nodeIdPattern.test(nodeId))
    fields.refuse(reject('BAD_NAME', `nodeId '${nodeId}' must match ${nodeIdPattern.source}, as in n1`));
  const seen = new Set<string>();
  for (const { unitId } of registration.units) {
    if (!unitId.startsWith(`${nodeId}/`) || !unitNamePattern.test(unitId.slice(nodeId.length + 1)))
      fields.refuse(reject('BAD_NAME', `unit '${unitId}' of node ${nodeId} must be named as in ${nodeId}/u03`));
    if (seen.has(unitId)) fields.refuse(reject('BAD_COMMAND', `unit ${unitId} is listed twice`));
    seen.add(unitId);
  }
  return registration;
}

function address(fields: PayloadFields, name: string): string {
  const text = fields.text(name, 300);
  const port = Number(/^.+:(\d{1,5})$/.exec(text)?.[1] ?? 0);
  if (fields.problem === undefined && !(port >= 1 && port <= 65_535))
    fields.refuse(reject('BAD_COMMAND', `${name} is '${text}', it must be host:port with a port from 1 to 65535`));
  return text;
}

function checkStore(
  state: ClusterState,
  { nodeId, storeId, respAddress, replaces }: Registration,
): Rejection | undefined {
  const holder = state.nodeOfStore(storeId);
  if (holder !== undefined && holder.nodeId !== nodeId)
    return reject(
      'STORE_TAKEN',
      `the disk ${storeId} of ${nodeId} at ${respAddress} is registered as node ${holder.nodeId} at ${holder.respAddress} ` +
        `(${holder.state}): start it under that name, or give this node an empty folder`,
    );
  const known = state.node(nodeId);
  if (known === undefined || known.storeId === storeId || known.storeId === replaces) return undefined;
  const used = [...state.unitsOf(nodeId)].filter((unit) => holdsReplica(state, unit));
  if (used.length === 0) return undefined;
  return reject(
    'STORE_HAS_REPLICAS',
    `node ${nodeId} at ${respAddress} comes with disk ${storeId}, but ${used.length} units of its disk ` +
      `${known.storeId} (last at ${known.respAddress}) hold replicas, such as ${used[0]?.unitId}: bring that disk ` +
      `back, or use another nodeId for the new one`,
  );
}

function nodeEvents(known: NodeState | undefined, registration: Registration, context: DecideContext): ClusterEvent[] {
  const { units: _units, replaces: _replaces, formatCancelled: _format, ...facts } = registration;
  const state = known?.state === 'maintenance' ? 'maintenance' : 'up';
  const same =
    known !== undefined &&
    known.state === state &&
    (Object.keys(facts) as (keyof typeof facts)[]).every((name) => known[name] === facts[name]);
  if (same) return [];
  const change =
    known === undefined ? 'NodeRegistered' : known.storeId === facts.storeId ? 'NodeReturned' : 'NodeReplaced';
  const registeredAtMs = known?.registeredAtMs ?? context.nowMs;
  const cordoned = known?.cordoned ?? false;
  return [{ kind: 'node', entity: { ...facts, state, registeredAtMs, cordoned, ...stamp(context, change) } }];
}

/** The units are what they are, cleared or not: from here on replicas may come to them again. */
function formatLeft(
  state: ClusterState,
  { nodeId, formatCancelled, units }: Registration,
  context: DecideContext,
): ClusterEvent[] {
  const plan = state.plan(formatCancelled);
  if (plan?.kind !== 'format' || plan.nodeId !== nodeId || plan.state !== 'reclaiming') return [];
  const values = { state: 'cancelled', step: 'none', endedAtMs: context.nowMs } as const;
  const evidence = { nodeId, units: units.length };
  return [planChanged(plan, values, { change: planCancelled, what: 'ended', evidence }, context)];
}

/** A disk that was away has its replicas again; a node in maintenance gets no primaries. */
function revivedBy(state: ClusterState, { nodeId, storeId }: Registration, context: DecideContext): ClusterEvent[] {
  const known = state.node(nodeId);
  if (known === undefined || known.storeId !== storeId || known.state === 'up') return [];
  const becomes = known.state === 'maintenance' ? 'maintenance' : 'up';
  return replicasRevived(state, { nodeId, storeId, becomes }, context);
}

function decideUnits(
  state: ClusterState,
  { nodeId, storeId, units }: Registration,
  context: DecideContext,
): ClusterEvent[] | Rejection {
  const events: ClusterEvent[] = [];
  const listed = new Set(units.map((unit) => unit.unitId));
  for (const unit of state.unitsOf(nodeId)) {
    if (listed.has(unit.unitId)) continue;
    if (unit.storeId === storeId ? unit.state !== 'free' : holdsReplica(state, unit))
      return reject(
        'UNIT_IN_USE',
        `node ${nodeId} registers without unit ${unit.unitId}, which is ${unit.state} for chunk ${unit.chunkId}: list it, or move the chunk away first`,
      );
    events.push({ kind: 'removed', entity: { entity: 'unit', key: unit.unitId, ...stamp(context, 'UnitRemoved') } });
  }
  // A chunk may have two replicas on the node while one takes the place of the other: each unit builds on those before.
  const candidate = draft(state);
  for (const spec of units) {
    const decided = decideUnit(candidate, { spec, nodeId, storeId }, context);
    if (decided === undefined) continue;
    if ('code' in decided) return decided;
    const changes = Array.isArray(decided) ? decided : [decided];
    for (const event of changes) candidate.evolve(event);
    events.push(...changes);
  }
  return events;
}

function decideUnit(
  state: ClusterState,
  { spec, nodeId, storeId }: { spec: UnitSpec; nodeId: string; storeId: string },
  context: DecideContext,
): ClusterEvent | ClusterEvent[] | Rejection | undefined {
  const { unitId, capacityBytes, engine } = spec;
  const known = state.unit(unitId);
  if (known === undefined) {
    // A unit of that name may have been taken before and removed since: no generation is ever given twice (I10). Each
    // generation took a decision, so the number of decisions is above all of them.
    const generation = state.node(nodeId) === undefined ? spec.generation : Math.max(spec.generation, context.seq);
    const entity = {
      unitId,
      nodeId,
      storeId,
      capacityBytes,
      engine,
      generation,
      state: 'free',
      chunkId: null,
    } as const;
    return { kind: 'unit', entity: { ...entity, ...stamp(context, 'UnitRegistered') } };
  }
  if (known.nodeId !== nodeId) return reject('UNIT_TAKEN', `unit ${unitId} belongs to node ${known.nodeId}`);
  const isLost = spec.generation > known.generation;
  if (known.storeId === storeId && isLost && spec.generation > numbersLostUpTo(state))
    return reject(
      'GENERATION_FROM_FUTURE',
      `unit ${unitId} reports generation ${spec.generation}, this cluster assigned ${known.generation} at most: ` +
        `the disk is of another cluster, or the journal was cut; what can be done: levee doctor`,
    );
  // A unit that a lost decision gave to somebody else has lost what the state says of it, as on another disk.
  if (known.storeId !== storeId || isLost) {
    if (holdsReplica(state, known)) return moveToNewDisk(state, known, { ...spec, storeId }, context);
    const generation = Math.max(known.generation, spec.generation);
    const entity = { ...known, storeId, capacityBytes, engine, generation, state: 'free', chunkId: null } as const;
    return { kind: 'unit', entity: { ...entity, ...stamp(context, 'UnitReplaced') } };
  }
  if (known.capacityBytes === capacityBytes && known.engine === engine) return undefined;
  if (known.state !== 'free' && (capacityBytes < known.capacityBytes || engine !== known.engine))
    return reject(
      'UNIT_IN_USE',
      `unit ${unitId} (${known.capacityBytes} bytes, ${known.engine}) is ${known.state} for chunk ${known.chunkId}: until it ` +
        `is free it may only grow, not become ${capacityBytes} bytes, ${engine}`,
    );
  const change = capacityBytes >= known.capacityBytes ? 'UnitGrown' : 'UnitShrunk';
  return { kind: 'unit', entity: { ...known, capacityBytes, engine, ...stamp(context, change) } };
}

/** The replica of a lost disk goes on in the next generation of its unit on the new one (I10: never in the same). */
function moveToNewDisk(
  state: ClusterState,
  known: UnitState,
  { storeId, capacityBytes, engine, generation }: UnitSpec & { storeId: string },
  context: DecideContext,
): ClusterEvent[] | Rejection {
  const { unitId } = known;
  const chunk = state.chunk(known.chunkId ?? '');
  assert(chunk !== undefined, `I10: unit ${unitId} is allocated to no chunk`);
  if (capacityBytes < known.capacityBytes)
    return reject(
      'UNIT_IN_USE',
      `unit ${unitId} of the lost disk had ${known.capacityBytes} bytes for chunk ${chunk.chunkId}, the new one has ` +
        `${capacityBytes}: give it as much`,
    );
  if (chunk.state !== 'serving' || !chunk.replicas.some((of) => of.unitId === unitId && isReadable(of)))
    return droppedWithDisk(
      state,
      chunk,
      { unit: known, spec: { storeId, capacityBytes, engine, generation } },
      context,
    );
  const next = numberAfter(state, Math.max(known.generation, generation));
  const lives = (of: ChunkReplica): boolean => of.unitId === unitId && of.role !== 'dead';
  const emptied = chunk.replicas.map((of) => (lives(of) ? { ...of, role: 'dead' as const } : of));
  const replaced = chunk.replicas.map((of) => (lives(of) ? { ...of, storeId, generation: next } : of));
  // The node serves from now on: its chunk may have its primary on one that does not.
  const becomes = state.node(known.nodeId)?.state === 'maintenance' ? 'maintenance' : 'up';
  const moved = new Promotions(state, new Map([[known.nodeId, becomes]])).improve(replaced);
  const whole = { ...chunk, replicas: moved, ...stamp(context, 'ReplicaReplaced') };
  const events: ClusterEvent[] = [
    { kind: 'chunk', entity: { ...chunk, replicas: emptied, ...stamp(context, 'ReplicaLost') } },
    {
      kind: 'unit',
      entity: { ...known, storeId, capacityBytes, engine, generation: next, ...stamp(context, 'UnitReplaced') },
    },
    { kind: 'chunk', entity: whole },
  ];
  if (state.route(chunk.chunkId) !== undefined)
    events.push({ kind: 'route', entity: routeOf(whole, context, 'RouteChanged') });
  return events;
}

/** What nobody reads is not made anew: the plan that it belongs to sees that it is gone. */
function droppedWithDisk(
  state: ClusterState,
  chunk: ChunkState,
  { unit, spec }: { unit: UnitState; spec: Omit<UnitSpec, 'unitId'> & { storeId: string } },
  context: DecideContext,
): ClusterEvent[] {
  const left = chunk.replicas.filter((of) => of.unitId !== unit.unitId);
  const generation = Math.max(unit.generation, spec.generation);
  const entity = { ...unit, ...spec, generation, state: 'free', chunkId: null } as const;
  const gone: ClusterEvent[] =
    left.length === 0 && chunk.state !== 'serving'
      ? [{ kind: 'removed', entity: { entity: 'chunk', key: chunk.chunkId, ...stamp(context, 'ChunkRemoved') } }]
      : chunkChanged(state, chunk, { replicas: left, name: 'ReplicaLost', context });
  return [...gone, { kind: 'unit', entity: { ...entity, ...stamp(context, 'UnitReplaced') } }];
}

/** A replica that is not given up is in the unit. */
function holdsReplica(state: ClusterState, unit: UnitState): boolean {
  const chunk = unit.chunkId === null ? undefined : state.chunk(unit.chunkId);
  return chunk?.replicas.some((of) => of.unitId === unit.unitId && of.role !== 'dead') === true;
}
