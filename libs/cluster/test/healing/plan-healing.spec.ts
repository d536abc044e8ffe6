import type { PlanState } from '@levee/events';
import { MiB } from './simulated-cluster';
import { c, said, Scene } from './healing-scene';

test('a cluster in order gets no plans, and nothing needs an excuse', () => {
  const scene = new Scene();
  for (let i = 0; i < 20; i++) expect(scene.said(1)).toEqual([]);
});

describe('a dead replica', () => {
  test('is made up for at once, on a node in another failure domain, the chunks with the fewest replicas first', () => {
    const scene = new Scene({ nodes: 5, chunks: 20 });
    scene.cluster.lose('n2');
    const twice = scene.cluster.state
      .chunksOf('app')
      .find((of) => of.replicas.filter((r) => r.nodeId !== 'n2').length === 2);
    const { nodeId } = twice?.replicas.find((of) => of.role !== 'dead') ?? { nodeId: '' };
    scene.cluster.changeReplicas(twice?.chunkId ?? '', (all) =>
      all.map((of) => (of.nodeId === nodeId ? { ...of, role: 'dead' } : of)),
    );
    const { proposals } = scene.round();
    const dead = scene.cluster.state
      .chunksOf('app')
      .filter(({ replicas }) => replicas.some(({ role }) => role === 'dead'));
    expect(proposals).toHaveLength(Math.min(dead.length, 16));
    expect(proposals[0]?.payload).toMatchObject({
      kind: 'reReplicate',
      chunkId: twice?.chunkId,
      trigger: 'deadReplica',
    });
    expect(proposals[0]?.payload.evidence).toMatchObject({ replicasLiving: 1, replicasWanted: 3 });
    for (const { payload } of proposals) {
      const chunk = scene.cluster.state.chunk(payload.chunkId as string);
      const living = chunk?.replicas.filter(({ role }) => role !== 'dead').map((of) => of.nodeId) ?? [];
      expect(living).not.toContain(payload.to);
      expect(payload.to).not.toBe('n2');
    }
    scene.carryOut({ ...scene.round(), proposals });
    scene.round(2);
    expect(scene.plans.done).toHaveLength(proposals.length);
  });

  test('takes the units kept for healing, and says when there are none at all', () => {
    // 6 chunks of 3 replicas on 4 nodes take 18 of 20 units; one node gone leaves room for 2 of its replicas at most.
    const scene = new Scene({ nodes: 4, units: 5, chunks: 6 });
    const died = scene.cluster.lose('n4');
    const { proposals, reasons } = scene.round();
    const free = ['n1', 'n2', 'n3'].reduce((sum, id) => sum + scene.cluster.state.freeUnitCount(id), 0);
    expect(proposals.length).toBeLessThanOrEqual(free);
    expect(proposals.length + reasons.length).toBe(died);
    expect(new Set(reasons.map(({ code }) => code))).toEqual(new Set(['NO_NODE']));
    expect(reasons[0]?.message).toMatch(/has 2 of 3 replicas.*add nodes or units/);
  });

  test('waits while many nodes are silent at once', () => {
    const scene = new Scene({ nodes: 6, chunks: 12 });
    scene.cluster.lose('n1');
    scene.cluster.setNode('n2', 'suspect');
    scene.cluster.setNode('n3', 'suspect');
    const { proposals, reasons } = scene.round();
    expect(proposals).toEqual([]);
    expect(new Set(reasons.map(({ code }) => code))).toEqual(new Set(['STORM']));
  });

  test('is proposed once: an open plan holds the chunk, and one that a person cancelled rests', () => {
    const scene = new Scene({ chunks: 1 });
    const [primary] = scene.cluster.state.chunksOf('app')[0]?.replicas ?? [];
    scene.cluster.lose(primary?.nodeId ?? '');
    const round = scene.round();
    expect(round.proposals).toHaveLength(1);
    scene.carryOut(round);
    expect(scene.said()).toEqual([`deadReplica ${c(1)}: PLAN_OPEN`]);
    const [plan] = [...scene.cluster.state.openPlans()] as [PlanState];
    scene.cluster.plan({ ...plan, state: 'cancelled', step: 'none', endedAtMs: scene.nowMs });
    expect(scene.said(0.5)).toEqual([`deadReplica ${c(1)}: COOLING_DOWN`]);
  });
});

describe('a full chunk', () => {
  test('is split when it lasts, by hysteresis', () => {
    const scene = new Scene().chunkLoads([10, 10, 10, 10, 10, 10, 10, 10], [MiB, 200 * MiB]);
    expect(scene.said()).toEqual([`fullChunk ${c(2)}: TOO_YOUNG`]);
    const round = scene.round(1);
    expect(said(round)).toEqual([`fullChunk split ${c(2)}`]);
    expect(round.proposals[0]?.payload.evidence).toEqual({
      storedBytes: 200 * MiB,
      capacityBytes: 256 * MiB,
      share: 200 / 256,
    });
    scene.chunkLoads([10, 10, 10, 10, 10, 10, 10, 10], [MiB, 175 * MiB]);
    expect(scene.said(1)).toEqual([`fullChunk split ${c(2)}`]);
    scene.chunkLoads([10, 10, 10, 10, 10, 10, 10, 10], [MiB, 165 * MiB]);
    expect(scene.said(1)).toEqual([]);
    scene.chunkLoads([10, 10, 10, 10, 10, 10, 10, 10], [MiB, 175 * MiB]);
    expect(scene.said(1)).toEqual([]);
  });

  test('without room for two new chunks says so', () => {
    const scene = new Scene({ nodes: 3, units: 9 }).chunkLoads(Array<number>(8).fill(10), [200 * MiB]);
    scene.round();
    const { reasons } = scene.round(1);
    expect(reasons.map(({ code }) => code)).toContain('NO_NODE');
    expect(reasons[0]?.message).toMatch(/2 new chunks of \d+ bytes need 2 free units/);
  });

  test('of one slot moves to a bigger unit, or says why not', () => {
    const scene = new Scene({ chunks: 1, replicas: 1, nodes: 1 });
    scene.cluster.addNamespace('tiny', { chunks: 1, replicas: 1, slots: [{ slotStart: 0, slotEnd: 1 }] });
    scene.load.maps.set('tiny', { rates: Float64Array.of(0), bytes: Float64Array.of(1e6 * 250 * MiB), keys: [] });
    scene.round();
    expect(scene.said(1)).toEqual(['fullChunk tiny#1/c00001: ONE_SLOT']);
    scene.cluster.addNodes(1, { units: 4, domains: 100, unitBytes: 1024 * MiB });
    const [proposal] = scene.round(1).proposals;
    expect(proposal?.payload).toMatchObject({ kind: 'move', from: 'n1', to: 'n2', unitId: 'n2/u000' });
  });

  test('beside another in one round names another unit', () => {
    const scene = new Scene({ chunks: 1, replicas: 1, nodes: 1 });
    for (const name of ['tiny', 'small']) {
      scene.cluster.addNamespace(name, { chunks: 1, replicas: 1, slots: [{ slotStart: 0, slotEnd: 1 }] });
      scene.load.maps.set(name, { rates: Float64Array.of(0), bytes: Float64Array.of(1e6 * 250 * MiB), keys: [] });
    }
    scene.cluster.addNodes(1, { units: 4, domains: 100, unitBytes: 1024 * MiB });
    scene.round();
    const moves = scene
      .round(1)
      .proposals.filter(({ payload }) => payload.kind === 'move' && payload.unitId !== undefined);
    expect(moves.map(({ payload }) => payload.unitId).sort()).toEqual(['n2/u000', 'n2/u001']);
  });
});

describe('a hot chunk', () => {
  const hot = 14_000;

  test('gives slots to a cold neighbour when that is enough', () => {
    const scene = new Scene().chunkLoads([10, 10, 10, 12_000, 100, 10, 10, 10]);
    expect(scene.said()).toContain(`hotChunk ${c(4)}: TOO_YOUNG`);
    const { proposals } = scene.round(2);
    expect(proposals[0]?.payload).toMatchObject({ kind: 'shift', trigger: 'hotChunk', chunkIds: [c(3), c(4)] });
    // Chunk 4 has slots 375,000 to 500,000; half of its load goes to chunk 3.
    expect(proposals[0]?.payload.at).toBeGreaterThan(435_000);
    expect(proposals[0]?.payload.at).toBeLessThan(440_000);
  });

  test('is split when its neighbours are busy too', () => {
    const scene = new Scene().chunkLoads([9_000, hot, 9_000, 9_000, 9_000, 9_000, 9_000, 9_000]);
    scene.round();
    expect(scene.said(2)).toContain(`hotChunk split ${c(2)}`);
  });

  test('is none because of one high figure: what follows from it must have been found all the time', () => {
    const scene = new Scene();
    const loads = (perSecond: number) => scene.chunkLoads([9_000, perSecond, 9_000, 9_000, 9_000, 9_000, 9_000, 9_000]);
    loads(hot);
    expect(scene.said()).toContain(`hotChunk ${c(2)}: TOO_YOUNG`);
    // Far above where a finding ends, below where one begins.
    loads(9_000);
    for (let minute = 0; minute < 10; minute++)
      expect(scene.said(1).filter((line) => line.startsWith('hotChunk'))).toEqual([]);
    loads(hot);
    scene.round();
    expect(scene.said(2)).toContain(`hotChunk split ${c(2)}`);
  });

  test('is left alone while its cut is observed, and is not cut for ever because of one key', () => {
    const scene = new Scene();
    const key = (perSecond: number): Scene =>
      scene.chunkLoads([5_000, 10, ...Array<number>(6).fill(5_000)], [], [{ slot: 130_000, perSecond }]);
    key(hot).round();
    const round = scene.round(2);
    scene.carryOut({ ...round, proposals: round.proposals.filter(({ payload }) => payload.trigger === 'hotChunk') });
    const codes: string[] = [];
    for (let minute = 0; minute < 60; minute++) {
      const { proposals, reasons } = scene.round(1);
      expect(proposals.filter(({ payload }) => payload.kind === 'split' || payload.kind === 'shift')).toEqual([]);
      codes.push(...reasons.filter(({ trigger }) => trigger === 'hotChunk').map(({ code }) => code));
    }
    expect(new Set(codes)).toEqual(new Set(['TOO_YOUNG', 'PLAN_OPEN', 'ONE_HOT_KEY']));
    expect(codes.at(-1)).toBe('ONE_HOT_KEY');
    // As long as it is the same key, more of it changes nothing.
    key(1_000).round(1);
    key(hot * 2).round(1);
    expect(scene.said(2)).toContainEqual(expect.stringMatching(/^hotChunk .*: ONE_HOT_KEY$/));
    // Once both halves did something, what one of them gets later is not what it was cut for.
    scene.chunkLoads([5_000, 4_000, ...Array<number>(6).fill(5_000)]).round(1);
    key(hot * 2).round(1);
    expect(scene.said(2)).toContainEqual(expect.stringMatching(/^hotChunk (split|shift) /));
  });

  test('is cut again when its load grew while the halves rested: it is not one key that is hot', () => {
    const scene = new Scene().chunkLoads([9_000, hot, 9_000, 9_000, 9_000, 9_000, 9_000, 9_000]);
    scene.round();
    const round = scene.round(2);
    const isCut = ({ payload }: { payload: { trigger: string } }): boolean => payload.trigger === 'hotChunk';
    scene.carryOut({ ...round, proposals: round.proposals.filter(isCut) });
    scene.chunkLoads([9_000, hot * 3, 9_000, 9_000, 9_000, 9_000, 9_000, 9_000]);
    const said: string[] = [];
    for (let minute = 0; minute < 20; minute++)
      said.push(...scene.said(1).filter((line) => line.startsWith('hotChunk')));
    expect(said).not.toContainEqual(expect.stringMatching(/ONE_HOT_KEY/));
    expect(said).toContainEqual(expect.stringMatching(/^hotChunk split /));
  });

  test('by the limit of its namespace, not only by the common one', () => {
    const scene = new Scene();
    const namespace = scene.cluster.state.namespace('app');
    if (namespace === undefined) throw new Error('no namespace');
    scene.cluster.state.evolve({
      kind: 'namespace',
      entity: { ...namespace, chunkRequestsPerSecond: 1_000, seq: ++scene.cluster.seq },
    });
    scene.chunkLoads([850, 10, 700, 10, 10, 10, 10, 10]);
    scene.round();
    expect(scene.said(2).filter((line) => line.startsWith('hotChunk'))).toEqual([
      expect.stringMatching(`hotChunk shift ${c(1)}\\+${c(2)} at \\d+`),
    ]);
  });
});

describe('cold neighbours', () => {
  test('are merged down to what the namespace asks for, after a long while', () => {
    const scene = new Scene({ chunks: 8, nodes: 4 });
    const namespace = scene.cluster.state.namespace('app');
    if (namespace === undefined) throw new Error('no namespace');
    scene.cluster.state.evolve({ kind: 'namespace', entity: { ...namespace, chunks: 6, seq: ++scene.cluster.seq } });
    expect(scene.said()).toEqual([
      `coldNeighbours ${c(1)}+${c(2)}: TOO_YOUNG`,
      ...[2, 3, 4, 5, 6, 7].map((i) => `coldNeighbours ${c(i)}+${c(i + 1)}: TOO_YOUNG`),
    ]);
    const round = scene.round(11);
    expect(said(round)).toEqual([`coldNeighbours merge ${c(1)}+${c(2)}`, `coldNeighbours merge ${c(3)}+${c(4)}`]);
    scene.carryOut(round);
    for (let minute = 0; minute < 60; minute++) expect(scene.round(1).proposals).toEqual([]);
    expect(scene.cluster.state.chunksOf('app')).toHaveLength(6);
  });

  test('stay when they are as many as were asked for', () => {
    const scene = new Scene();
    for (let minute = 0; minute < 30; minute++) expect(scene.said(1)).toEqual([]);
  });
});

test('the same findings in the same state get the same keys, in whatever order dispatchers ask', () => {
  const scene = new Scene({ nodes: 5, chunks: 20 });
  scene.cluster.lose('n2');
  const [first, second] = [scene.round(), scene.round(0)];
  expect(second.proposals.map(({ key }) => key)).toEqual(first.proposals.map(({ key }) => key));
  expect(new Set(first.proposals.map(({ key }) => key)).size).toBe(first.proposals.length);
});
