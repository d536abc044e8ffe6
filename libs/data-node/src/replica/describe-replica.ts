import type { HostedReplica } from './hosted-replica';

/** A replica as LV.STAT shows it. */
export function describeReplica(hosted: HostedReplica, nowMonotonicMs: number): object {
  const { chunkId, unitId, generation, slotStart, slotEnd } = hosted.identity;
  const { name: namespace } = hosted.assignment.namespace;
  return {
    chunkId,
    namespace,
    unitId,
    generation,
    slotStart,
    slotEnd,
    role: hosted.assignment.role,
    state: stateOf(hosted),
    readable: hosted.readable,
    problem: hosted.cuts.problem ?? (hosted.readable ? (hosted.problem ?? null) : hosted.reason),
    hole: hosted.holes.report ?? null,
    copy: hosted.state === 'loading' ? hosted.copy.progress : null,
    liveKeys: hosted.swept.liveKeys,
    expiringKeys: hosted.swept.expiringKeys,
    liveBytes: hosted.swept.liveBytes,
    storedBytes: hosted.storedBytes,
    capacityBytes: hosted.assignment.capacityBytes,
    positions: hosted.partitions.map((partition) => {
      const ageMs = hosted.ageMs(partition, nowMonotonicMs);
      return {
        partition,
        nextOffset: hosted.nextOffset(partition),
        ageMs: Number.isFinite(ageMs) ? Math.round(ageMs) : null,
        problem: hosted.places.at(partition)?.trouble ?? null,
        cut: hosted.cuts.at(partition) ?? null,
      };
    }),
  };
}

/** What people call it: one that stands still for a reason is named for the reason. */
function stateOf({ state, cuts, holes, full }: HostedReplica): string {
  if (state !== 'following') return state;
  return cuts.any ? 'witness' : holes.report !== undefined ? 'atHole' : full ? 'full' : state;
}
