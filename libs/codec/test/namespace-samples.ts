import type {
  NamespaceStateV1,
  NamespaceStateV2,
  NamespaceStateV3,
  NamespaceStateV4,
  NamespaceStateV5,
  NamespaceStateV6,
  NamespaceStateV7,
  NamespaceStateV8,
} from '@levee/events';

export const atMs = 1_750_000_000_000;
export const trailer = { seq: 7, term: 2 };

/** In the words of each version, and what later ones say of those before. */
export const namespace: NamespaceStateV1 = {
  name: 'shop.orders',
  number: 1,
  binlog: 'levee.binlog.shop.orders',
  state: 'active',
  partitions: 8,
  hashAlgorithm: 'murmur2-hashtag',
  partitionStrategy: 'hash',
  chunks: 8,
  replicas: 3,
  ack: 'logged',
  consistency: 'session',
  maxStalenessMs: null,
  requestsPerSecond: 1000,
  chunkRequestsPerSecond: null,
  chunkCapacityBytes: 268_435_456,
  failoverStrategy: 'automatic',
  expectedBytes: null,
  expectedRequestsPerSecond: null,
  historyWindowMs: 604_800_000,
  maxTtlMs: null,
  manualPlans: ['merge', 'split'],
  nextChunk: 9,
  createdAtMs: atMs,
  change: 'NamespaceActivated',
  ...trailer,
};

export const namespaceV2: NamespaceStateV2 = { ...namespace, multi: 'batch', flush: 'refuse' };
export const own = { sourceTopic: null, sourceTopicId: null, writable: true, expireWithRetention: false } as const;
export const unseen = { sourceFinding: 'none', sourceProblem: null } as const;
export const thawed = {
  ...{ frozenBy: null, frozenReason: null, frozenAtMs: null, frozenSeq: null },
  ...{ freezeConfirmedSeq: null, freezeWithout: [] },
} as const;
export const unforked = {
  ...{ forkedFrom: null, forkedBinlog: null, forkedAtMs: null },
  ...{ forkedPositions: [], forkedDigest: null, forkedKeys: null },
} as const;
export const unswapped = {
  ...{ bornAs: null, bornNumber: null, swappedWith: null, swappedAtMs: null, leftPositions: [] },
} as const;
export const unacknowledged = { acknowledgements: [] } as const;
export const keptForEver = { retentionMs: null, hiddenAfterMs: null } as const;
export const namespacesV3: readonly NamespaceStateV3[] = [
  { ...namespaceV2, ...own, flush: 'sweep', recordFormat: 'put', hashAlgorithm: 'crc32' },
  {
    ...{ ...namespaceV2, recordFormat: 'raw', hashAlgorithm: 'fnv1a', partitions: 12 },
    ...{ sourceTopic: 'prices', sourceTopicId: 'bP3yPjQ1QZ2vUz0o0mTn7g', writable: false, expireWithRetention: true },
  },
];
export const namespacesV4: readonly NamespaceStateV4[] = [
  ...namespacesV3.map((of) => ({ ...of, ...unseen })),
  {
    ...{ ...namespaceV2, ...own, recordFormat: 'raw' as const, binlog: 'prices' },
    ...{ sourceTopic: 'prices', sourceTopicId: 'bP3yPjQ1QZ2vUz0o0mTn7g', writable: false },
    ...{ sourceFinding: 'recreated' as const, sourceProblem: 'topic prices was deleted and created again' },
  },
];
export const namespacesV5: readonly NamespaceStateV5[] = [
  ...namespacesV4.map((of) => ({ ...of, ...thawed })),
  {
    ...{ ...namespaceV2, ...own, ...unseen, recordFormat: 'put' as const },
    ...{ frozenBy: 'repartition 7', frozenReason: 'records are brought home', frozenAtMs: atMs, frozenSeq: 7 },
    ...{ freezeConfirmedSeq: 8, freezeWithout: ['0b9a6f52-7c55-4b7a-8f0e-5f8f4f0e9a01'] },
  },
];
export const namespacesV6: readonly NamespaceStateV6[] = [
  ...namespacesV5.map((of) => ({ ...of, ...unforked })),
  {
    ...{ ...namespaceV2, ...own, ...unseen, ...thawed, recordFormat: 'put' as const },
    ...{ forkedFrom: 'shop.orders', forkedBinlog: 'levee.binlog.shop.orders', forkedAtMs: atMs },
    ...{ forkedPositions: [1, 5, 2 ** 40, 0, 0, 0, 7, 8], forkedDigest: 'ab'.repeat(16), forkedKeys: 12 },
  },
];
export const namespacesV7: readonly NamespaceStateV7[] = [
  ...namespacesV6.map((of) => ({ ...of, ...unswapped })),
  {
    ...{ ...namespaceV2, ...own, ...unseen, ...thawed, ...unforked, recordFormat: 'put' as const },
    ...{ name: 'shop.orders.before-rewind-1', number: 2, bornAs: 'shop.orders', bornNumber: 1 },
    ...{ swappedWith: 'shop.orders', swappedAtMs: atMs, leftPositions: [9, 2 ** 40, 1, 1, 1, 1, 1, 5] },
  },
];
export const namespacesV8: readonly NamespaceStateV8[] = [
  ...namespacesV7.map((of) => ({ ...of, ...unacknowledged })),
  {
    ...{ ...namespaceV2, ...own, ...unseen, ...thawed, ...unforked, ...unswapped, recordFormat: 'put' as const },
    acknowledgements: [
      {
        ...{ reason: 'wrongPartition', positions: [0, 2 ** 40, 7], by: 'ann', principal: 'http 10.0.0.7' },
        ...{ why: 'sent again', acknowledgedAtMs: atMs },
      },
      {
        ...{ reason: null, positions: [9], by: null, principal: 'alice' },
        ...{ why: 'they were tests', acknowledgedAtMs: atMs },
      },
    ],
  },
];
