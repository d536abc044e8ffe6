import type { Replica } from '@levee/chunk-store';
import type { Partition } from '@levee/kernel';
import type { LogClock } from './log-clock';
import type { Retentions } from './retentions';

/**
 * [safety] Why a replica can no longer be trusted: away, slow or rewound for longer than tombstones are kept for sure,
 * so that deleted keys might come back (I5). `undefined` while it can. Times by the log's clock, in ms since 1970.
 */
export function overdueReason(
  of: number | string,
  completeAtMs: number,
  times: { readonly nowMs: number; readonly deleteRetentionMs: number },
): string | undefined {
  const withinMs = times.deleteRetentionMs / 2;
  if (times.nowMs - completeAtMs <= withinMs) return undefined;
  return (
    `${typeof of === 'number' ? `partition ${of}` : of} was last complete at ${new Date(completeAtMs).toISOString()}, longer ago than ` +
    `${withinMs} ms, half of delete.retention.ms: deletions it never saw may be gone from the log`
  );
}

/** Why a replica is too old in one of its partitions to be complete: then it is built anew. */
export function overdueOf(
  { retentions, logClock }: { readonly retentions: Retentions; readonly logClock: LogClock },
  { replica }: { readonly replica: Replica },
  partition: Partition,
): string | undefined {
  const times = { nowMs: logClock.bestMs(), deleteRetentionMs: retentions.of(replica.identity.binlog) };
  return overdueReason(partition, replica.completeAtMs(partition), times);
}
