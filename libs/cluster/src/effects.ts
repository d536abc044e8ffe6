import type { NamespaceState } from '@levee/events';
import { forkBegun } from './commands/namespaces/fork-origin';
import { historyWindowChanged } from './commands/namespaces/alter-namespace';
import type { ClusterState } from './state/state';

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

/**
 * A topic that others made is looked at: what does not fit fails the namespace, what fits activates it with the topic's id
 * and partitions. Nothing is changed at it (I23).
 */
export interface BindTopic {
  readonly kind: 'bindTopic';
  readonly namespace: string;
  readonly number: number;
  /** Exact topic name. */
  readonly binlog: string;
  readonly hashAlgorithm: NamespaceState['hashAlgorithm'];
  readonly recordFormat: NamespaceState['recordFormat'];
  readonly expireWithRetention: boolean;
  readonly writable: boolean;
  readonly thenSubmit: { readonly kind: 'ActivateNamespace'; readonly payload: { name: string; number: number } };
}

/** The topic and every record in it go; its name is never used again. */
interface DeleteBinlog {
  readonly kind: 'deleteBinlog';
  readonly namespace: string;
  readonly number: number;
  /** Exact topic name; `undefined` where there is nothing to delete: the topic belongs to others. */
  readonly binlog: string | undefined;
  readonly thenSubmit: { readonly kind: 'FinishDeletion'; readonly payload: { name: string; number: number } };
}

/** The topic's settings follow another history window. */
interface AdjustBinlog {
  readonly kind: 'adjustBinlog';
  readonly namespace: string;
  readonly number: number;
  readonly binlog: string;
  readonly partitions: number;
  readonly historyWindowMs: number;
  readonly thenSubmit: {
    readonly kind: 'ConfirmHistoryWindow';
    readonly payload: { name: string; number: number; historyWindowMs: number };
  };
}

export type Effect = CreateBinlog | BindTopic | DeleteBinlog | AdjustBinlog;

/** By ascending seq of what asks for them. */
export function nextEffects(state: ClusterState): Effect[] {
  const clusterId = state.clusterId;
  if (clusterId === undefined) return [];
  return [...state.namespaces()]
    .sort((a, b) => a.seq - b.seq)
    .flatMap((namespace) => effectOf(namespace, clusterId) ?? []);
}

function effectOf(of: NamespaceState, clusterId: string): Effect | undefined {
  const { name, number, binlog, partitions, historyWindowMs, hashAlgorithm, createdAtMs } = of;
  const topic = { namespace: name, number, binlog };
  if (of.sourceTopic !== null) return effectOfBound(of);
  // A fork has its binlog, and is filled by those who fork it.
  if (of.state === 'creating' && of.change === forkBegun) return undefined;
  if (of.state === 'creating')
    return {
      kind: 'createBinlog',
      ...topic,
      partitions,
      historyWindowMs,
      clusterId,
      hashAlgorithm,
      createdAtMs,
      thenSubmit: { kind: 'ActivateNamespace', payload: { name, number } },
    };
  if (of.state === 'deleting')
    return { kind: 'deleteBinlog', ...topic, thenSubmit: { kind: 'FinishDeletion', payload: { name, number } } };
  if (of.state === 'active' && of.change === historyWindowChanged)
    return {
      kind: 'adjustBinlog',
      ...topic,
      partitions,
      historyWindowMs,
      thenSubmit: { kind: 'ConfirmHistoryWindow', payload: { name, number, historyWindowMs } },
    };
  return undefined;
}

function effectOfBound({ name, number, binlog, state, ...of }: NamespaceState): Effect | undefined {
  const payload = { name, number };
  if (state === 'deleting')
    return {
      kind: 'deleteBinlog',
      ...{ namespace: name, number, binlog: undefined },
      thenSubmit: { kind: 'FinishDeletion', payload },
    };
  if (state !== 'creating') return undefined;
  const { hashAlgorithm, recordFormat, expireWithRetention, writable } = of;
  return {
    kind: 'bindTopic',
    ...{ namespace: name, number, binlog, hashAlgorithm, recordFormat, expireWithRetention, writable },
    thenSubmit: { kind: 'ActivateNamespace', payload },
  };
}
