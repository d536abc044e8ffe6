import type { NamespaceState, NodeState } from '@levee/events';
import type { TopicReport } from '@levee/journal';
import { asOffset, asPartition } from '@levee/kernel';
import type { LogCondition } from '@levee/log';
import type { CutStat, DoctorFacts, NamespaceFacts, NodeFacts, NodeStat, ReplicaStat } from '../src/doctor/facts';

export const nowMs = 1_800_000_000_000;
const p = asPartition(3);

export const node = (nodeId: string, state: NodeState['state'] = 'up'): NodeState => ({
  nodeId,
  state,
  storeId: `s-${nodeId}`,
  incarnation: 'i',
  domain: nodeId,
  respAddress: `${nodeId}:7400`,
  httpAddress: `${nodeId}:7500`,
  featureLevel: 2,
  cordoned: false,
  registeredAtMs: 0,
  change: 'NodeRegistered',
  seq: 1,
  term: 1,
});

const replica = (of: Partial<ReplicaStat> = {}): ReplicaStat => ({
  chunkId: 'shop#1/c00001',
  namespace: 'shop',
  unitId: 'n1/u00',
  generation: 1,
  role: 'primary',
  state: 'following',
  readable: true,
  problem: null,
  positions: [{ partition: 3, nextOffset: 100, ageMs: 40, problem: null }],
  ...of,
});

export const says = (of: Partial<NodeStat> = {}): NodeStat => ({
  problem: null,
  seq: 9,
  unheardMs: 40,
  disk: { freeBytes: 60, totalBytes: 100 },
  replicas: [replica()],
  ...of,
});

export const hole = { binlog: 'b', partition: 3, fromOffset: 7, toOffset: 9, why: 'its CRC' };
export const aside = { unitId: 'n1/u01', folder: '/d/aside', reason: 'a byte', bytes: 7 };

export const nodeFacts = (nodeId: string, of: Partial<NodeFacts> = {}): NodeFacts => ({
  state: node(nodeId),
  says: says({ replicas: nodeId === 'n1' ? [replica()] : [] }),
  ...of,
});

export const shop: NamespaceFacts = {
  state: {
    name: 'shop',
    number: 1,
    binlog: 'levee.binlog.shop',
    state: 'active',
    replicas: 1,
    createdAtMs: nowMs - 3_600_000,
    sourceTopic: null,
    sourceFinding: 'none',
    sourceProblem: null,
    frozenBy: null,
    forkedFrom: null,
    leftPositions: [] as readonly number[],
    acknowledgements: [] as NamespaceState['acknowledgements'],
  } as NamespaceState,
  chunks: [
    {
      chunkId: 'shop#1/c00001',
      seq: 4,
      replicas: [{ unitId: 'n1/u00', nodeId: 'n1', storeId: 's-n1', generation: 1, role: 'primary' } as never],
    },
  ],
  ends: new Map([[3, 100]]),
};

/** Bad records of partition 3, which ends at 100, are dealt with below this offset. */
export const acknowledgedUpTo = (offset: number): NamespaceFacts => ({
  ...shop,
  state: {
    ...shop.state,
    acknowledgements: [
      { reason: null, positions: [0, 0, 0, offset], by: 'ann', principal: 'o', why: 'w', acknowledgedAtMs: nowMs },
    ],
  },
});

/** Of a namespace whose writes people froze so long ago. */
export const frozenFor = (ms: number) => ({
  ...{ frozenBy: 'operator', frozenReason: 'export', frozenAtMs: nowMs - ms, frozenSeq: 7, freezeConfirmedSeq: null },
});

/** A namespace that serves the topic `prices`, of which something was found. */
export const boundNamespace = (
  sourceFinding: NamespaceState['sourceFinding'],
  sourceProblem: string,
): NamespaceFacts => ({
  ...shop,
  state: { ...shop.state, name: 'prices', binlog: 'prices', sourceTopic: 'prices', sourceFinding, sourceProblem },
});

export const topics: TopicReport = {
  examined: 9,
  missing: [],
  misconfigured: [],
  losses: [],
  grown: [],
  advice: [],
  minInSync: new Map([['levee.binlog.shop', 2]]),
};

export const condition: LogCondition = {
  brokers: [{ nodeId: 1, address: 'k1:9092', settings: { 'transaction.max.timeout.ms': '900000' } }],
  weakPartitions: [],
  openTransactions: [],
  damage: [],
};

export const healthy: DoctorFacts = {
  log: { description: 'kafka k1:9092' },
  brokers: 'k1:9092',
  topics,
  condition,
  heard: [
    { kind: 'master', id: 'm1', incarnation: 'a', address: 'm1:7381' },
    { kind: 'node', id: 'n1', incarnation: 'i', address: 'n1:7400' },
  ],
  masterProblems: [],
  nodes: [nodeFacts('n1')],
  namespaces: [shop],
  seq: 99,
  quarantined: [],
  nowMs,
};

export const weak = (of: { hasLeader?: boolean; inSync: number }) => ({
  ...condition,
  weakPartitions: [{ topic: 'levee.binlog.shop', partition: p, hasLeader: true, replicas: 3, ...of }],
});

export const open = (lastAppendMs: number, transactionalId?: string): LogCondition => ({
  ...condition,
  openTransactions: [
    {
      topic: 'levee.binlog.shop',
      partition: p,
      producerId: 4711,
      producerEpoch: 2,
      transactionalId,
      startOffset: asOffset(7),
      withheldTo: asOffset(9),
      lastAppendMs,
    },
  ],
});

export const broker = (settings: Record<string, string>): LogCondition => ({
  ...condition,
  brokers: [{ nodeId: 1, address: 'k1:9092', settings }],
});

export const one = (of: Partial<ReplicaStat>, stat: Partial<NodeStat> = {}): Partial<DoctorFacts> => ({
  nodes: [nodeFacts('n1', { says: says({ replicas: [replica(of)], ...stat }) })],
});

export const at = (of: { nextOffset?: number; ageMs?: number | null; problem?: string | null; cut?: CutStat }) => ({
  positions: [{ partition: 3, nextOffset: 100, ageMs: 40, problem: null, ...of }],
});
