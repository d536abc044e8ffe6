import type { NamespaceState } from '@levee/events';
import type { PayloadFields } from '../../payload';
import { reject, type Rejection } from '../../rejection';
import type { ClusterState } from '../../state/state';
import { stamp, type Decider } from '../decider';
import { readHeardLevels } from '../heard-levels';
import { bindingProblem } from './binding';
import {
  flushChoices,
  knobRelationProblem,
  multiChoices,
  newerWordsProblem,
  rate,
  readManualPlans,
  ttl,
  type NamespaceKnobs,
} from './knobs';

/** Why a knob of an existing namespace stays as it is. */
export const fixedKnobs: Readonly<Record<string, string>> = {
  number: 'it counts the creations of the name',
  binlog: 'the name of a binlog is never reused',
  partitions: 'slots belong to partitions for ever, and records are there already; create another namespace and copy',
  hashAlgorithm: 'it says where every existing key lies; create another namespace and copy',
  recordFormat: 'it says how every existing record reads; create another namespace and copy',
  partitionStrategy: 'it says where every existing key lies; create another namespace and copy',
  sourceTopic: 'a namespace is bound to one topic for ever; delete it, which leaves the topic, and create another',
  sourceTopicId: 'another id is another topic; delete the namespace, which leaves the topic, and create another',
  writable:
    'who may write to a topic of others is decided when it is bound; delete the namespace, which leaves the topic, and create another',
  retentionMs:
    'values expire by what it was when the topic was bound; delete the namespace, which leaves the topic, and create another',
  hiddenAfterMs: 'it follows from the retention of the topic as it was bound',
  expireWithRetention: 'replicas were built by it; delete the namespace, which leaves the topic, and create another',
  chunks: 'chunks are split and merged by plans, not by a setting: levee namespace resize',
  replicas: 'replicas are added and removed by plans, not by a setting',
};

/** Knobs that null takes back to "no limit" or "unknown". */
const nullable = [
  'maxStalenessMs',
  'requestsPerSecond',
  'chunkRequestsPerSecond',
  'expectedBytes',
  'expectedRequestsPerSecond',
  'maxTtlMs',
] as const;

/**
 * `{name, …}` with the knobs to change: ack, consistency, maxStalenessMs, requestsPerSecond, chunkRequestsPerSecond,
 * chunkCapacityBytes, failoverStrategy, manualPlans, expectedBytes, expectedRequestsPerSecond, historyWindowMs, maxTtlMs,
 * multi, flush. Null takes a limit away. What may never change is refused by name, with the reason.
 */
export const alterNamespace: Decider = (state, payload, context) => {
  const name = payload.text('name');
  if (payload.problem !== undefined) return payload.problem;
  const namespace = state.namespace(name);
  if (namespace === undefined || namespace.state === 'deleted')
    return reject('NAMESPACE_UNKNOWN', `there is no namespace ${name}`);
  if (namespace.state !== 'active')
    return reject('NAMESPACE_NOT_READY', `namespace ${name} is ${namespace.state}: only an active one can be altered`);
  const fields = payload.withCode('BAD_KNOB');
  fields.text('name');
  const fixed = fixedProblem(namespace, fields);
  if (fixed !== undefined) return fixed;
  const heard = readHeardLevels(fields);
  const altered: NamespaceState = { ...namespace, ...readChanges(fields, namespace) };
  fields.refuseOthers('UNKNOWN_KNOB', 'setting that may change');
  if (fields.problem !== undefined) return fields.problem;
  const changed = (Object.keys(altered) as (keyof NamespaceState)[]).filter(
    (knob) => String(altered[knob]) !== String(namespace[knob]),
  );
  if (changed.length === 0) return [];
  // A plan may have made a relation untrue; that is no reason to refuse what has nothing to do with it.
  const problem =
    bindingProblem(altered, fields) ??
    knobRelationProblem(knobsAsNow(state, altered), (knob) => changed.includes(knob)) ??
    (changed.includes('chunkCapacityBytes') ? capacityProblem(state, altered) : undefined) ??
    newerWordsProblem(state, heard, altered, (knob) => changed.includes(knob));
  if (problem !== undefined) return problem;
  const pending = changed.includes('historyWindowMs') || namespace.change === historyWindowChanged;
  const change = pending ? historyWindowChanged : 'NamespaceAltered';
  return [{ kind: 'namespace', entity: { ...altered, ...stamp(context, change) } }];
};

/** `change` of a namespace whose binlog does not have the settings of its history window yet. */
export const historyWindowChanged = 'HistoryWindowChanged';

/** `{name, number, historyWindowMs}`: the master's own, once the binlog's settings follow that history window. */
export const confirmHistoryWindow: Decider = (state, fields, context) => {
  const name = fields.text('name');
  const number = fields.integer('number', { min: 1, max: 2 ** 31 - 1 });
  const historyWindowMs = fields.integer('historyWindowMs', { min: 1, max: Number.MAX_SAFE_INTEGER, unit: 'ms' });
  fields.refuseOthers('BAD_COMMAND', 'field');
  if (fields.problem !== undefined) return fields.problem;
  const namespace = state.namespace(name);
  if (namespace?.number !== number || namespace.state !== 'active')
    return reject('NAMESPACE_UNKNOWN', `there is no active namespace ${name}#${number}`);
  if (namespace.change !== historyWindowChanged || namespace.historyWindowMs !== historyWindowMs) return [];
  return [{ kind: 'namespace', entity: { ...namespace, ...stamp(context, 'HistoryWindowAdjusted') } }];
};

/** A fixed knob with the value it has is no change, and fine. */
function fixedProblem(namespace: NamespaceState, fields: PayloadFields): Rejection | undefined {
  for (const [knob, reason] of Object.entries(fixedKnobs)) {
    const now = namespace[knob as keyof NamespaceState];
    const asked = fields.raw(knob);
    if (asked !== undefined && asked !== now)
      return reject('KNOB_FIXED', `${knob} of ${namespace.name} is ${String(now)} and cannot change: ${reason}`);
  }
  return undefined;
}

function readChanges(fields: PayloadFields, now: NamespaceState): Partial<NamespaceKnobs> {
  const kept = <T>(knob: keyof NamespaceKnobs & keyof NamespaceState, read: (name: string) => T): T =>
    fields.optional(knob, read, now[knob] as T);
  const integer = (min: number, max: number, unit: string) => (knob: string) =>
    fields.integer(knob, { min, max, unit });
  const limits = {
    maxStalenessMs: integer(100, 86_400_000, 'ms'),
    requestsPerSecond: (knob: string) => fields.integer(knob, rate),
    chunkRequestsPerSecond: (knob: string) => fields.integer(knob, rate),
    expectedBytes: integer(1, 2 ** 53 - 1, 'bytes'),
    expectedRequestsPerSecond: (knob: string) => fields.integer(knob, rate),
    maxTtlMs: integer(ttl.min, ttl.max, ttl.unit),
  };
  const changes: Partial<Record<(typeof nullable)[number], number | null>> = {};
  for (const knob of nullable) changes[knob] = fields.isNull(knob) ? null : kept(knob, limits[knob]);
  return {
    ...changes,
    ack: kept('ack', (knob) => fields.choice(knob, ['logged', 'primary', 'all'])),
    consistency: kept('consistency', (knob) => fields.choice(knob, ['eventual', 'session', 'strong'])),
    failoverStrategy: kept('failoverStrategy', (knob) => fields.choice(knob, ['automatic', 'manual'])),
    manualPlans: fields.has('manualPlans') ? readManualPlans(fields) : now.manualPlans,
    chunkCapacityBytes: kept('chunkCapacityBytes', integer(65_536, 2 ** 50, 'bytes')),
    multi: kept('multi', (knob) => fields.choice(knob, multiChoices)),
    flush: kept('flush', (knob) => fields.choice(knob, flushChoices)),
    historyWindowMs: kept('historyWindowMs', integer(1_000, 3_650 * 86_400_000, 'ms')),
  };
}

/** Splits and merges have changed how many chunks there are since the creation. */
function knobsAsNow(state: ClusterState, namespace: NamespaceState): NamespaceKnobs {
  return { ...namespace, chunks: state.chunksOf(namespace.name).length };
}

function capacityProblem(state: ClusterState, { name, chunkCapacityBytes }: NamespaceState): Rejection | undefined {
  for (const chunk of state.everyChunkOf(name))
    for (const { unitId, role } of chunk.replicas) {
      const unit = state.unit(unitId);
      if (role === 'dead' || unit === undefined || unit.capacityBytes >= chunkCapacityBytes) continue;
      return reject(
        'UNIT_TOO_SMALL',
        `chunkCapacityBytes cannot become ${chunkCapacityBytes}: unit ${unitId} of ${chunk.chunkId} has ` +
          `${unit.capacityBytes} bytes; move the chunk to a bigger unit first`,
      );
    }
  return undefined;
}
