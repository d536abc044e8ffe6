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
