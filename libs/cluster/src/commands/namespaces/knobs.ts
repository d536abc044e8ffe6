import type { NamespaceState } from '@levee/events';
import { allowedPartitions, hashAlgorithms, isAllowedPartitions } from '@levee/keyspace';
import type { PayloadFields } from '../../payload';
import { nodesClosed } from '../../plans/plan-shape';
import { unitBudget } from '../../placement/unit-budget';
import { reject, type Rejection } from '../../rejection';
import type { ClusterState } from '../../state/state';
import { levelProblem, type HeardLevel } from '../heard-levels';
import { type Binding, bindingProblem, readBinding, untilBound } from './binding';
import { type ForkOrigin, readForkOrigin } from './fork-origin';
import { type Newer, newerWord } from './newer-words';

/** Everything a user may set of a namespace. */
export type NamespaceKnobs = Pick<
  NamespaceState,
  | 'partitions'
  | 'hashAlgorithm'
  | 'recordFormat'
  | 'partitionStrategy'
  | 'chunks'
  | 'replicas'
  | 'ack'
  | 'consistency'
  | 'maxStalenessMs'
  | 'requestsPerSecond'
  | 'chunkRequestsPerSecond'
  | 'chunkCapacityBytes'
  | 'failoverStrategy'
  | 'expectedBytes'
  | 'expectedRequestsPerSecond'
  | 'historyWindowMs'
  | 'maxTtlMs'
  | 'manualPlans'
  | 'multi'
  | 'flush'
>;

/** Everything that is said when a namespace is created. */
export type NamespaceSettings = NamespaceKnobs & Binding & ForkOrigin;

/** Chunks that one command may create: its decision must fit one journal record. */
export const chunksPerCommandMax = 4_096;
export const replicasMax = 9;
export const defaultPartitions = 64;
/** Most chunks that a namespace begins with where nothing is expected of it: the dispatcher splits them as they fill. */
const defaultChunksMax = 24;
/** Such a namespace takes one of so many free units, so that many of them have room. */
const freeUnitsPerUnit = 12;
export const defaultReplicas = 3;
export const defaultHistoryWindowMs = 7 * 86_400_000;
/** Used while no unit is registered; else a chunk may fill the smallest unit there is. */
const defaultChunkCapacityBytes = 256 * 2 ** 20;
/** A chunk is planned to be this full, so that it may grow before it must be split. */
const plannedFill = 0.7;
/** What one chunk is planned to serve, when the user says how much to expect. */
const plannedRequestsPerSecondPerChunk = 10_000;

export const rate = { min: 1, max: 1_000_000_000, unit: 'requests/s' } as const;

export const ttl = { min: 1_000, max: 3_650 * 86_400_000, unit: 'ms' } as const;

/** The knobs of the payload, with defaults that suit the cluster as it is. What is wrong is in `fields.problem`. */
export function readKnobs(state: ClusterState, fields: PayloadFields): NamespaceSettings {
  const integer = (name: string, min: number, max: number, unit?: string): number | null =>
    fields.optional(name, () => fields.integer(name, { min, max, ...(unit === undefined ? {} : { unit }) }), null);
  const partitions = fields.has('sourceTopic')
    ? untilBound
    : (integer('partitions', 1, 1_000_000) ?? defaultPartitions);
  if (!isAllowedPartitions(partitions))
    fields.refuse(
      reject(
        'BAD_KNOB',
        `partitions is ${partitions}, it must divide 1,000,000: one of ${allowedPartitions.join(', ')}`,
      ),
    );
  const chunkCapacityBytes =
    integer('chunkCapacityBytes', 65_536, 2 ** 50, 'bytes') ?? smallestUnitBytes(state) ?? defaultChunkCapacityBytes;
  const expectedBytes = integer('expectedBytes', 1, 2 ** 53 - 1, 'bytes');
  const expectedRequestsPerSecond = fields.optional(
    'expectedRequestsPerSecond',
    (name) => fields.integer(name, rate),
    null,
  );
  const choice = <T extends string>(name: string, allowed: readonly [T, ...T[]]): T =>
    fields.optional(name, () => fields.choice(name, allowed), allowed[0]);
  const replicas = integer('replicas', 1, replicasMax) ?? Math.max(1, Math.min(defaultReplicas, domainsUp(state)));
  const knobs: NamespaceSettings = {
    partitions,
    hashAlgorithm: choice('hashAlgorithm', hashAlgorithms),
    recordFormat: choice('recordFormat', recordFormatChoices),
    partitionStrategy: choice('partitionStrategy', ['hash']),
    chunks:
      integer('chunks', 1, chunksPerCommandMax) ??
      plannedChunks(state, { replicas, chunkCapacityBytes, expectedBytes, expectedRequestsPerSecond }),
    replicas,
    ack: choice('ack', ['logged', 'primary', 'all']),
    consistency: fields.optional('consistency', (n) => fields.choice(n, ['eventual', 'session', 'strong']), 'session'),
    maxStalenessMs: integer('maxStalenessMs', 100, 86_400_000, 'ms'),
    requestsPerSecond: fields.optional('requestsPerSecond', (name) => fields.integer(name, rate), null),
    chunkRequestsPerSecond: fields.optional('chunkRequestsPerSecond', (name) => fields.integer(name, rate), null),
    chunkCapacityBytes,
    failoverStrategy: choice('failoverStrategy', ['automatic', 'manual']),
    expectedBytes,
    expectedRequestsPerSecond,
    historyWindowMs: integer('historyWindowMs', 1_000, 3_650 * 86_400_000, 'ms') ?? defaultHistoryWindowMs,
    maxTtlMs: integer('maxTtlMs', ttl.min, ttl.max, ttl.unit),
    manualPlans: readManualPlans(fields),
    multi: choice('multi', multiChoices),
    flush: choice('flush', flushChoices),
    ...readBinding(fields),
    ...readForkOrigin(fields),
  };
  fields.refuseOthers('UNKNOWN_KNOB', 'setting');
  const problem = tooManyChunks(knobs.chunks) ?? bindingProblem(knobs, fields) ?? knobRelationProblem(knobs);
  if (problem !== undefined) fields.refuse(problem);
  return knobs;
}

/** What EXEC of the RESP door does with what MULTI queued; the first is the default. */
export const multiChoices = ['refuse', 'batch'] as const;

/** What FLUSHDB of the RESP door does; the first is the default. */
export const flushChoices = ['refuse', 'sweep'] as const;

/** How records say a value; the first is the default. */
export const recordFormatChoices = ['put', 'raw'] as const;

/** Why settings cannot have these values yet: every process has to read them first. Only of such that change. */
export function newerWordsProblem(
  state: ClusterState,
  heard: readonly HeardLevel[],
  namespace: Newer,
  isChanged: (field: keyof Newer) => boolean = () => true,
): Rejection | undefined {
  const word = newerWord(namespace, isChanged);
  if (word === undefined) return undefined;
  return levelProblem(state, heard, { what: `${word.field} ${String(namespace[word.field])}`, level: word.level });
}

/** Kinds of plans that a namespace may want to approve itself. */
export const manualPlanKinds = ['move', 'reReplicate', 'promote', 'split', 'merge', 'shift'] as const;

/** `manualPlans`: kinds of plans that wait for approval when the system proposed them; sorted, each once. */
export function readManualPlans(fields: PayloadFields): string[] {
  const kinds = fields.optional('manualPlans', (name) => fields.texts(name, 64), []);
  const unknown = kinds.find((kind) => !manualPlanKinds.some((one) => one === kind));
  if (unknown !== undefined)
    fields.refuse(
      reject('BAD_KNOB', `manualPlans has '${unknown.slice(0, 80)}', there are ${manualPlanKinds.join(', ')}`),
    );
  return [...new Set(kinds)].sort();
}

function tooManyChunks(chunks: number): Rejection | undefined {
  if (chunks <= chunksPerCommandMax) return undefined;
  return reject(
    'BAD_KNOB',
    `the allocation plan needs ${chunks} chunks, one command creates at most ${chunksPerCommandMax}: raise ` +
      `chunkCapacityBytes, or set chunks and lower expectedBytes or expectedRequestsPerSecond`,
  );
}

/** Settings that are possible each, and not together; only such of which one is changed. */
export function knobRelationProblem(
  knobs: NamespaceKnobs,
  isChanged: (knob: keyof NamespaceKnobs) => boolean = () => true,
): Rejection | undefined {
  const { chunks, chunkCapacityBytes, expectedBytes, expectedRequestsPerSecond: expected } = knobs;
  const anyChanged = (...related: (keyof NamespaceKnobs)[]): boolean => related.some(isChanged);
  if (
    expectedBytes !== null &&
    expectedBytes > chunks * chunkCapacityBytes &&
    anyChanged('expectedBytes', 'chunkCapacityBytes')
  )
    return reject(
      'BAD_KNOB',
      `expectedBytes is ${expectedBytes}, but ${chunks} chunks of ${chunkCapacityBytes} bytes hold ` +
        `${chunks * chunkCapacityBytes}: set chunks to at least ${Math.ceil(expectedBytes / chunkCapacityBytes)}, or leave it out`,
    );
  if (expected === null) return undefined;
  const { requestsPerSecond, chunkRequestsPerSecond } = knobs;
  if (
    requestsPerSecond !== null &&
    requestsPerSecond < expected &&
    anyChanged('expectedRequestsPerSecond', 'requestsPerSecond')
  )
    return reject(
      'BAD_KNOB',
      `expectedRequestsPerSecond is ${expected}, above the limit requestsPerSecond of ${requestsPerSecond}`,
    );
  if (
    chunkRequestsPerSecond !== null &&
    chunkRequestsPerSecond * chunks < expected &&
    anyChanged('expectedRequestsPerSecond', 'chunkRequestsPerSecond')
  )
    return reject(
      'BAD_KNOB',
      `expectedRequestsPerSecond is ${expected}, but ${chunks} chunks of chunkRequestsPerSecond ` +
        `${chunkRequestsPerSecond} serve ${chunkRequestsPerSecond * chunks}: raise the limit or chunks`,
    );
  return undefined;
}

function plannedChunks(
  state: ClusterState,
  plan: Pick<NamespaceKnobs, 'replicas' | 'chunkCapacityBytes' | 'expectedBytes' | 'expectedRequestsPerSecond'>,
): number {
  const { free, spare } = unitBudget(state, plan.chunkCapacityBytes);
  const fitting = Math.floor((free - spare) / (freeUnitsPerUnit * plan.replicas));
  return Math.max(
    1,
    Math.min(defaultChunksMax, fitting),
    Math.ceil((plan.expectedBytes ?? 0) / (plan.chunkCapacityBytes * plannedFill)),
    Math.ceil((plan.expectedRequestsPerSecond ?? 0) / plannedRequestsPerSecondPerChunk),
  );
}

function smallestUnitBytes(state: ClusterState): number | undefined {
  let smallest: number | undefined;
  for (const { capacityBytes } of state.units())
    if (smallest === undefined || capacityBytes < smallest) smallest = capacityBytes;
  return smallest;
}

function domainsUp(state: ClusterState): number {
  const closed = nodesClosed(state);
  const domains = new Set<string>();
  for (const node of state.nodes()) if (node.state === 'up' && !closed.has(node.nodeId)) domains.add(node.domain);
  return domains.size;
}

/** The first knob in which an existing namespace differs, for a repeated creation. */
export function firstDifference(existing: NamespaceState, knobs: NamespaceSettings): string | undefined {
  for (const name of Object.keys(knobs) as (keyof NamespaceSettings)[])
    if (String(existing[name]) !== String(knobs[name]))
      return `${name} is ${String(existing[name])}, not ${String(knobs[name])}`;
  return undefined;
}
