import { encode } from '@levee/codec';
import type { NamespaceState } from '@levee/events';
import { type ControlTopics, digestOrderKey } from '@levee/journal';
import { asPartition, type Clock, type Partition, pause, type Timers } from '@levee/kernel';
import type { Log } from '@levee/log';
import { writeBarriers, type BarrierNumbers } from './barriers';

const digestPlaceLimits = {
  /** How long growth is watched. */
  watchMs: 250,
  /** So far ahead of the end a place lies: replicas that follow come there after they have heard of it. */
  aheadMs: 1_000,
} as const;

export interface DigestRequest {
  readonly clusterId: string;
  readonly namespace: NamespaceState;
  readonly partitions: Iterable<Partition>;
  /** Replicas of these chunks (none = all) publish their digests under `id`. */
  readonly digest: { readonly id: string; readonly chunks: readonly string[] };
}

export interface DigestAsking {
  readonly topics: Pick<ControlTopics, 'digests'>;
  readonly numbers: BarrierNumbers;
  readonly clock: Clock;
  readonly timers: Timers;
}

/**
 * Has replicas digest at one place of each partition: at a barrier, or in a topic of others at positions that an order
 * names. Fails as `Log.append` and `Log.offsets` do.
 */
export async function askForDigests(log: Log, request: DigestRequest, asking: DigestAsking): Promise<void> {
  const { clusterId, namespace, partitions, digest } = request;
  const { numbers, clock, topics } = asking;
  if (namespace.sourceTopic === null) {
    const barrier = { clusterId, namespace, partitions, digest, number: numbers.next(), nowMs: clock.nowMs() };
    await writeBarriers(log, barrier);
    return;
  }
  const positions = await digestPlaces(log, request, asking);
  const value = encode('DigestOrder', {
    ...{ clusterId, namespace: namespace.name, number: namespace.number },
    ...{ digestPlan: digest.id, chunks: [...digest.chunks], positions, writtenAtMs: clock.nowMs() },
  });
  await log.append(topics.digests, asPartition(0), [{ key: digestOrderKey(digest.id), value }]);
}

/** The end of each partition, and what it will have grown by when replicas hear of it; at rest exactly its end. */
async function digestPlaces(
  log: Log,
  { namespace: { binlog }, partitions }: DigestRequest,
  { clock, timers }: DigestAsking,
): Promise<{ partition: number; nextOffset: number }[]> {
  const wanted = new Set<number>(partitions);
  const { watchMs, aheadMs } = digestPlaceLimits;
  const beganMs = clock.monotonicMs();
  const before = new Map((await log.offsets(binlog)).map(({ partition, endOffset }) => [Number(partition), endOffset]));
  await pause(timers, watchMs);
  const tookMs = Math.max(watchMs, clock.monotonicMs() - beganMs);
  return (await log.offsets(binlog)).flatMap(({ partition, endOffset }) => {
    if (!wanted.has(partition)) return [];
    const grown = Math.max(0, endOffset - (before.get(partition) ?? endOffset));
    return { partition, nextOffset: endOffset + Math.ceil((grown * aheadMs) / tookMs) };
  });
}
