import type { ClusterState } from '@levee/cluster';
import type { ChunkProof } from '@levee/events';
import type { KnownProof } from '@levee/journal';
import { readableOf } from './due-chunks';
import { replicaKey } from './judge-chunk';

/** How one chunk stands. */
export interface ChunkProofState {
  readonly namespace: string;
  readonly chunkId: string;
  /** Of the last comparison; `null`: there was none. */
  readonly verdict: ChunkProof['verdict'] | null;
  /** When all its replicas were last found to hold what the log says, ms since 1970; `null`: not as far as is known. */
  readonly provedAtMs: number | null;
  readonly checkedAtMs: number | null;
  /** Readable replicas that were found to hold what the log says, of how many. */
  readonly replicasProved: number;
  readonly replicas: number;
  /** Proved one and a half intervals ago, or longer. */
  readonly late: boolean;
  readonly message: string;
}

export interface ProofSummary {
  /** Chunks that are proved again and again: of active namespaces. */
  readonly chunks: number;
  /** Of which all replicas were proved within the interval. */
  readonly proved: number;
  readonly late: number;
  /** Since the chunk was proved that waits longest, of those that ever were, in ms; `null`: none was. */
  readonly oldestMs: number | null;
  /** Chunks whose last comparison found a difference, or could prove nothing. */
  readonly findings: readonly ChunkProofState[];
}

/** Intervals after which a chunk that was not proved again is late. */
const lateAfter = 1.5;
const isFinding = ({ verdict }: ChunkProofState): boolean =>
  verdict !== null && verdict !== 'proved' && verdict !== 'incomplete';

export function proofSummary(
  state: ClusterState,
  proofOf: (chunkId: string) => KnownProof | undefined,
  nowMs: number,
): ProofSummary {
  const all = [...chunkProofs(state, proofOf, { nowMs })];
  const ages = all.flatMap(({ provedAtMs }) => (provedAtMs === null ? [] : [Math.max(0, nowMs - provedAtMs)]));
  return {
    chunks: all.length,
    proved: all.filter(({ verdict, late, replicas, replicasProved }) => {
      return verdict === 'proved' && !late && replicasProved === replicas;
    }).length,
    late: all.filter(({ late }) => late).length,
    oldestMs: ages.length === 0 ? null : ages.reduce((oldest, age) => Math.max(oldest, age)),
    findings: all.filter(isFinding).slice(0, findingsMax),
  };
}

/** Findings that are told one by one. */
const findingsMax = 50;

/** A namespace's chunks, or all, in their order. */
export function* chunkProofs(
  state: ClusterState,
  proofOf: (chunkId: string) => KnownProof | undefined,
  { nowMs, namespace }: { readonly nowMs: number; readonly namespace?: string | undefined },
): Iterable<ChunkProofState> {
  for (const { name, state: is } of state.namespaces()) {
    if (is !== 'active' || (namespace !== undefined && namespace !== name)) continue;
    for (const chunk of state.chunksOf(name)) {
      const { chunkId } = chunk;
      const { latest, provedAtMs } = proofOf(chunkId) ?? {};
      const same = new Set(latest?.replicas.flatMap((each) => (each.holds === 'same' ? [replicaKey(each)] : [])));
      const readable = readableOf(chunk);
      yield {
        ...{ namespace: name, chunkId },
        verdict: latest?.verdict ?? null,
        provedAtMs: provedAtMs ?? null,
        checkedAtMs: latest?.checkedAtMs ?? null,
        replicasProved: readable.filter((each) => same.has(replicaKey(each))).length,
        replicas: readable.length,
        late: latest !== undefined && provedAtMs !== undefined && nowMs - provedAtMs > latest.intervalMs * lateAfter,
        message: latest?.message ?? '',
      };
    }
  }
}
