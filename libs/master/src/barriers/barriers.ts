import { encode } from '@levee/codec';
import type { ChunkState, NamespaceState } from '@levee/events';
import { barrierKey } from '@levee/journal';
import { asPartition, assert, type Clock, type Offset, type Partition } from '@levee/kernel';
import { partitionsOf } from '@levee/keyspace';
import type { Log } from '@levee/log';

/**
 * Numbers for the barriers of one master. They follow its clock, so that they rise over takeovers too, as far as the
 * clocks of masters agree.
 */
export class BarrierNumbers {
  private last = 0;

  constructor(private readonly clock: Clock) {}

  next(): number {
    this.last = Math.max(this.last + 1, this.clock.nowMs());
    return this.last;
  }
}

export interface BarrierRequest {
  readonly clusterId: string;
  readonly namespace: Pick<NamespaceState, 'binlog' | 'sourceTopic'>;
  readonly partitions: Iterable<Partition>;
  /** From `BarrierNumbers`; the same in all these partitions. */
  readonly number: number;
  readonly nowMs: number;
  /** Has replicas of these chunks (none = all) digest there, and publish that under `id`. */
  readonly digest?: { readonly id: string; readonly chunks: readonly string[] };
}

/** Appends one barrier to each of the partitions and says where they stand. Fails as `Log.append` does. */
export async function writeBarriers(log: Log, request: BarrierRequest): Promise<Map<Partition, Offset>> {
  const { clusterId, namespace, partitions, number, nowMs, digest } = request;
  assert(namespace.sourceTopic === null, `I23: no barrier is written into ${namespace.binlog}, a topic of others`);
  const value = encode('Barrier', {
    clusterId,
    number,
    digestPlan: digest?.id ?? null,
    chunks: [...(digest?.chunks ?? [])],
    writtenAtMs: nowMs,
  });
  const written = await Promise.all(
    [...partitions].map(async (partition) => {
      const { baseOffset } = await log.append(namespace.binlog, partition, [{ key: barrierKey, value }]);
      return [partition, baseOffset] as const;
    }),
  );
  return new Map(written);
}

/** The partitions that any of these chunks touches, ascending. */
export function partitionsTouched(
  chunks: Iterable<Pick<ChunkState, 'slotStart' | 'slotEnd'>>,
  namespace: Pick<NamespaceState, 'partitions'>,
): Partition[] {
  const touched = new Set<number>();
  for (const { slotStart, slotEnd } of chunks)
    for (const partition of partitionsOf(slotStart, slotEnd, namespace.partitions)) touched.add(partition);
  return [...touched].sort((a, b) => a - b).map(asPartition);
}
