import { embeddedLimits } from './limits';
import type { PartitionLog } from './partition-log';

/**
 * In which order partitions come into a synced batch. As a rule those first in which a small append waits, by how little
 * waits before it: who writes little waits for one batch of large records, not for all of them. Every fourth batch begins
 * with whoever has waited longest, so that small appends without end keep nobody out.
 */
export class GroupOrder {
  private batches = 0;

  /** `queue`: in the order in which they began to wait. */
  next(queue: readonly PartitionLog[]): readonly PartitionLog[] {
    const isOldestFirst = ++this.batches % oldestEvery === 0;
    const [oldest, ...others] = queue;
    if (oldest === undefined || others.length === 0) return queue;
    return isOldestFirst ? [oldest, ...bySmall(others)] : bySmall(queue);
  }
}

const oldestEvery = 4;

function bySmall(queue: readonly PartitionLog[]): readonly PartitionLog[] {
  const before = queue.map(bytesBeforeSmall);
  // The usual case: nothing large waits anywhere.
  if (before.every((bytes) => bytes === 0)) return queue;
  return queue
    .map((partition, index) => ({ partition, bytes: before[index] as number }))
    .sort((a, b) => (a.bytes === b.bytes ? 0 : a.bytes - b.bytes))
    .map(({ partition }) => partition);
}

/** Of large appends; without a small one behind them it comes last. */
function bytesBeforeSmall({ pending }: PartitionLog): number {
  let before = 0;
  for (const { bytes } of pending) {
    if (bytes <= embeddedLimits.smallAppendBytes) return before;
    before += bytes;
  }
  return Infinity;
}
