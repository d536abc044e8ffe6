import type { Replica } from '@levee/chunk-store';
import type { Partition } from '@levee/kernel';
import type { HostedWorld } from './hosted-world';

export interface OverdueTimes {
  readonly nowMs: number;
  readonly deleteRetentionMs: number;
}

/**
 * [safety] Why a replica can no longer be trusted: away, slow or rewound for longer than tombstones are kept for sure,
 * so that deleted keys might come back (I5). `undefined` while it can. Times by the log's clock, in ms since 1970.
 */
export function overdueReason(of: number | string, completeAtMs: number, times: OverdueTimes): string | undefined {
  const withinMs = times.deleteRetentionMs / 2;
  if (times.nowMs - completeAtMs <= withinMs) return undefined;
  return (
    `${typeof of === 'number' ? `partition ${of}` : of} was last complete at ${new Date(completeAtMs).toISOString()}, longer ago than ` +
    `${withinMs} ms, half of delete.retention.ms: deletions it never saw may be gone from the log`
  );
}

/** By what the replicas and copies of a binlog are judged now. */
export function overdueTimes(
  { retentions, logClock }: Pick<HostedWorld, 'retentions' | 'logClock'>,
  binlog: string,
): OverdueTimes {
  return { nowMs: logClock.bestMs(), deleteRetentionMs: retentions.of(binlog) };
}

/** Why a replica is too old in one of its partitions to be complete: then it is built anew. */
export function overdueOf(
  world: Pick<HostedWorld, 'retentions' | 'logClock'>,
  { replica }: { readonly replica: Replica },
  partition: Partition,
): string | undefined {
  return overdueReason(partition, replica.completeAtMs(partition), overdueTimes(world, replica.identity.binlog));
}
