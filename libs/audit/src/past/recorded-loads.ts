import type { ClusterState, LoadView, ReplicaRates } from '@levee/cluster';

/** The figures that a proposal was made with, as its evidence has them. */
export type RecordedFacts = Readonly<Record<string, unknown>>;

const noRates: ReplicaRates = { storedBytes: 0, liveKeys: 0, readsPerSecond: 0, writesPerSecond: 0 };

/**
 * The loads that a proposal itself recorded, of the chunks that it is about; of all others nothing is known. What was
 * recorded of two chunks together is split in halves: the rule that asks takes them together again.
 */
export function loadsOfFacts(state: ClusterState, chunkIds: readonly string[], facts: RecordedFacts): LoadView {
  const figure = (name: string): number => (typeof facts[name] === 'number' ? (facts[name] as number) : 0);
  const rates = new Map<string, ReplicaRates>();
  const tell = (chunkId: string, storedBytes: number, perSecond: number): void => {
    for (const { nodeId, role } of state.chunk(chunkId)?.replicas ?? [])
      rates.set(`${nodeId} ${chunkId}`, {
        ...noRates,
        storedBytes,
        readsPerSecond: role === 'primary' ? perSecond : 0,
      });
  };
  const neighbour = facts['neighbour'];
  const together = typeof neighbour === 'string' ? 1 : Math.max(1, chunkIds.length);
  for (const chunkId of chunkIds)
    tell(chunkId, figure('storedBytes') / together, figure('requestsPerSecond') / together);
  if (typeof neighbour === 'string') tell(neighbour, 0, figure('neighbourRequestsPerSecond'));
  return { replica: (nodeId, chunkId) => rates.get(`${nodeId} ${chunkId}`), freeDiskBytes: () => undefined };
}
