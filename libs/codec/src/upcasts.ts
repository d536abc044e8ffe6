import type {
  NamespaceState,
  NamespaceStateV1,
  NamespaceStateV2,
  NamespaceStateV3,
  NamespaceStateV4,
  NamespaceStateV5,
  NamespaceStateV6,
  NamespaceStateV7,
  NamespaceStateV8,
  NodeState,
  NodeStateV1,
  Quarantined,
  QuarantinedV1,
} from '@levee/events';
import type { Upcast } from './record-registry';

/** From every version of a record to the next one. */
export const upcasts: readonly Upcast[] = [
  {
    name: 'NamespaceState',
    toVersion: 2,
    upcast: (older: NamespaceStateV1): NamespaceStateV2 => ({ ...older, multi: 'refuse', flush: 'refuse' }),
  },
  {
    name: 'NamespaceState',
    toVersion: 3,
    upcast: (older: NamespaceStateV2): NamespaceStateV3 => ({
      ...older,
      recordFormat: 'put',
      sourceTopic: null,
      sourceTopicId: null,
      writable: true,
      expireWithRetention: false,
    }),
  },
  {
    name: 'NamespaceState',
    toVersion: 4,
    upcast: (older: NamespaceStateV3): NamespaceStateV4 => ({ ...older, sourceFinding: 'none', sourceProblem: null }),
  },
  {
    name: 'NamespaceState',
    toVersion: 5,
    upcast: (older: NamespaceStateV4): NamespaceStateV5 => ({
      ...older,
      frozenBy: null,
      frozenReason: null,
      frozenAtMs: null,
      frozenSeq: null,
      freezeConfirmedSeq: null,
      freezeWithout: [],
    }),
  },
  {
    name: 'NamespaceState',
    toVersion: 6,
    upcast: (older: NamespaceStateV5): NamespaceStateV6 => ({
      ...older,
      forkedFrom: null,
      forkedBinlog: null,
      forkedAtMs: null,
      forkedPositions: [],
      forkedDigest: null,
      forkedKeys: null,
    }),
  },
  {
    name: 'NamespaceState',
    toVersion: 7,
    upcast: (older: NamespaceStateV6): NamespaceStateV7 => ({
      ...older,
      bornAs: null,
      bornNumber: null,
      swappedWith: null,
      swappedAtMs: null,
      leftPositions: [],
    }),
  },
  {
    name: 'NamespaceState',
    toVersion: 8,
    upcast: (older: NamespaceStateV7): NamespaceStateV8 => ({ ...older, acknowledgements: [] }),
  },
  {
    name: 'NamespaceState',
    toVersion: 9,
    upcast: (older: NamespaceStateV8): NamespaceState => ({ ...older, retentionMs: null, hiddenAfterMs: null }),
  },
  { name: 'NodeState', toVersion: 2, upcast: (older: NodeStateV1): NodeState => ({ ...older, cordoned: false }) },
  { name: 'Quarantined', toVersion: 2, upcast: (older: QuarantinedV1): Quarantined => ({ ...older, toOffset: null }) },
];
