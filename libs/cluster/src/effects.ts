import type { NamespaceState } from '@levee/events';
import type { ClusterState } from './state';

/**
 * What the master must do in the world, derived from the state alone: a master that starts anew finds the same list.
 * Every effect is idempotent; when it is done the master submits `thenSubmit`, after which it is no longer listed.
 */
export interface CreateBinlog {
  readonly kind: 'createBinlog';
  readonly namespace: string;
  readonly number: number;
  /** Exact topic name. */
  readonly binlog: string;
  readonly partitions: number;
  /** `min.compaction.lag.ms`; `segment.ms` is a quarter of it at most. */
  readonly historyWindowMs: number;
  /** For the Genesis record at offset 0 of every partition. */
  readonly clusterId: string;
  readonly hashAlgorithm: NamespaceState['hashAlgorithm'];
  readonly createdAtMs: number;
  readonly thenSubmit: { readonly kind: 'ActivateNamespace'; readonly payload: { name: string; number: number } };
}

export type Effect = CreateBinlog;

/** By ascending seq of what asks for them. */
export function nextEffects(state: ClusterState): Effect[] {
  const clusterId = state.clusterId;
  if (clusterId === undefined) return [];
  return [...state.namespaces()]
    .filter((namespace) => namespace.state === 'creating')
    .sort((a, b) => a.seq - b.seq)
    .map(({ name, number, binlog, partitions, historyWindowMs, hashAlgorithm, createdAtMs }) => ({
      kind: 'createBinlog',
      namespace: name,
      number,
      binlog,
      partitions,
      historyWindowMs,
      clusterId,
      hashAlgorithm,
      createdAtMs,
      thenSubmit: { kind: 'ActivateNamespace', payload: { name, number } },
    }));
}
