import type { ChunkState, DigestOrder, NamespaceState, ReplicaDigest } from '@levee/events';
import type { ClusterView, DigestTail, SubmittedCommand } from '@levee/journal';
import { type Clock, Failure, failureCode, type Timers, Waits } from '@levee/kernel';
import { partitionsOf } from '@levee/keyspace';

/** How long the decision about the barrier is waited for, at most. */
const outcomeMs = 60_000;

export interface GatherDigestsOptions {
  readonly namespace: string;
  /** Empty: all chunks of the namespace. */
  readonly chunkIds: readonly string[];
  /** Only there; default: wherever these chunks have slots. */
  readonly partitions?: readonly number[];
  /** Id of the barriers, which the digests carry. */
  readonly id: string;
  readonly principal: string;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly deadlineMs: number;
  /** When for so long none came, no more are waited for; default: `deadlineMs` alone counts. */
  readonly quietMs?: number;
  readonly submit: (command: SubmittedCommand) => Promise<string>;
  /** Replicas on nodes that are not up are missing at once. */
  readonly onlyUp?: boolean;
  /** Ends the waiting: it fails with STOPPING. */
  readonly signal?: AbortSignal;
  /** Of a topic of others: the positions at which replicas were asked to digest, and when. */
  readonly onOrder?: (order: DigestOrder, timeMs: number) => void;
}

export interface GatheredDigests {
  /** Of readable replicas. */
  readonly digests: readonly ReplicaDigest[];
  /** What did not come, as `<chunk> partition <n> on <node>`. */
  readonly missing: readonly string[];
  /** Those of `missing` that were waited for. */
  readonly late: readonly string[];
}

/**
 * Has a digest barrier written to the partitions of these chunks and gathers what their readable replicas publish there.
 * Fails with NAMESPACE_UNKNOWN, with the rejection's code, and with DEADLINE when the barrier is not decided in time.
 */
export async function gatherDigests(
  view: ClusterView,
  tail: DigestTail,
  options: GatherDigestsOptions,
): Promise<GatheredDigests> {
  const { clock, timers, id, principal, chunkIds, partitions = [], deadlineMs, quietMs = deadlineMs } = options;
  const namespace = view.state.namespace(options.namespace);
  if (namespace?.state !== 'active')
    throw new Failure('NAMESPACE_UNKNOWN', `there is no active namespace '${options.namespace}'`);
  const giveUpAt = clock.monotonicMs() + deadlineMs;
  const leftMs = (): number => Math.max(1, giveUpAt - clock.monotonicMs());
  const found = new Map<string, ReplicaDigest>();
  const waits = new Waits(timers);
  const take = (digest: ReplicaDigest): void => {
    found.set(keyOf(digest.chunkId, digest.partition, digest.nodeId), digest);
    waits.poll();
  };
  const stop = (): void => waits.failAll(new Failure('STOPPING', 'this process is stopping'));
  const unlisten = await tail.listen(id, take, leftMs(), options.onOrder);
  options.signal?.addEventListener('abort', stop);
  try {
    const where = partitions.length === 0 ? {} : { partitions };
    const payload = { id, namespace: namespace.name, digest: true, chunks: chunkIds, ...where };
    const commandId = await options.submit({ kind: 'RequestBarrier', payload, principal });
    const outcome = await view.outcome(commandId, Math.min(outcomeMs, leftMs()));
    if (outcome.rejectionCode !== null) throw new Failure(outcome.rejectionCode, outcome.rejectionMessage ?? '');

    const wanted = new Set(chunkIds);
    const chunks = [...view.state.chunksOf(namespace.name)].filter(
      ({ chunkId }) => chunkIds.length === 0 || wanted.has(chunkId),
    );
    const asked = expected(namespace, chunks, new Set(partitions));
    const isUp = (nodeId: string): boolean => options.onlyUp !== true || view.state.node(nodeId)?.state === 'up';
    const missing = new Set(asked.keys());
    const waited = new Set([...asked].flatMap(([key, nodeId]) => (isUp(nodeId) ? [key] : [])));
    while (waited.size > 0) {
      const before = waited.size;
      const news = (): true | undefined => {
        for (const key of waited) if (found.has(key)) waited.delete(key);
        return waited.size < before ? true : undefined;
      };
      const came = await waits.until(news, Math.min(quietMs, leftMs()), 'a digest').catch((error: unknown) => {
        if (failureCode(error) !== 'DEADLINE') throw error;
        return false;
      });
      if (!came) break;
    }
    for (const key of found.keys()) missing.delete(key);
    // Replicas that are still being made may answer too: they prove nothing.
    const digests = [...found].flatMap(([key, digest]) => (asked.has(key) ? digest : []));
    return { digests, missing: [...missing], late: [...waited] };
  } finally {
    options.signal?.removeEventListener('abort', stop);
    unlisten();
  }
}

function keyOf(chunkId: string, partition: number, nodeId: string): string {
  return `${chunkId} partition ${partition} on ${nodeId}`;
}

/** By key: the node. `wanted`: none is all. */
function expected(
  namespace: NamespaceState,
  chunks: readonly ChunkState[],
  wanted: ReadonlySet<number>,
): Map<string, string> {
  const keys = new Map<string, string>();
  for (const { chunkId, slotStart, slotEnd, replicas } of chunks)
    for (const { nodeId, role } of replicas)
      if (role === 'primary' || role === 'follower')
        for (const partition of partitionsOf(slotStart, slotEnd, namespace.partitions))
          if (wanted.size === 0 || wanted.has(partition)) keys.set(keyOf(chunkId, partition, nodeId), nodeId);
  return keys;
}
