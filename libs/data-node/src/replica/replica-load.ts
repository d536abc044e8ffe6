import type { HeartbeatLoad } from '@levee/events';

/** What a replica did: the rising part of its load. */
export type ReplicaCounts = Pick<HeartbeatLoad, 'reads' | 'recordsApplied' | 'bytesApplied'>;

export const nothingCounted: ReplicaCounts = { reads: 0, recordsApplied: 0, bytesApplied: 0 };

export const addCounts = (a: ReplicaCounts, b: ReplicaCounts): ReplicaCounts => ({
  reads: a.reads + b.reads,
  recordsApplied: a.recordsApplied + b.recordsApplied,
  bytesApplied: a.bytesApplied + b.bytesApplied,
});

/** What the last sweep of a database counted. */
export interface Swept {
  readonly liveKeys: number;
  /** Of these, those that expire. */
  readonly expiringKeys: number;
  readonly liveBytes: number;
  /** Sum of its positions then; -1 = never swept. */
  readonly atPosition: number;
  /** It saw keys that expire: worth another look even if nothing was written. */
  readonly mayExpire: boolean;
}

export const notSwept: Swept = { liveKeys: 0, expiringKeys: 0, liveBytes: 0, atPosition: -1, mayExpire: false };

interface LoadedReplica {
  readonly chunkId: string;
  readonly storedBytes: number;
  readonly swept: Pick<Swept, 'liveKeys'>;
  readonly counts: ReplicaCounts;
}

/** A replica as heartbeats tell of it. */
export function loadOf({ chunkId, storedBytes, swept, counts }: LoadedReplica): HeartbeatLoad {
  return { chunkId, storedBytes, liveKeys: swept.liveKeys, ...counts };
}
