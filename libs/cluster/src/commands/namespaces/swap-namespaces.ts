import type { ChunkState, NamespaceState } from '@levee/events';
import { partitionsMax } from '@levee/keyspace';
import type { DecideContext } from '../../decide-context';
import { reject, type Rejection } from '../../rejection';
import type { ClusterEvent } from '../../state/event';
import { routeOf } from '../../state/route-of';
import type { ClusterState } from '../../state/state';
import { numberAfter } from '../../state/numbers-lost';
import { stamp, type Decider } from '../decider';
import { levelProblem, readHeardLevels } from '../heard-levels';
import { historyWindowChanged } from './alter-namespace';
import { chunksPerCommandMax } from './knobs';
import { forkBegun } from './fork-origin';
import { operatorFreeze, rewindOwner } from './freeze-namespace';
import { bornOf } from './born';
import { newerWord } from './newer-words';

/** `change` of two namespaces that have changed places. */
const namesSwapped = 'NamesSwapped';

/** What is asked of a name, and stays with it; all else goes with binlog and chunks. */
const staysWithName = [
  'ack',
  'consistency',
  'maxStalenessMs',
  'requestsPerSecond',
  'chunkRequestsPerSecond',
  'failoverStrategy',
  'expectedBytes',
  'expectedRequestsPerSecond',
  'maxTtlMs',
  'manualPlans',
  'multi',
  'flush',
] as const satisfies readonly (keyof NamespaceState)[];

/** Whether the namespace holds what a rewind made, and `other` what it held before: that can be undone. */
export const isRewound = (
  namespace: Pick<NamespaceState, 'name' | 'swappedWith' | 'forkedBinlog'>,
  other: Pick<NamespaceState, 'name' | 'swappedWith' | 'binlog'> | undefined,
): boolean =>
  other !== undefined &&
  namespace.swappedWith === other.name &&
  other.swappedWith === namespace.name &&
  namespace.forkedBinlog === other.binlog;

/**
 * `{name, number, other, otherNumber, positions, keys?, digest?}`: the two change places, binlogs, chunks and routes, by
 * this one decision. `other` is a fork of `name` that is filled and was compared (`keys`, `digest`), or what `name` held
 * before it was rewound. `positions`: where the binlog of `name` ends, to which nobody writes: the freeze of all that is
 * written to is the rewind's own, and confirmed. [safety] `name` stays frozen by that owner until this decision is confirmed
 * as a freeze is: until then a portal may not have heard of it, and would answer from the other binlog what was written
 * since. `other` is frozen, for people.
 */
export const swapNamespaces: Decider = (state, fields, context) => {
  const number = { min: 1, max: 2 ** 31 - 1 };
  const keysMax = Number.MAX_SAFE_INTEGER;
  const asked = {
    name: fields.text('name'),
    number: fields.integer('number', number),
    other: fields.text('other'),
    otherNumber: fields.integer('otherNumber', number),
    positions: fields.integers('positions', partitionsMax),
    keys: fields.optional('keys', (field) => fields.integer(field, { min: 0, max: keysMax }), undefined),
    digest: fields.optional('digest', (field) => fields.text(field, 32), undefined),
  };
  const heard = readHeardLevels(fields);
  fields.refuseOthers('BAD_COMMAND', 'field');
  if (fields.problem !== undefined) return fields.problem;
  const { keys, digest } = asked;
  const namespace = state.namespace(asked.name);
  const other = state.namespace(asked.other);
  if (namespace?.number !== asked.number || namespace.state !== 'active')
    return reject('NAMESPACE_UNKNOWN', `there is no active namespace ${asked.name}#${asked.number}`);
  if (other?.number !== asked.otherNumber || other.state === 'deleting' || other.state === 'deleted')
    return reject('NAMESPACE_UNKNOWN', `there is no namespace ${asked.other}#${asked.otherNumber}`);
  const isNew = other.state === 'creating';
  const problem =
    (isNew ? newFork(namespace, other, { keys, digest }) : undoing(namespace, other)) ??
    notFrozen(namespace, rewindOwner(namespace.name)) ??
    (isNew ? undefined : notFrozen(other, rewindOwner(namespace.name))) ??
    unsettled(state, [namespace, other]);
  if (problem !== undefined) return problem;
  if (asked.positions.length !== namespace.partitions)
    return reject(
      'BAD_COMMAND',
      `positions has ${asked.positions.length} offsets, ${namespace.name} has ${namespace.partitions} partitions`,
    );
  const filled = isNew ? { ...other, forkedKeys: keys ?? null, forkedDigest: digest ?? null } : other;
  const taking = inPlaceOf(
    state,
    filled,
    {
      ...namespace,
      ...{ frozenAtMs: context.nowMs, frozenSeq: context.seq, freezeConfirmedSeq: null },
      leftPositions: [],
    },
    context,
  );
  const leaving = inPlaceOf(
    state,
    namespace,
    {
      ...other,
      ...{ frozenBy: operatorFreeze, frozenReason: `it was ${namespace.name} until decision ${context.seq}` },
      ...{ frozenAtMs: namespace.frozenAtMs, frozenSeq: namespace.frozenSeq },
      ...{ freezeConfirmedSeq: namespace.freezeConfirmedSeq, freezeWithout: namespace.freezeWithout },
      leftPositions: asked.positions,
    },
    context,
  );
  const word = newerWord(taking, (field) => field === 'bornAs');
  const tooOld = word && levelProblem(state, heard, { what: 'a swap of names', level: word.level });
  if (tooOld !== undefined) return tooOld;
  return [
    { kind: 'namespace', entity: taking },
    { kind: 'namespace', entity: leaving },
    ...swapped(state, namespace.name, other.name, context),
  ];
};

function newFork(
  { name, binlog }: NamespaceState,
  other: NamespaceState,
  { keys, digest }: { readonly keys: number | undefined; readonly digest: string | undefined },
): Rejection | undefined {
  if (other.change !== forkBegun || other.forkedFrom !== name || other.forkedBinlog !== binlog)
    return reject(
      'NAMESPACE_NOT_READY',
      `namespace ${other.name} is no fork of ${name} (${binlog}) that is being filled`,
    );
  if (keys !== undefined && digest !== undefined && /^[0-9a-f]{32}$/.test(digest)) return undefined;
  return reject('BAD_COMMAND', `keys and digest say what ${other.name} was filled with: ${keys} and ${digest} do not`);
}

function undoing(namespace: NamespaceState, other: NamespaceState): Rejection | undefined {
  if (isRewound(namespace, other)) return undefined;
  return reject(
    'NAMESPACE_NOT_READY',
    `${other.name} is not what ${namespace.name} held before it was rewound: they do not change places`,
  );
}

/** [safety] No portal can write to a binlog that goes to another name. */
function notFrozen({ name, frozenBy, freezeConfirmedSeq }: NamespaceState, owner: string): Rejection | undefined {
  if (frozenBy === owner && freezeConfirmedSeq !== null) return undefined;
  const how =
    frozenBy === null ? 'not frozen' : `frozen by ${frozenBy}${frozenBy === owner ? ', not confirmed yet' : ''}`;
  return reject('NAMESPACE_NOT_READY', `${name} is ${how}: it changes places once the freeze of ${owner} is confirmed`);
}

function unsettled(state: ClusterState, both: readonly NamespaceState[]): Rejection | undefined {
  const adjusted = both.find(({ change }) => change === historyWindowChanged);
  if (adjusted !== undefined)
    return reject(
      'NAMESPACE_NOT_READY',
      `the topic of ${adjusted.name} gets the settings of another history window: try again in a moment`,
    );
  const names = both.map(({ name }) => name);
  const plans = [...state.openPlans()].filter(({ namespace }) => namespace !== null && names.includes(namespace));
  if (plans.length > 0)
    return reject(
      'PLAN_CONFLICT',
      `${names.join(' and ')} change places once their plans are over: ` +
        `${plans
          .slice(0, 8)
          .map(({ planId, kind, state: is }) => `${planId} (${kind}, ${is})`)
          .join(', ')}; wait, cancel them, or end their observation`,
    );
  const chunks = names.reduce((sum, name) => sum + [...state.everyChunkOf(name)].length, 0);
  if (chunks <= chunksPerCommandMax) return undefined;
  return reject(
    'TOO_LARGE',
    `${names.join(' and ')} have ${chunks} chunks together, one decision swaps at most ${chunksPerCommandMax}: merge chunks`,
  );
}

/** `one` with its binlog and chunks, where `of` is now. */
function inPlaceOf(
  state: ClusterState,
  one: NamespaceState,
  of: NamespaceState,
  context: DecideContext,
): NamespaceState {
  const { name, frozenBy, frozenReason, frozenAtMs, frozenSeq, freezeConfirmedSeq, freezeWithout } = of;
  const born = bornOf(one);
  const settings = Object.fromEntries(staysWithName.map((field) => [field, of[field]]));
  return {
    ...one,
    ...(settings as Pick<NamespaceState, (typeof staysWithName)[number]>),
    ...{ frozenBy, frozenReason, frozenAtMs, frozenSeq, freezeConfirmedSeq, freezeWithout },
    ...{ name, number: numberAfter(state, of.number), state: 'active', leftPositions: of.leftPositions },
    ...{ bornAs: born.name, bornNumber: born.number, swappedWith: one.name, swappedAtMs: context.nowMs },
    ...stamp(context, namesSwapped),
  };
}

/**
 * Chunks and routes under the other name each. Chunks that serve never overlap (I9), also between two events: those of
 * `b` stand aside, without replicas, until those of `a` have made room.
 */
function swapped(state: ClusterState, a: string, b: string, context: DecideContext): ClusterEvent[] {
  const [ofA, ofB] = [[...state.everyChunkOf(a)], [...state.everyChunkOf(b)]];
  const renamed = stamp(context, 'ChunkRenamed');
  const moved = (chunk: ChunkState, namespace: string): ChunkState => ({ ...chunk, namespace, ...renamed });
  const chunkEvents = (chunks: readonly ChunkState[]): ClusterEvent[] =>
    chunks.map((entity) => ({ kind: 'chunk', entity }));
  const [toB, toA] = [ofA.map((chunk) => moved(chunk, b)), ofB.map((chunk) => moved(chunk, a))];
  return [
    ...chunkEvents(toA.map((chunk) => ({ ...chunk, state: 'pending', replicas: [] }))),
    ...chunkEvents(toB),
    ...chunkEvents(toA),
    ...[...toA, ...toB]
      .filter((chunk) => chunk.state === 'serving')
      .map((chunk): ClusterEvent => ({ kind: 'route', entity: routeOf(chunk, context, 'RouteRenamed') })),
  ];
}
