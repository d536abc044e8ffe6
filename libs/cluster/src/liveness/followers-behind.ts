import type { Heartbeat } from '@levee/events';
import type { ClusterState } from '../state/state';

/** A follower that has applied clearly less than the furthest one of its chunk. */
export interface FollowerBehind {
  readonly chunkId: string;
  readonly nodeId: string;
  readonly records: number;
}

export const followersBehindLimits = {
  /** Fewer records are no difference... */
  recordsMin: 1_000,
  /** ...nor is one whose replica stood at the end so shortly before: positions come with every tenth heartbeat only. */
  atEndMs: 5_000,
  entriesMax: 1_024,
} as const;

type Position = Heartbeat['positions'][number];

interface Applied {
  readonly nodeId: string;
  /** Sum over the partitions. */
  readonly records: number;
  /** When it last stood at the end of all of them; 0 = never. */
  readonly atEndAtMs: number;
}

/**
 * The followers of the chunks that `nodeId` leads, where one is behind another, by what their nodes said last. Who has
 * not said anything is not behind. By chunk and node, so that the same positions give the same list.
 */
export function followersBehind(
  state: ClusterState,
  nodeId: string,
  positionsOf: (nodeId: string) => readonly Position[],
): FollowerBehind[] {
  const { recordsMin, atEndMs, entriesMax } = followersBehindLimits;
  const told = new Map<string, ReadonlyMap<string, Applied>>();
  const found: FollowerBehind[] = [];
  for (const { chunkId, replicas } of state.chunksOn(nodeId)) {
    if (!replicas.some((of) => of.role === 'primary' && of.nodeId === nodeId)) continue;
    const applied = replicas.flatMap((of) => {
      if (of.role !== 'follower') return [];
      let byChunk = told.get(of.nodeId);
      if (byChunk === undefined) told.set(of.nodeId, (byChunk = appliedOn(of.nodeId, positionsOf(of.nodeId))));
      return byChunk.get(chunkId) ?? [];
    });
    const records = Math.max(...applied.map((of) => of.records));
    const atEndAtMs = Math.max(...applied.map((of) => of.atEndAtMs));
    for (const of of applied)
      if (records - of.records >= recordsMin && atEndAtMs - of.atEndAtMs >= atEndMs)
        found.push({ chunkId, nodeId: of.nodeId, records: records - of.records });
  }
  found.sort((a, b) => (a.chunkId === b.chunkId ? (a.nodeId < b.nodeId ? -1 : 1) : a.chunkId < b.chunkId ? -1 : 1));
  return found.slice(0, entriesMax);
}

function appliedOn(nodeId: string, positions: readonly Position[]): ReadonlyMap<string, Applied> {
  const byChunk = new Map<string, Applied>();
  for (const { chunkId, nextOffset, atEndAtMs } of positions) {
    const before = byChunk.get(chunkId);
    const records = (before?.records ?? 0) + nextOffset;
    byChunk.set(chunkId, { nodeId, records, atEndAtMs: Math.min(before?.atEndAtMs ?? Infinity, atEndAtMs) });
  }
  return byChunk;
}
