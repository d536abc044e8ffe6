import { nextEffects } from '../../src/effects';
import { ClusterScript, problemsOf, registration } from '../cluster-script';
import { PlanScript } from '../plans/plan-script';

const observed = (nodeId: string, others: Record<string, unknown> = {}) => ({
  nodeId,
  incarnation: `run-1-${nodeId}`,
  silentMs: 1_500,
  observers: ['m1'],
  reports: [{ by: 'portal p1', code: 'UNREACHABLE', count: 3, agoMs: 200 }],
  ...others,
});

/** Three nodes, or more; namespace `shop`, every chunk with three replicas. */
function shop(knobs: Record<string, unknown> = {}, nodes = 3): ClusterScript {
  const script = new ClusterScript().nodes(nodes, 8);
  script.namespace('shop', { chunks: 6, replicas: 3, ...knobs });
  return script;
}

const primariesOn = (script: ClusterScript, nodeId: string): number =>
  script.state.chunksOf('shop').filter((chunk) => primaryOf(chunk)?.nodeId === nodeId).length;
const primaryOf = <T extends { role: string }>({ replicas }: { replicas: readonly T[] }): T | undefined =>
  replicas.find((of) => of.role === 'primary');
const rolesOn = (script: ClusterScript, nodeId: string): string[] =>
  script.state
    .chunksOf('shop')
    .flatMap(({ replicas }) => replicas.flatMap((of) => (of.nodeId === nodeId ? [of.role] : [])));

describe('SuspectNode', () => {
  it('moves every primary of the node in the same decision, evenly, and the routes say so with its seq', () => {
    const script = shop();
    expect(primariesOn(script, 'n1')).toBe(2);
    const events = script.accept('SuspectNode', observed('n1'));
    const seq = script.journal.length;
    expect(events.map((event) => event.entity.change)).toEqual([
      'NodeSuspected',
      ...['PrimaryMoved', 'RouteChanged', 'PrimaryMoved', 'RouteChanged'],
    ]);
    expect(script.state.node('n1')?.state).toBe('suspect');
    expect(['n1', 'n2', 'n3'].map((node) => primariesOn(script, node))).toEqual([0, 3, 3]);
    expect(rolesOn(script, 'n1')).toEqual(Array<string>(6).fill('follower'));
    for (const route of script.state.routesOf('shop')) {
      expect(route.replicas).toHaveLength(3);
      expect(route.replicas[0]).toMatchObject({ role: 'primary' });
      expect(primaryOf(script.state.chunk(route.chunkId)!)?.unitId).toBe(primaryOf(route)?.unitId);
    }
    expect([...script.state.routesOf('shop')].filter((route) => route.seq === seq)).toHaveLength(2);
    expect(problemsOf(script.state)).toEqual([]);
  });

  it('gives the lead to a follower that is not behind, of those that are to the one that lacks least', () => {
    const script = shop({}, 3);
    const led = script.state.chunksOf('shop').filter((chunk) => primaryOf(chunk)?.nodeId === 'n1');
    const [one, other] = led.map(({ chunkId }) => chunkId) as [string, string];
    const behind = [
      { chunkId: one, nodeId: 'n2', records: 5_000 },
      { chunkId: other, nodeId: 'n2', records: 2_000 },
      { chunkId: other, nodeId: 'n3', records: 9_000 },
    ];
    script.accept('SuspectNode', observed('n1', { behind }));
    expect([one, other].map((chunkId) => primaryOf(script.state.chunk(chunkId)!)?.nodeId)).toEqual(['n3', 'n2']);
    expect(problemsOf(script.state)).toEqual([]);
  });

  it('again changes nothing', () => {
    const script = shop();
    script.accept('SuspectNode', observed('n1'));
    expect(script.accept('SuspectNode', observed('n1'))).toEqual([]);
  });

  it('leaves a primary where it is when no follower is on a node that is up, and moves it when one returns', () => {
    const script = shop();
    for (const node of ['n1', 'n2', 'n3']) script.accept('SuspectNode', observed(node));
    expect(primariesOn(script, 'n3')).toBe(6);
    script.accept('ReviveNode', observed('n1'));
    expect(primariesOn(script, 'n1')).toBe(6);
    expect(problemsOf(script.state)).toEqual([]);
  });

  it.each([
    ['of another run of the node', { incarnation: 'run-0' }, 'STALE_INCARNATION: what was observed is run run-0 of'],
    ['of nobody', { nodeId: 'n9', incarnation: 'x' }, 'NODE_UNKNOWN: there is no node n9'],
    ['without its evidence', { observers: undefined }, 'BAD_COMMAND: SuspectNode.observers is missing'],
    ['with wrong evidence', { silentMs: -1 }, 'BAD_COMMAND: SuspectNode.silentMs is -1'],
    [
      'with a follower behind by nothing',
      { behind: [{ chunkId: 'c', nodeId: 'n2', records: 0 }] },
      'behind[0].records',
    ],
    ['with a report that says nothing', { reports: [{}] }, 'BAD_COMMAND: SuspectNode.reports[0].by is missing'],
  ])('%s is refused', (_what, wrong, answer) => {
    expect(shop().answer('SuspectNode', observed('n1', wrong))).toContain(answer);
  });
});

describe('LoseNode', () => {
  it('gives up the replicas of a suspect node: dead, and in no route; its units keep what they hold', () => {
    const script = shop();
    script.accept('SuspectNode', observed('n1'));
    script.accept('LoseNode', observed('n1', { silentMs: 600_000 }));
    expect(script.state.node('n1')?.state).toBe('lost');
    expect(rolesOn(script, 'n1')).toEqual(Array<string>(6).fill('dead'));
    for (const route of script.state.routesOf('shop')) {
      expect(route.replicas.map((of) => of.nodeId)).not.toContain('n1');
      expect(route.replicas).toHaveLength(2);
    }
    expect([...script.state.unitsOf('n1')].filter((unit) => unit.state === 'allocated')).toHaveLength(6);
    expect(script.accept('LoseNode', observed('n1'))).toEqual([]);
    expect(problemsOf(script.state)).toEqual([]);
  });

  it('only flags the node where a person decides about failovers', () => {
    const script = shop({ failoverStrategy: 'manual' });
    script.accept('SuspectNode', observed('n1'));
    script.accept('LoseNode', observed('n1'));
    expect(script.state.node('n1')?.state).toBe('lost');
    expect(rolesOn(script, 'n1')).toEqual(Array<string>(6).fill('follower'));
  });

  it('never gives up the last replica of a chunk, since nothing could take its place', () => {
    const script = shop({ replicas: 1 });
    script.accept('SuspectNode', observed('n1'));
    script.accept('LoseNode', observed('n1'));
    expect(rolesOn(script, 'n1')).toEqual(['primary', 'primary']);
    expect([...script.state.routesOf('shop')].every((route) => route.replicas.length === 1)).toBe(true);
  });

  it('of a primary that nobody who is up could follow hands it to the best that is left', () => {
    const script = shop({}, 6);
    const [chunk] = script.state.chunksOf('shop');
    const [first, second, third] = chunk!.replicas.map((of) => of.nodeId) as [string, string, string];
    for (const node of [second, third]) script.accept('MaintainNode', { nodeId: node, forMs: 60_000 });
    script.accept('SuspectNode', observed(first));
    expect(primaryOf(script.state.chunk(chunk!.chunkId)!)?.nodeId).toBe(first);
    script.accept('LoseNode', observed(first));
    expect([second, third]).toContain(primaryOf(script.state.chunk(chunk!.chunkId)!)?.nodeId);
  });

  it('is refused while more than a third of the nodes are silent: the storm brake', () => {
    const script = shop({}, 5);
    for (const node of ['n1', 'n2']) script.accept('SuspectNode', observed(node));
    expect(script.answer('LoseNode', observed('n1'))).toMatch(/^STORM_BRAKE: 2 of 5 nodes are suspect, more than 33 %/);
    script.accept('ReviveNode', observed('n2'));
    expect(script.answer('LoseNode', observed('n1'))).toBe('accepted');
  });

  it('needs a suspect', () => {
    expect(shop().answer('LoseNode', observed('n1'))).toMatch(/^NODE_NOT_SUSPECT/);
  });
});

describe('a node that comes back', () => {
  it.each([
    ['heard again', (script: ClusterScript) => script.accept('ReviveNode', observed('n1'))],
    [
      'restarted',
      (script: ClusterScript) =>
        script.accept('RegisterNode', registration('n1', { unitCount: 8, incarnation: 'run-2' })),
    ],
  ])('%s has its replicas again, as followers', (_how, comeBack) => {
    const script = shop();
    script.accept('SuspectNode', observed('n1'));
    script.accept('LoseNode', observed('n1'));
    comeBack(script);
    expect(script.state.node('n1')?.state).toBe('up');
    expect(rolesOn(script, 'n1')).toEqual(Array<string>(6).fill('follower'));
    expect([...script.state.routesOf('shop')].every((route) => route.replicas.length === 3)).toBe(true);
    expect(problemsOf(script.state)).toEqual([]);
  });

  it('does not take back what has been replaced since, nor a unit that was cleared', () => {
    const script = new PlanScript();
    script.nodes(4, 8).namespace('shop', { chunks: 6, replicas: 3 });
    const chunk = script.state.chunksOf('shop').find(({ replicas }) => replicas.some((of) => of.nodeId === 'n1'))!;
    const given = chunk.replicas.find((of) => of.nodeId === 'n1')!;
    const roleOfGiven = (): string | undefined =>
      script.state.chunk(chunk.chunkId)?.replicas.find((of) => of.unitId === given.unitId)?.role;
    script.accept('SuspectNode', observed('n1'));
    script.accept('LoseNode', observed('n1'));
    const { planId } = script.propose({ kind: 'reReplicate', chunkId: chunk.chunkId });
    script.until(planId, 'observe');
    script.accept('ReviveNode', observed('n1'));
    expect(roleOfGiven()).toBe('dead');
    script.finish();
    expect(roleOfGiven()).toBeUndefined();
    expect(problemsOf(script.state)).toEqual([]);
  });

  it('has its replica again although a plan was about to replace it, and that plan is cancelled', () => {
    const script = new PlanScript();
    script.nodes(4, 8);
    const [chunk] = script.namespace('shop', { chunks: 1, replicas: 3 });
    const nodeId = chunk!.replicas[2]!.nodeId;
    script.accept('SuspectNode', observed(nodeId));
    script.accept('LoseNode', observed(nodeId));
    const { planId } = script.propose({ kind: 'reReplicate', chunkId: chunk!.chunkId });
    script.until(planId, 'copy');
    script.accept('ReviveNode', observed(nodeId));
    expect(script.state.chunk(chunk!.chunkId)?.replicas.find((of) => of.nodeId === nodeId)?.role).toBe('follower');
    script.finish();
    expect(script.plan(planId)).toMatchObject({ state: 'cancelled' });
    expect(script.places(chunk!.chunkId)).toHaveLength(3);
    expect(problemsOf(script.state)).toEqual([]);
  });

  it('on an empty disk under its old name gets nothing that it does not have', () => {
    const script = shop();
    script.accept('SuspectNode', observed('n1'));
    script.accept('LoseNode', observed('n1'));
    script.accept('RegisterNode', registration('n1', { unitCount: 8, storeId: 'new', incarnation: 'run-2' }));
    expect(rolesOn(script, 'n1')).toEqual(Array<string>(6).fill('dead'));
    expect(script.state.freeUnitCount('n1')).toBe(8);
  });
});

describe('maintenance', () => {
  it('hands primaries over and suspends suspicion, also over a restart, until it is ended', () => {
    const script = shop();
    script.accept('MaintainNode', { nodeId: 'n1', forMs: 1_200_000 });
    expect(primariesOn(script, 'n1')).toBe(0);
    for (const kind of ['SuspectNode', 'LoseNode', 'ReviveNode'])
      expect(script.answer(kind, observed('n1'))).toMatch(/^NODE_IN_MAINTENANCE/);
    script.accept('RegisterNode', registration('n1', { unitCount: 8, incarnation: 'run-2' }));
    expect(script.state.node('n1')).toMatchObject({ state: 'maintenance', incarnation: 'run-2' });
    expect(script.accept('MaintainNode', { nodeId: 'n1', forMs: 1_200_000 })).toEqual([]);
    script.accept('EndMaintenance', { nodeId: 'n1' });
    expect(script.state.node('n1')?.state).toBe('suspect');
    expect(script.accept('EndMaintenance', { nodeId: 'n1' })).toEqual([]);
    script.accept('ReviveNode', observed('n1', { incarnation: 'run-2' }));
    expect(script.state.node('n1')?.state).toBe('up');
    expect(problemsOf(script.state)).toEqual([]);
  });

  it.each([
    [{ nodeId: 'n9', forMs: 5_000 }, 'NODE_UNKNOWN'],
    [
      { nodeId: 'n1', forMs: 5 },
      'BAD_COMMAND: MaintainNode.forMs is 5, it must be an integer from 1000 to 604800000 ms',
    ],
    [{ nodeId: 'n1' }, 'BAD_COMMAND: MaintainNode.forMs is missing'],
  ])('%j is refused: %s', (payload, answer) => {
    expect(shop().answer('MaintainNode', payload)).toContain(answer);
  });

  it('of a lost node is refused: its replicas were given up already', () => {
    const script = shop();
    script.accept('SuspectNode', observed('n1'));
    script.accept('LoseNode', observed('n1'));
    expect(script.answer('MaintainNode', { nodeId: 'n1', forMs: 5_000 })).toMatch(/^NODE_IS_LOST/);
    expect(nextEffects(script.state)).toEqual([]);
  });
});
