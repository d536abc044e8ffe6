import type { HeartbeatPosition } from '@levee/events';
import type { Clock } from '@levee/kernel';
import type { ReplicaHost } from '../replica/replica-host';

/** How far the replicas of a node are; of two of one chunk, the one that answers for it: the other is told as a move. */
export function positionsOf(host: ReplicaHost, clock: Clock): HeartbeatPosition[] {
  const nowMs = clock.nowMs();
  const nowMonotonicMs = clock.monotonicMs();
  const positions: HeartbeatPosition[] = [];
  for (const hosted of host.all) {
    const { chunkId, assignment } = hosted;
    if (host.chunk(chunkId) !== hosted) continue;
    for (const partition of hosted.partitions) {
      const ageMs = hosted.ageMs(partition, nowMonotonicMs);
      const atEndAtMs = Number.isFinite(ageMs) ? Math.floor(nowMs - ageMs) : 0;
      const nextOffset = hosted.nextOffset(partition);
      positions.push({ namespace: assignment.namespace.name, partition, chunkId, nextOffset, atEndAtMs });
    }
  }
  return positions;
}
