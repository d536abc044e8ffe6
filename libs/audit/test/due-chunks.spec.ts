import type { ClusterState } from '@levee/cluster';
import type { ChunkProof, ChunkState, NamespaceState } from '@levee/events';
import { dueAtMs, dueLimits, nextDue } from '../src/continuous/due-chunks';

const dayMs = 86_400_000;
const nowMs = 10 * dayMs;
const replica = (nodeId: string, generation = 1, role: ChunkState['replicas'][number]['role'] = 'follower') => ({
  ...{ nodeId, storeId: `s-${nodeId}`, unitId: `${nodeId}/u00`, generation, role },
});
const chunkOf = (index: number, count: number, namespace = 'shop'): ChunkState =>
  ({
    chunkId: `${namespace}#1/c${index}`,
    namespace,
    slotStart: Math.floor((index * 1_000_000) / count),
    slotEnd: Math.floor(((index + 1) * 1_000_000) / count),
    replicas: [replica('n1', 1, 'primary'), replica('n2')],
  }) as unknown as ChunkState;
const proofOf = (chunkId: string, of: Partial<ChunkProof> = {}): ChunkProof =>
  ({
    ...{ chunkId, verdict: 'proved', checkedAtMs: nowMs, intervalMs: dayMs },
    replicas: [
      { ...replica('n1'), holds: 'same' },
      { ...replica('n2'), holds: 'same' },
    ],
    ...of,
  }) as ChunkProof;

function stateOf(namespaces: Record<string, { of?: Partial<NamespaceState>; chunks: ChunkState[] }>): ClusterState {
  const all = Object.entries(namespaces).map(([name, { of }]) => ({
    ...{ name, state: 'active', partitions: 8, sourceTopic: null, ...of },
  }));
  return {
    namespaces: () => all,
    namespace: (name: string) => all.find((each) => each.name === name),
    chunksOf: (name: string) => namespaces[name]?.chunks ?? [],
  } as unknown as ClusterState;
}

describe('when a chunk is due', () => {
  const chunk = chunkOf(0, 8);
  it.each<[string, ChunkProof | undefined, number]>([
    ['never looked at', undefined, 0],
    ['proved', proofOf('c'), nowMs + 0.75 * dayMs],
    ['a replica is new', proofOf('c', { replicas: [{ ...replica('n1'), holds: 'same' }] }), nowMs + dayMs / 4],
    [
      'a replica is in another generation',
      proofOf('c', {
        replicas: [
          { ...replica('n1'), holds: 'same' },
          { ...replica('n2', 2), holds: 'same' },
        ],
      }),
      nowMs + dayMs / 4,
    ],
    ['one did not answer', proofOf('c', { verdict: 'incomplete' }), nowMs + dayMs / 4],
    ['one differs', proofOf('c', { verdict: 'replicaDiffers' }), nowMs + dueLimits.retryMs],
    ['the log differs', proofOf('c', { verdict: 'logDiffers' }), nowMs + dueLimits.retryMs],
  ])('%s', (_, proof, expected) => expect(dueAtMs(chunk, proof, dayMs)).toBe(expected));
});

describe('what is due next', () => {
  const due = (
    state: ClusterState,
    proofs: readonly ChunkProof[] = [],
    atMs = nowMs,
    blocked: readonly string[] = [],
  ) =>
    nextDue(state, (chunkId) => proofs.find((each) => each.chunkId === chunkId), {
      nowMs: atMs,
      intervalMs: dayMs,
      blocked: new Set(blocked),
    })?.chunkIds;
  const chunks = (count: number) => Array.from({ length: count }, (_, i) => chunkOf(i, count));
  const ids = (...of: number[]): string[] => of.map((i) => `shop#1/c${i}`);

  it('a chunk with partitions of its own is alone', () => {
    expect(due(stateOf({ shop: { chunks: chunks(8) } }))).toEqual(ids(0));
    expect(due(stateOf({ shop: { chunks: chunks(4) } }))).toEqual(ids(0));
  });

  it('neighbours that share a partition go together, so that it is read once', () => {
    expect(due(stateOf({ shop: { chunks: chunks(16) } }))).toEqual(ids(0, 1));
    expect(due(stateOf({ shop: { chunks: chunks(12) } }))).toEqual(ids(0, 1, 2));
    expect(
      due(
        stateOf({ shop: { chunks: chunks(12) } }),
        ids(0, 1, 2).map((id) => proofOf(id)),
      ),
    ).toEqual(ids(3, 4, 5));
  });

  it('so many and no more', () => {
    const state = stateOf({ shop: { of: { partitions: 1 }, chunks: chunks(100) } });
    expect(due(state)).toHaveLength(dueLimits.chunksAtOnceMax);
  });

  it('who waited longest is first, also by a clock that was set back', () => {
    const state = stateOf({ shop: { chunks: chunks(2) } });
    const proofs = [proofOf(ids(0)[0]!, { checkedAtMs: 5 }), proofOf(ids(1)[0]!, { checkedAtMs: 4 })];
    expect(due(state, proofs)).toEqual(ids(1));
    expect(
      due(
        state,
        ids(0, 1).map((id) => proofOf(id)),
      ),
    ).toBeUndefined();
    expect(due(state, [proofOf(ids(0)[0]!), proofOf(ids(1)[0]!, { checkedAtMs: nowMs + 2 * dayMs })])).toEqual(ids(1));
  });

  it('topics of others too', () => {
    const state = stateOf({ bound: { of: { sourceTopic: 'prices' }, chunks: [chunkOf(0, 1, 'bound')] } });
    expect(due(state)).toEqual(['bound#1/c0']);
  });

  it('not what is left alone for now, not what is deleted', () => {
    const state = stateOf({
      shop: { chunks: chunks(2) },
      gone: { of: { state: 'deleting' }, chunks: [chunkOf(0, 1, 'gone')] },
    });
    expect(due(state, [], nowMs, ids(0))).toEqual(ids(1));
    expect(due(state, [], nowMs, ids(0, 1))).toBeUndefined();
  });
});
