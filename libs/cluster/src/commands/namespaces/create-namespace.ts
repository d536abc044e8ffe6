import type { ChunkReplica, NamespaceState } from '@levee/events';
import { defined, namespaceNameProblem } from '@levee/kernel';
import { evenSplit } from '@levee/keyspace';
import type { DecideContext } from '../../decide-context';
import type { ClusterEvent } from '../../state/event';
import { placeChunks, type PlacedReplica } from '../../placement/place-chunks';
import { candidateNodes } from '../../placement/candidate-nodes';
import { moreUnitsAdvice, unitBudget, unitsNeeded } from '../../placement/unit-budget';
import { numberAfter } from '../../state/numbers-lost';
import { reject, type Rejection } from '../../rejection';
import type { ClusterState } from '../../state/state';
import { stamp, type Decider } from '../decider';
import { readHeardLevels } from '../heard-levels';
import { unacknowledged } from './acknowledge-findings';
import { sourceRefusal, unseenSource } from './binding';
import { neverSwapped } from './born';
import { forkProblem, unfinishedFork } from './fork-origin';
import { unfrozen } from './freeze-namespace';
import { firstDifference, newerWordsProblem, readKnobs, type NamespaceSettings } from './knobs';

/**
 * `{name, …knobs}`, every knob optional (see `readKnobs`). Takes units for all replicas at once; routes follow with
 * ActivateNamespace. Creating what exists with the same settings is accepted and changes nothing; settings left out
 * are not compared, since their defaults depend on the cluster. A copy of another one's past (`forkedFrom`) stays unseen
 * until FinishFork.
 */
export const createNamespace: Decider = (state, payload, context) => {
  const name = payload.text('name');
  const nameProblem = payload.problem === undefined ? namespaceNameProblem(name) : undefined;
  if (nameProblem !== undefined) return reject('BAD_NAME', nameProblem);
  if (payload.problem !== undefined) return payload.problem;
  const fields = payload.withCode('BAD_KNOB');
  fields.text('name');
  const heard = readHeardLevels(fields);
  const knobs = readKnobs(state, fields);
  if (fields.problem !== undefined) return fields.problem;

  const existing = state.namespace(name);
  if (existing !== undefined && existing.state !== 'deleted') {
    const asked = Object.fromEntries(Object.entries(knobs).filter(([knob]) => fields.has(knob))) as NamespaceSettings;
    const difference = firstDifference(existing, asked);
    if (existing.state === 'deleting')
      return reject('NAMESPACE_NOT_READY', `namespace ${name} is being deleted: create it again when it is gone`);
    if (difference === undefined) return [];
    return reject('NAMESPACE_EXISTS', `namespace ${name} exists with other settings: ${difference}`);
  }

  const { sourceTopic } = knobs;
  const prefix = context.topicPrefix ?? 'levee';
  const refused =
    newerWordsProblem(state, heard, { ...knobs, ...unfrozen, ...neverSwapped, ...unacknowledged }) ??
    (sourceTopic === null ? undefined : sourceRefusal(state.namespaces(), { name, sourceTopic, prefix })) ??
    forkProblem(state, knobs);
  if (refused !== undefined) return refused;

  const placement = placeChunks(candidateNodes(state), {
    chunks: knobs.chunks,
    replicas: knobs.replicas,
    unitBytesMin: knobs.chunkCapacityBytes,
    requestsPerSecondPerChunk: (knobs.expectedRequestsPerSecond ?? 0) / knobs.chunks,
  });
  if ('code' in placement) return placement;
  const spared = fields.has('chunks') ? undefined : spareProblem(state, knobs);
  if (spared !== undefined) return spared;
  const number = numberAfter(state, existing?.number ?? 0);
  return created(state, { name, number, knobs, placement: placement.chunks }, context);
};

/** Who names the chunks may have the last units; defaults leave those that healing needs. */
function spareProblem(
  state: ClusterState,
  { chunks, replicas, chunkCapacityBytes }: NamespaceSettings,
): Rejection | undefined {
  const { free, spare } = unitBudget(state, chunkCapacityBytes);
  if (free - spare >= chunks * replicas) return undefined;
  return reject(
    'NOT_ENOUGH_UNITS',
    `${unitsNeeded({ chunks, replicas, unitBytesMin: chunkCapacityBytes })}; there are ${free}, and ${spare} of them are ` +
      `kept for healing, moves and splits (to take them all the same name --chunks ${chunks}): ${moreUnitsAdvice}`,
  );
}

interface Creation {
  readonly name: string;
  readonly number: number;
  readonly knobs: NamespaceSettings;
  /** By chunk: its replicas, the primary first. */
  readonly placement: readonly (readonly PlacedReplica[])[];
}

function created(
  state: ClusterState,
  { name, number, knobs, placement }: Creation,
  context: DecideContext,
): ClusterEvent[] {
  const prefix = context.topicPrefix ?? 'levee';
  const namespace: NamespaceState = {
    name,
    number,
    binlog: knobs.sourceTopic ?? `${prefix}.binlog.${name}${number === 1 ? '' : `_${number}`}`,
    state: 'creating',
    ...knobs,
    ...unseenSource,
    ...unfrozen,
    ...unfinishedFork,
    ...neverSwapped,
    ...unacknowledged,
    nextChunk: knobs.chunks + 1,
    createdAtMs: context.nowMs,
    ...stamp(context, 'NamespaceCreated'),
  };
  const events: ClusterEvent[] = [{ kind: 'namespace', entity: namespace }];
  evenSplit(knobs.chunks).forEach((slots, index) => {
    const chunkId = chunkIdOf({ namespace: name, creation: number, chunk: index + 1 });
    const replicas = defined(placement[index], 'placement of a chunk').map(({ unitId }, rank): ChunkReplica => {
      const unit = defined(state.unit(unitId), 'unit chosen by placement');
      const generation = numberAfter(state, unit.generation);
      events.push({
        kind: 'unit',
        entity: { ...unit, state: 'allocated', generation, chunkId, ...stamp(context, 'UnitAllocated') },
      });
      const { nodeId, storeId } = unit;
      return { nodeId, storeId, unitId, generation, role: rank === 0 ? 'primary' : 'follower' };
    });
    events.push({
      kind: 'chunk',
      entity: { chunkId, namespace: name, ...slots, state: 'serving', replicas, ...stamp(context, 'ChunkCreated') },
    });
  });
  return events;
}

/** `shop.orders#1/c00001`: unique for ever, also over re-creations of the namespace. */
export function chunkIdOf(of: { namespace: string; creation: number; chunk: number }): string {
  return `${of.namespace}#${of.creation}/c${String(of.chunk).padStart(5, '0')}`;
}
