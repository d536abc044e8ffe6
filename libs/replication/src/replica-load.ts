import type { HeartbeatLoad } from '@levee/events';

/** What a replica did: the rising part of its load. */
export type ReplicaCounts = Pick<HeartbeatLoad, 'reads' | 'recordsApplied' | 'bytesApplied'>;

export const nothingCounted: ReplicaCounts = { reads: 0, recordsApplied: 0, bytesApplied: 0 };

export const addCounts = (a: ReplicaCounts, b: ReplicaCounts): ReplicaCounts => ({
  reads: a.reads + b.reads,
  recordsApplied: a.recordsApplied + b.recordsApplied,
  bytesApplied: a.bytesApplied + b.bytesApplied,
});

interface LoadedReplica {
  readonly chunkId: string;
  readonly storedBytes: number;
  readonly liveKeys: number;
  readonly counts: ReplicaCounts;
}

/** A replica as heartbeats tell of it. */
export function loadOf({ chunkId, storedBytes, liveKeys, counts }: LoadedReplica): HeartbeatLoad {
  return { chunkId, storedBytes, liveKeys, ...counts };
}
