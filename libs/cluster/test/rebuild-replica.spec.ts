import { ClusterScript } from './cluster-script';

/** Namespace `shop` with one chunk on three nodes. */
function shopOnThree() {
  const script = new ClusterScript().nodes(3, 2);
  const [chunk] = script.namespace('shop', { chunks: 1, replicas: 3 });
  if (chunk === undefined) throw new Error('a chunk was created');
  const [blamed, agrees] = chunk.replicas.map(({ role: _, ...named }) => named);
  if (blamed === undefined || agrees === undefined) throw new Error('it has replicas');
  const order = {
    ...{ namespace: 'shop', chunkId: chunk.chunkId, replica: blamed, agrees },
    incarnation: `run-1-${blamed.nodeId}`,
    ...{ proofId: 'proof/1', partition: 3, barrierOffset: 17, digest: 'a'.repeat(32), logDigest: 'b'.repeat(32) },
  };
  return { script, order, blamed, agrees };
}

describe('RebuildReplica', () => {
  it('is accepted and changes nothing by itself, also the second time', () => {
    const { script, order } = shopOnThree();
    expect(script.accept('RebuildReplica', order)).toEqual([]);
    expect(script.accept('RebuildReplica', order)).toEqual([]);
  });

  type Wrong = (of: ReturnType<typeof shopOnThree>) => object;
  it.each<[string, Wrong, RegExp]>([
    ['an unknown chunk', () => ({ chunkId: 'shop#1/c00009' }), /^CHUNK_UNKNOWN: /],
    ['a chunk of another namespace', () => ({ namespace: 'shop2' }), /^CHUNK_UNKNOWN: /],
    ['equal digests', () => ({ digest: 'b'.repeat(32) }), /^BAD_COMMAND: digest and logDigest are the same/],
    [
      'another generation',
      ({ blamed }) => ({ replica: { ...blamed, generation: 7 } }),
      /^STALE_EVIDENCE: n\d\/u\d+ in generation 7/,
    ],
    ['another disk', ({ blamed }) => ({ replica: { ...blamed, storeId: 's' } }), /^STALE_EVIDENCE: /],
    [
      'an earlier run of the node',
      () => ({ incarnation: 'run-0' }),
      /^STALE_INCARNATION: node n\d runs as run-1-n\d, not as run-0/,
    ],
    [
      'nobody else who agrees',
      ({ blamed }) => ({ agrees: blamed }),
      /^STALE_EVIDENCE: .* does not serve shop#1\/c00001 in its place/,
    ],
    [
      'one that is no replica',
      ({ agrees }) => ({ agrees: { ...agrees, unitId: 'n9/u00' } }),
      /^STALE_EVIDENCE: n9\/u00/,
    ],
    ['no object', () => ({ replica: 'n1' }), /^BAD_COMMAND: RebuildReplica\.replica is "n1"/],
    [
      'a field too many',
      ({ blamed }) => ({ replica: { ...blamed, role: 'primary' } }),
      /^BAD_COMMAND: RebuildReplica\.replica has no field 'role'/,
    ],
  ])('is refused with %s', (_, wrong, expected) => {
    const of = shopOnThree();
    expect(of.script.answer('RebuildReplica', { ...of.order, ...wrong(of) })).toMatch(expected);
  });

  it('I14: is refused while the one that agrees is not up', () => {
    const { script, order, agrees } = shopOnThree();
    script.accept('MaintainNode', { nodeId: agrees.nodeId, forMs: 60_000 });
    expect(script.state.node(agrees.nodeId)?.state).toBe('maintenance');
    expect(script.answer('RebuildReplica', order)).toMatch(/^STALE_EVIDENCE: /);
  });

  it('is refused for a replica that is dead, and for one that is a learner', () => {
    const { script, order, blamed } = shopOnThree();
    const chunk = script.state.chunk(order.chunkId);
    if (chunk === undefined) throw new Error('it is there');
    for (const role of ['dead', 'learner', 'retired'] as const) {
      const replicas = chunk.replicas.map((each) => (each.unitId === blamed.unitId ? { ...each, role } : each));
      const state = Object.assign(Object.create(script.state) as typeof script.state, {
        chunk: () => ({ ...chunk, replicas }),
      });
      const other = Object.assign(Object.create(script) as ClusterScript, { state, journal: [] });
      expect(other.answer('RebuildReplica', order)).toMatch(/^STALE_EVIDENCE: .* is no readable replica/);
    }
  });
});
