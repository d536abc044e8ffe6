import { ClusterScript, MiB, problemsOf, registration } from './cluster-script';

/** Four nodes; namespace `shop` with one chunk on three of them; n4 free. */
function shopOnThree() {
  const script = new ClusterScript().nodes(3, 2);
  const [chunk] = script.namespace('shop', { chunks: 1, replicas: 3 });
  script.node('n4', { unitCount: 2 });
  if (chunk === undefined) throw new Error('a chunk was created');
  return { script, chunkId: chunk.chunkId };
}

describe('AllocateUnit', () => {
  it('adds a learner in the next generation; the second attempt changes nothing', () => {
    const { script, chunkId } = shopOnThree();
    const command = { unitId: 'n4/u00', generation: 0, chunkId };
    expect(script.accept('AllocateUnit', command).map((event) => event.entity.change)).toEqual([
      'UnitAllocated',
      'ReplicaAdded',
    ]);
    expect(script.state.chunk(chunkId)?.replicas.at(-1)).toEqual({
      nodeId: 'n4',
      storeId: 'store-n4',
      unitId: 'n4/u00',
      generation: 1,
      role: 'learner',
    });
    expect(script.accept('AllocateUnit', command)).toEqual([]);
    expect(script.state.route(chunkId)?.replicas).toHaveLength(3);
  });

  it.each([
    [{ unitId: 'n9/u00' }, 'UNIT_UNKNOWN'],
    [{ chunkId: 'shop#1/c00009' }, 'CHUNK_UNKNOWN'],
    [{ generation: 3 }, 'STALE_GENERATION: unit n4/u00 is in generation 0, not 3'],
    [{ unitId: 'n1/u00', generation: 1 }, 'accepted or UNIT_NOT_FREE'],
    [{ unitId: 'n1/u01' }, 'DOMAIN_TAKEN: shop#1/c00001 has its '],
    [{ generation: 'x' }, 'BAD_COMMAND'],
  ])('of %j is answered with %s', (wrong, expected) => {
    const { script, chunkId } = shopOnThree();
    const answer = script.answer('AllocateUnit', { unitId: 'n4/u00', generation: 0, chunkId, ...wrong });
    if (expected.startsWith('accepted or')) expect(answer).toMatch(/^UNIT_NOT_FREE: unit n1\/u00 is allocated/);
    else expect(answer).toContain(expected);
  });

  it('needs a unit as large as a chunk may grow', () => {
    const { script, chunkId } = shopOnThree();
    const units = [{ unitId: 'n5/u00', capacityBytes: 64 * MiB, engine: 'memory', generation: 0 }];
    script.accept('RegisterNode', registration('n5', { units }));
    expect(script.answer('AllocateUnit', { unitId: 'n5/u00', generation: 0, chunkId })).toMatch(/^UNIT_TOO_SMALL/);
  });
});

describe('ReclaimUnit and FinishReclaim', () => {
  it('FinishReclaim is believed from the node of the unit alone', () => {
    const { script, chunkId } = shopOnThree();
    script.accept('AllocateUnit', { unitId: 'n4/u00', generation: 0, chunkId });
    const unit = { unitId: 'n4/u00', generation: 1 };
    script.accept('ReclaimUnit', unit);
    for (const principal of ['node n1', 'user/test', 'http 10.0.0.1', 'master m1'])
      expect(script.submit('FinishReclaim', unit, { principal }).rejection).toEqual({
        code: 'FORBIDDEN',
        message: `'${principal}' is not node n4, which alone speaks for unit n4/u00`,
      });
    expect(script.state.unit('n4/u00')?.state).toBe('reclaiming');
    script.accept('FinishReclaim', unit);
    expect(script.state.unit('n4/u00')?.state).toBe('free');
  });

  it('clear exactly one generation, after which the unit is free for any namespace', () => {
    const { script, chunkId } = shopOnThree();
    script.accept('AllocateUnit', { unitId: 'n4/u00', generation: 0, chunkId });
    const generation = 1;
    expect(script.answer('FinishReclaim', { unitId: 'n4/u00', generation })).toMatch(
      /^UNIT_IN_USE: .*reclaim it first/,
    );
    script.accept('ReclaimUnit', { unitId: 'n4/u00', generation });
    expect(script.state.unit('n4/u00')).toMatchObject({ state: 'reclaiming', chunkId, generation });
    expect(script.state.chunk(chunkId)?.replicas).toHaveLength(3);
    expect(script.accept('ReclaimUnit', { unitId: 'n4/u00', generation })).toEqual([]);
    script.accept('FinishReclaim', { unitId: 'n4/u00', generation });
    expect(script.state.unit('n4/u00')).toMatchObject({ state: 'free', chunkId: null, generation });
    expect(script.accept('FinishReclaim', { unitId: 'n4/u00', generation })).toEqual([]);
    expect(script.answer('ReclaimUnit', { unitId: 'n4/u00', generation: 2 })).toMatch(/^STALE_GENERATION/);
    expect(problemsOf(script.state)).toEqual([]);
  });

  it('I14: never take what readers rely on', () => {
    const { script } = shopOnThree();
    for (const nodeId of ['n1', 'n2', 'n3'])
      expect(script.answer('ReclaimUnit', { unitId: `${nodeId}/u00`, generation: 1 })).toMatch(
        /^UNIT_IN_USE: .*which readers use: move the chunk away first/,
      );
  });
});

describe('RequestBarrier', () => {
  it.each([
    [{ namespace: 'shop' }, 'accepted'],
    [{ namespace: 'shop', digest: true, chunks: ['shop#1/c00001'] }, 'accepted'],
    [{ namespace: 'shop', digest: 'yes' }, 'BAD_COMMAND: RequestBarrier.digest is "yes", it must be true or false'],
    [{ namespace: 'shop', chunks: ['shop#1/c00002'] }, 'CHUNK_UNKNOWN: namespace shop has no chunk shop#1/c00002'],
    [{ namespace: 'shop', chunks: [1] }, 'BAD_COMMAND'],
    [{ namespace: 'shop', partitions: [0] }, 'accepted'],
    [{ namespace: 'shop', partitions: [0, 1_000] }, 'BAD_COMMAND: namespace shop has no partition 1000'],
    [{ namespace: 'shop', partitions: ['0'] }, 'BAD_COMMAND'],
    [{ namespace: 'carts' }, 'NAMESPACE_UNKNOWN'],
  ])('%j: %s', (payload, expected) => {
    const { script } = shopOnThree();
    expect(script.answer('RequestBarrier', { id: 'audit-1', ...payload })).toContain(expected);
  });

  it('needs an active namespace', () => {
    const { script } = shopOnThree();
    script.accept('CreateNamespace', { name: 'carts', chunks: 1, replicas: 1 });
    expect(script.answer('RequestBarrier', { id: 'a', namespace: 'carts' })).toMatch(/^NAMESPACE_NOT_READY/);
  });
});
