import type { ClusterState } from '@levee/cluster';
import type { ChunkProof, ChunkState } from '@levee/events';
import { partitionsOf } from '@levee/keyspace';
import { replicaKey } from './judge-chunk';

export const dueLimits = {
  /** Chunks proved together: one reading of a partition is for all of them; each of their nodes digests them all. */
  chunksAtOnceMax: 16,
  /** A finding is looked at again so soon, if the interval is not shorter. */
  retryMs: 10 * 60_000,
} as const;

/** What is to be proved next, together. */
export interface DueChunks {
  readonly namespace: string;
  readonly chunkIds: readonly string[];
}

/** When a chunk is to be proved again, ms since 1970; 0 = it never was. */
export function dueAtMs(chunk: ChunkState, proof: ChunkProof | undefined, intervalMs: number): number {
  if (proof === undefined) return 0;
  const { checkedAtMs, verdict, replicas } = proof;
  const proved = new Set(replicas.flatMap((each) => (each.holds === 'same' ? [replicaKey(each)] : [])));
  const isCovered = readableOf(chunk).every((each) => proved.has(replicaKey(each)));
  // Begun early enough to end within the interval.
  if (verdict === 'proved' && isCovered) return checkedAtMs + intervalMs * 0.75;
  if (verdict === 'proved' || verdict === 'incomplete') return checkedAtMs + intervalMs / 4;
  return checkedAtMs + Math.min(intervalMs / 8, dueLimits.retryMs);
}

export const readableOf = ({ replicas }: ChunkState): ChunkState['replicas'] =>
  replicas.filter(({ role }) => role === 'primary' || role === 'follower');

/**
 * The chunk that has waited longest, and its neighbours that are due as well and share a partition with it. `blocked`
 * holds chunks that are left out for now. `undefined`: nothing is due.
 */
export function nextDue(
  state: ClusterState,
  proofOf: (chunkId: string) => ChunkProof | undefined,
  {
    nowMs,
    intervalMs,
    blocked,
  }: { readonly nowMs: number; readonly intervalMs: number; readonly blocked: ReadonlySet<string> },
): DueChunks | undefined {
  const isDue = (chunk: ChunkState): boolean => {
    if (blocked.has(chunk.chunkId)) return false;
    const proof = proofOf(chunk.chunkId);
    // A clock that was set back must not put the next proof off.
    const isAhead = proof !== undefined && proof.checkedAtMs > nowMs + intervalMs;
    return isAhead || dueAtMs(chunk, proof, intervalMs) <= nowMs;
  };
  let first: ChunkState | undefined;
  let firstMs = Infinity;
  for (const { name, state: is } of state.namespaces()) {
    if (is !== 'active') continue;
    for (const chunk of state.chunksOf(name)) {
      if (!isDue(chunk)) continue;
      const atMs = dueAtMs(chunk, proofOf(chunk.chunkId), intervalMs);
      if (atMs < firstMs) [first, firstMs] = [chunk, atMs];
    }
  }
  if (first === undefined) return undefined;
  const { namespace } = first;
  const partitions = state.namespace(namespace)?.partitions ?? 1;
  const all = [...state.chunksOf(namespace)].sort((a, b) => a.slotStart - b.slotStart);
  let from = all.findIndex(({ chunkId }) => chunkId === first.chunkId);
  let to = from + 1;
  const joins = (a: ChunkState | undefined, b: ChunkState | undefined): boolean =>
    a !== undefined && b !== undefined && to - from < dueLimits.chunksAtOnceMax && sharePartition(a, b, partitions);
  while (joins(all[from - 1], all[from]) && isDue(all[from - 1] as ChunkState)) from--;
  while (joins(all[to - 1], all[to]) && isDue(all[to] as ChunkState)) to++;
  return { namespace, chunkIds: all.slice(from, to).map(({ chunkId }) => chunkId) };
}

/** `a` is the one before `b`. */
function sharePartition(a: ChunkState, b: ChunkState, partitions: number): boolean {
  return (
    partitionsOf(a.slotStart, a.slotEnd, partitions).at(-1) === partitionsOf(b.slotStart, b.slotEnd, partitions)[0]
  );
}
