import type { ChunkRoute, ChunkState, NamespaceState, NodeState } from '@levee/events';

const stamp = { change: 'Test', seq: 1, term: 1 };

/** Namespace `ns` with one partition and one chunk, but for what is said. */
export const namespaceEntity = (but: Partial<NamespaceState> = {}): NamespaceState => ({
  ...stamp,
  name: 'ns',
  number: 1,
  binlog: 'b',
  state: 'active',
  partitions: 1,
  hashAlgorithm: 'murmur2',
  recordFormat: 'put',
  sourceTopic: null,
  sourceTopicId: null,
  sourceFinding: 'none',
  sourceProblem: null,
  writable: true,
  frozenBy: null,
  frozenReason: null,
  frozenAtMs: null,
  frozenSeq: null,
  freezeConfirmedSeq: null,
  freezeWithout: [],
  forkedFrom: null,
  forkedBinlog: null,
  forkedAtMs: null,
  forkedPositions: [],
  forkedDigest: null,
  forkedKeys: null,
  bornAs: null,
  bornNumber: null,
  swappedWith: null,
  swappedAtMs: null,
  leftPositions: [],
  acknowledgements: [],
  expireWithRetention: false,
  retentionMs: null,
  hiddenAfterMs: null,
  partitionStrategy: 'hash',
  chunks: 1,
  replicas: 2,
  ack: 'logged',
  consistency: 'session',
  maxStalenessMs: null,
  requestsPerSecond: null,
  chunkRequestsPerSecond: null,
  chunkCapacityBytes: 1 << 20,
  failoverStrategy: 'automatic',
  expectedBytes: null,
  expectedRequestsPerSecond: null,
  historyWindowMs: 1,
  maxTtlMs: null,
  manualPlans: [],
  multi: 'refuse',
  flush: 'refuse',
  nextChunk: 1,
  createdAtMs: 1,
  ...but,
});

export const nodeEntity = (nodeId: string, but: Partial<NodeState> = {}): NodeState => ({
  ...stamp,
  nodeId,
  storeId: `s-${nodeId}`,
  incarnation: 'i',
  state: 'up',
  domain: nodeId,
  respAddress: '127.0.0.1:1',
  httpAddress: '',
  registeredAtMs: 1,
  featureLevel: 3,
  cordoned: false,
  ...but,
});

/** All slots of `ns`, the first node primary, but for what is said. */
export const routeEntity = (nodeIds: readonly string[], but: Partial<ChunkRoute> = {}): ChunkRoute => ({
  ...stamp,
  chunkId: 'ns#1/c00000',
  namespace: 'ns',
  slotStart: 0,
  slotEnd: 1_000_000,
  replicas: nodeIds.map((nodeId, i) => ({
    nodeId,
    storeId: `s-${nodeId}`,
    unitId: `${nodeId}/u1`,
    generation: 1,
    role: i === 0 ? 'primary' : 'follower',
  })),
  ...but,
});

/** The chunk of {@link routeEntity}. */
export const chunkEntity = (nodeIds: readonly string[]): ChunkState => {
  const { chunkId, namespace, slotStart, slotEnd, replicas } = routeEntity(nodeIds);
  return { ...stamp, chunkId, namespace, slotStart, slotEnd, state: 'serving', replicas };
};
