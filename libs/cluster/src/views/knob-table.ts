import type { NamespaceState } from '@levee/events';
import { allowedPartitions, hashAlgorithms } from '@levee/keyspace';
import { fixedKnobs } from '../commands/namespaces/alter-namespace';
import {
  chunksPerCommandMax,
  flushChoices,
  manualPlanKinds,
  multiChoices,
  rate,
  recordFormatChoices,
  replicasMax,
  ttl,
  type NamespaceKnobs,
} from '../commands/namespaces/knobs';

/** What a knob may be: one of some words or numbers, some of them, or a range of whole numbers. */
export type Allowed =
  | { readonly oneOf: readonly (string | number)[] }
  | { readonly someOf: readonly string[] }
  | { readonly min: number; readonly max: number; readonly unit?: string; readonly orNone: boolean };

const dayMs = 86_400_000;
const range = (min: number, max: number, unit?: string): Allowed => ({
  min,
  max,
  orNone: false,
  ...(unit === undefined ? {} : { unit }),
});
const rangeOrNone = (min: number, max: number, unit: string): Allowed => ({ min, max, unit, orNone: true });

/** Every knob of a namespace with what it may be; deciders refuse all else. */
export const knobTable: Readonly<Record<keyof NamespaceKnobs, Allowed>> = {
  partitions: { oneOf: allowedPartitions },
  hashAlgorithm: { oneOf: hashAlgorithms },
  recordFormat: { oneOf: recordFormatChoices },
  partitionStrategy: { oneOf: ['hash'] },
  chunks: range(1, chunksPerCommandMax),
  replicas: range(1, replicasMax),
  ack: { oneOf: ['logged', 'primary', 'all'] },
  consistency: { oneOf: ['eventual', 'session', 'strong'] },
  maxStalenessMs: rangeOrNone(100, dayMs, 'ms'),
  requestsPerSecond: rangeOrNone(rate.min, rate.max, rate.unit),
  chunkRequestsPerSecond: rangeOrNone(rate.min, rate.max, rate.unit),
  chunkCapacityBytes: range(65_536, 2 ** 50, 'bytes'),
  failoverStrategy: { oneOf: ['automatic', 'manual'] },
  expectedBytes: rangeOrNone(1, 2 ** 53 - 1, 'bytes'),
  expectedRequestsPerSecond: rangeOrNone(rate.min, rate.max, rate.unit),
  historyWindowMs: range(1_000, 3_650 * dayMs, 'ms'),
  maxTtlMs: rangeOrNone(ttl.min, ttl.max, ttl.unit),
  manualPlans: { someOf: manualPlanKinds },
  multi: { oneOf: multiChoices },
  flush: { oneOf: flushChoices },
};

export interface KnobView {
  readonly knob: string;
  readonly value: string | number | readonly string[] | null;
  /** In words. */
  readonly allowed: string;
  /** Null: `alter` changes it. */
  readonly fixedBecause: string | null;
}

/** Every knob of a namespace: what it is, what it may be, whether it can change. */
export function viewKnobs(namespace: NamespaceState): KnobView[] {
  return (Object.keys(knobTable) as (keyof NamespaceKnobs)[]).map((knob) => ({
    knob,
    value: namespace[knob],
    allowed: inWords(knobTable[knob]),
    fixedBecause: fixedKnobs[knob] ?? null,
  }));
}

function inWords(allowed: Allowed): string {
  if ('oneOf' in allowed) return allowed.oneOf.join(' | ');
  if ('someOf' in allowed) return `any of ${allowed.someOf.join(', ')}`;
  const { min, max, unit, orNone } = allowed;
  return `${min} to ${max}${unit === undefined ? '' : ` ${unit}`}${orNone ? ', or none' : ''}`;
}
