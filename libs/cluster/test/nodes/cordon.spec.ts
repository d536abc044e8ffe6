import { viewNodes } from '../../src';
import { problemsOf, registration } from '../cluster-script';
import { PlanScript } from '../plans/plan-script';

const isCordoned = (script: PlanScript, nodeId: string): boolean | undefined => script.state.node(nodeId)?.cordoned;
const replicasOn = (script: PlanScript, nodeId: string): number => [...script.state.chunksOn(nodeId)].length;

/** Four nodes with units to spare, `shop` with two chunks of two replicas. */
function shop(): PlanScript {
  const script = new PlanScript();
  script.nodes(4, 8);
  script.namespace('shop', { chunks: 2, replicas: 2, partitions: 4 });
  return script;
}

it('a cordon lasts through restarts and another disk until it is lifted, and says so', () => {
  const script = shop();
  script.accept('CordonNode', { nodeId: 'n1' });
  expect(script.submit('CordonNode', { nodeId: 'n1' }).events).toHaveLength(1);
  script.node('n1', { unitCount: 8, incarnation: 'run-2' });
  expect(viewNodes(script.state).map(({ node }) => node.cordoned)).toEqual([true, false, false, false]);
  const disk = { incarnation: 'run-3', storeId: 'another', replaces: 'store-n1' };
  script.accept('RegisterNode', registration('n1', { unitCount: 8, ...disk }));
  expect(isCordoned(script, 'n1')).toBe(true);
  script.accept('UncordonNode', { nodeId: 'n1' });
  script.accept('UncordonNode', { nodeId: 'n1' });
  expect(isCordoned(script, 'n1')).toBe(false);
  expect(script.answer('CordonNode', { nodeId: 'n9' })).toBe(
    "NODE_UNKNOWN: there is no node 'n9': there are n1, n2, n3, n4",
  );
  expect(script.answer('UncordonNode', { nodeId: 'n9' })).toBe(
    "NODE_UNKNOWN: there is no node 'n9': there are n1, n2, n3, n4",
  );
});

it('no new replica comes to a cordoned node, by whatever way', () => {
  const script = shop();
  script.accept('CordonNode', { nodeId: 'n4' });
  const before = replicasOn(script, 'n4');
  script.namespace('carts', { chunks: 3, replicas: 3, partitions: 4 });
  const chunks = script.state.chunksOf('carts');
  for (const { replicas } of chunks) expect(replicas.map(({ nodeId }) => nodeId)).not.toContain('n4');
  const [chunk] = chunks;
  const { chunkId } = chunk!;
  const from = chunk!.replicas[0]!.nodeId;
  expect(script.answer('ProposePlan', { kind: 'move', chunkId, from, to: 'n4' })).toMatch(/^NODE_CORDONED: node n4 is/);
  expect(script.answer('AllocateUnit', { unitId: 'n4/u07', generation: 0, chunkId })).toMatch(/^NODE_CORDONED/);
  script.propose({ kind: 'rebalance', observeMs: 0 });
  script.propose({ kind: 'split', chunkId: script.state.chunksOf('shop')[0]!.chunkId, observeMs: 0 });
  script.finish(20_000);
  expect(replicasOn(script, 'n4')).toBeLessThanOrEqual(before);
  expect(problemsOf(script.state)).toEqual([]);
});

it('as many replicas as there are domains to put them in: those of cordoned nodes do not count', () => {
  const script = new PlanScript();
  script.nodes(3, 8);
  script.accept('CordonNode', { nodeId: 'n1' });
  script.namespace('shop', { chunks: 1, partitions: 4 });
  expect(script.state.namespace('shop')?.replicas).toBe(2);
});

describe('a drain', () => {
  const drained = (script: PlanScript): string => {
    const { planId } = script.propose({ kind: 'drain', nodeId: 'n1', observeMs: 0 });
    script.until(planId, 'parts');
    script.ideal.step();
    return planId;
  };

  it('cordons its node when it begins, and the node stays empty when the plan is forgotten', () => {
    const script = shop();
    const planId = drained(script);
    script.finish();
    script.nowMs += 25 * 3_600_000;
    for (let i = 0; i < 3; i++) script.accept('CordonNode', { nodeId: 'n1' });
    expect(script.state.plan(planId)).toBeUndefined();
    script.propose({ kind: 'rebalance', observeMs: 0 });
    script.finish(20_000);
    expect([isCordoned(script, 'n1'), replicasOn(script, 'n1')]).toEqual([true, 0]);
    script.accept('UncordonNode', { nodeId: 'n1' });
    script.propose({ kind: 'rebalance', observeMs: 0 });
    script.finish(20_000);
    expect(replicasOn(script, 'n1')).toBeGreaterThan(0);
  });

  it('that is cancelled leaves its node cordoned; one that waits for people does not cordon yet', () => {
    const script = shop();
    const held = script.propose({ kind: 'drain', nodeId: 'n2', hold: true });
    expect(isCordoned(script, 'n2')).toBe(false);
    script.accept('CancelPlan', { planId: held.planId });
    const planId = drained(script);
    script.accept('CancelPlan', { planId });
    script.finish();
    expect([isCordoned(script, 'n1'), isCordoned(script, 'n2')]).toEqual([true, false]);
  });

  it('is refused while a node could not read what it records', () => {
    const script = shop();
    script.node('n3', { unitCount: 8, featureLevel: 1 });
    expect(script.answer('ProposePlan', { kind: 'drain', nodeId: 'n1' })).toMatch(/^NODE_TOO_OLD: node n3 reads/);
    expect(script.answer('CordonNode', { nodeId: 'n1' })).toMatch(/^NODE_TOO_OLD/);
  });
});

it('a format leaves its node as it found it: open, or cordoned by people', () => {
  for (const before of [false, true]) {
    const script = shop();
    if (before) script.accept('CordonNode', { nodeId: 'n1' });
    script.propose({ kind: 'format', nodeId: 'n1', units: '8x256MiB:leveldb', observeMs: 0 });
    script.finish(20_000);
    expect(isCordoned(script, 'n1')).toBe(before);
  }
});
