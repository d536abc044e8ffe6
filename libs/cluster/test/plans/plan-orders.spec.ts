import { digestEvidence, explainSubject, nextPlanWork, simulatePlan, viewPlan } from '../../src';
import { picture, problemsOf } from '../cluster-script';
import { PlanScript } from './plan-script';

const observed = (nodeId: string) => ({
  ...{ nodeId, incarnation: `run-1-${nodeId}`, silentMs: 1_500, observers: ['m1'], reports: [] },
});

/** Four nodes with units to spare, `shop` with two chunks of three replicas. */
function shop(units = 6): PlanScript & { a: string; b: string; from: string } {
  const script = new PlanScript();
  script.nodes(4, units);
  const [a, b] = script.namespace('shop', { chunks: 2, replicas: 3, partitions: 4 });
  return Object.assign(script, { a: a!.chunkId, b: b!.chunkId, from: a!.replicas[0]!.nodeId });
}

function give(script: PlanScript, nodeId: string): void {
  script.accept('SuspectNode', observed(nodeId));
  script.accept('LoseNode', observed(nodeId));
}

describe('people and plans', () => {
  it('a cancel before the switch leaves no trace but numbers and generations', () => {
    const script = shop();
    const before = script.places(script.a);
    for (const step of ['copy', 'catchUp', 'verify'] as const) {
      const { planId } = script.propose({ kind: 'move', chunkId: script.a, from: script.from });
      script.until(planId, step);
      script.accept('CancelPlan', { planId });
      script.finish();
      expect(script.plan(planId).state).toBe('cancelled');
      expect(script.places(script.a)).toEqual(before);
      expect([...script.state.units()].filter(({ state }) => state !== 'free')).toHaveLength(6);
    }
  });

  it('a rollback after the switch returns the replica, role and all', () => {
    const script = shop();
    const before = script.places(script.a);
    const { planId } = script.propose({ kind: 'move', chunkId: script.a, from: script.from });
    script.until(planId, 'observe');
    expect(script.answer('CancelPlan', { planId })).toMatch(/^PLAN_NOT_READY: .*possible now: rollback/);
    script.accept('RollbackPlan', { planId });
    expect(script.places(script.a).filter((place) => !place.startsWith('retired'))).toEqual(before);
    expect(script.answer('ProposePlan', { kind: 'move', chunkId: script.a, from: script.from })).toMatch(
      /^PLAN_CONFLICT/,
    );
    script.finish();
    expect(script.plan(planId).state).toBe('rolledBack');
    expect(script.places(script.a)).toEqual(before);
    expect(problemsOf(script.state)).toEqual([]);
  });

  it('a held plan waits for approval, and so do those that the namespace wants to approve', () => {
    const script = shop();
    script.accept('AlterNamespace', { name: 'shop', manualPlans: ['split'] });
    const held = script.propose({ kind: 'move', chunkId: script.a, from: script.from, hold: true });
    const hot = script.propose({ kind: 'split', chunkId: script.b, trigger: 'hotChunk', evidence: { reads: 9 } });
    for (const { planId } of [held, hot]) {
      expect(script.plan(planId).approved).toBe(false);
      expect(nextPlanWork(script.state, script.plan(planId), script.nowMs)).toMatchObject({ reason: 'approval' });
      script.accept('ApprovePlan', { planId });
    }
    script.finish();
    expect([held, hot].map(({ planId }) => script.plan(planId).state)).toEqual(['done', 'done']);
  });

  it.each<[object, string]>([
    [{ kind: 'move', chunkId: 'nope', from: 'n1' }, "CHUNK_UNKNOWN: there is no chunk 'nope'"],
    [{ kind: 'split', chunkId: 'shop#1/c00001', at: [500_000] }, 'BAD_COMMAND: a cut at slot 500000 is not between'],
    [{ kind: 'merge', chunkIds: ['shop#1/c00001'] }, 'PLAN_NOT_NEEDED'],
    [{ kind: 'reReplicate', chunkId: 'shop#1/c00001' }, 'PLAN_NOT_NEEDED: shop#1/c00001 has 3 of 3 replicas'],
    [{ kind: 'drain', nodeId: 'n9' }, "NODE_UNKNOWN: there is no node 'n9'"],
    [{ kind: 'format', nodeId: 'n1', units: '8 big ones' }, "BAD_COMMAND: units is '8 big ones'"],
    [{ kind: 'format', nodeId: 'n1', units: '1000x1MiB,25x1MiB' }, 'at most 1024 units of 1MiB to 4TiB'],
    [{ kind: 'format', nodeId: 'n1', units: '4x512KiB:memory' }, 'at most 1024 units of 1MiB to 4TiB'],
    [{ kind: 'resize', namespace: 'shop', chunks: 2 }, 'PLAN_NOT_NEEDED'],
    [{ kind: 'rebalance', namespace: 'carts' }, 'NAMESPACE_UNKNOWN'],
    [{ kind: 'rebalance', parent: 'p1', trigger: 'parent' }, 'PLAN_UNKNOWN'],
    [{ kind: 'teleport' }, 'BAD_COMMAND: ProposePlan.kind is "teleport"'],
  ])('%j is refused: %s', (payload, answer) => {
    expect(shop().answer('ProposePlan', payload)).toContain(answer);
  });
});

describe('what stops a plan', () => {
  it('a digest that differs: nothing switches, the next attempt starts anew and succeeds', () => {
    const script = shop();
    const { planId } = script.propose({ kind: 'move', chunkId: script.a, from: script.from, observeMs: 0 });
    script.until(planId, 'verify');
    const work = nextPlanWork(script.state, script.plan(planId), script.nowMs);
    if (work.kind !== 'verify') throw new Error(`not to be verified: ${work.kind}`);
    const digests = work.expect.map((of, i) => ({
      ...of,
      incarnation: `run-1-${of.nodeId}`,
      ...{ barrierOffset: 9, keys: 1, digest: String(i).padStart(32, '0') },
    }));
    script.accept('VerifyPlan', { planId, attempt: 1, barrierId: 'b', ...digestEvidence(digests) });
    expect(script.plan(planId)).toMatchObject({ state: 'failed', failureCode: 'DIGEST_MISMATCH', failures: 1 });
    expect(script.places(script.a).filter((place) => place.startsWith('learner'))).toHaveLength(1);
    script.finish();
    expect(script.plan(planId)).toMatchObject({ state: 'done', attempt: 2, failureCode: null });
  });

  it('I11: evidence of a run that has ended since does not switch', () => {
    const script = shop();
    const { planId } = script.propose({ kind: 'move', chunkId: script.a, from: script.from });
    script.until(planId, 'switch');
    const { barrierId } = JSON.parse(script.plan(planId).verified ?? '{}') as { barrierId: string };
    const target = script.plan(planId).targets[0]!.replicas[0]!.nodeId;
    script.node(target, { unitCount: 6, incarnation: 'run-2' });
    expect(script.answer('SwitchPlan', { planId, attempt: 1, barrierId })).toMatch(/^STALE_EVIDENCE: I11/);
    expect(nextPlanWork(script.state, script.plan(planId), script.nowMs).kind).toBe('verify');
    script.finish();
    expect(script.plan(planId)).toMatchObject({ state: 'done', attempt: 1 });
  });

  it('the same failure again and again: later each time, never later than five minutes', () => {
    const script = shop();
    const { planId } = script.propose({ kind: 'move', chunkId: script.a, from: script.from });
    const pauses: number[] = [];
    for (let attempt = 1; attempt <= 11; attempt++) {
      script.until(planId, 'copy');
      script.accept('FailPlan', { planId, attempt, code: 'STALLED', message: 'no progress' });
      pauses.push((script.plan(planId).retryAtMs ?? 0) - script.nowMs);
      script.accept('RetryPlan', { planId });
    }
    expect(pauses.map((ms) => ms / 1_000)).toEqual([1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]);
  });

  it('the loss of its target: another one is chosen', () => {
    const script = shop();
    const { planId } = script.propose({ kind: 'split', chunkId: script.a, observeMs: 0 });
    const lost = script.until(planId, 'copy').targets[0]!.replicas[1]!.nodeId;
    give(script, lost);
    script.finish();
    expect(script.plan(planId)).toMatchObject({ state: 'done', attempt: 2 });
    expect(problemsOf(script.state)).toEqual([]);
  });
});

describe('plans made of parts', () => {
  it('drain empties the node, and nothing comes to it meanwhile', () => {
    const script = shop();
    const { planId } = script.propose({ kind: 'drain', nodeId: script.from, observeMs: 0 });
    script.finish();
    expect(script.plan(planId).state).toBe('done');
    expect([...script.state.unitsOf(script.from)].every(({ state }) => state === 'free')).toBe(true);
    expect(problemsOf(script.state)).toEqual([]);
  });

  it('format empties the node, waits for its new units, and no generation falls', () => {
    const script = shop();
    const before = new Map([...script.state.unitsOf(script.from)].map((unit) => [unit.unitId, unit.generation]));
    const units = '2x512MiB:memory,4x256MiB:leveldb';
    const { planId } = script.propose({ kind: 'format', nodeId: script.from, units, observeMs: 0 });
    script.until(planId, 'reformat', 5_000);
    script.finish();
    expect(script.plan(planId).state).toBe('done');
    const after = [...script.state.unitsOf(script.from)];
    expect(
      after
        .map(({ engine }) => engine)
        .sort()
        .slice(4),
    ).toEqual(['memory', 'memory']);
    for (const { unitId, generation } of after) expect(generation).toBeGreaterThanOrEqual(before.get(unitId) ?? 0);
  });

  it('rebalance gives a new node its share of replicas and primaries, and then has nothing left to do', () => {
    const script = new PlanScript();
    script.nodes(3, 20);
    script.namespace('shop', { chunks: 12, replicas: 3, partitions: 4 });
    script.node('n4', { unitCount: 20 });
    script.propose({ kind: 'rebalance', observeMs: 0 });
    script.finish(20_000);
    const chunks = script.state.chunksOf('shop');
    const count = (nodeId: string, roles: string[]): number =>
      chunks.flatMap(({ replicas }) => replicas).filter((of) => of.nodeId === nodeId && roles.includes(of.role)).length;
    expect(['n1', 'n2', 'n3', 'n4'].map((id) => count(id, ['primary', 'follower']))).toEqual([9, 9, 9, 9]);
    expect(['n1', 'n2', 'n3', 'n4'].map((id) => count(id, ['primary']))).toEqual([3, 3, 3, 3]);
    expect(problemsOf(script.state)).toEqual([]);
  });

  it('rebalance makes no more moves than the shares need: what is under way counts as done', () => {
    const script = new PlanScript();
    script.nodes(3, 24);
    script.namespace('shop', { chunks: 6, replicas: 3, partitions: 4 });
    script.node('n4', { unitCount: 24 });
    script.node('n5', { unitCount: 24 });
    const { planId } = script.propose({ kind: 'rebalance', observeMs: 0 });
    script.finish(20_000);
    const shares = ['n1', 'n2', 'n3', 'n4', 'n5'].map(
      (id) => script.state.chunksOf('shop').filter(({ replicas }) => replicas.some((of) => of.nodeId === id)).length,
    );
    expect(shares.sort()).toEqual([3, 3, 4, 4, 4]);
    const parts = viewPlan(script.state, planId)?.parts ?? [];
    expect(parts.filter(({ kind }) => kind === 'move')).toHaveLength(6);
  });
});

describe('a dry run', () => {
  it.each<[string, (script: ReturnType<typeof shop>) => object]>([
    ['move', ({ a, from }) => ({ kind: 'move', chunkId: a, from })],
    ['split', ({ a }) => ({ kind: 'split', chunkId: a, parts: 2 })],
    ['drain', ({ from }) => ({ kind: 'drain', nodeId: from })],
    ['resize', () => ({ kind: 'resize', namespace: 'shop', chunks: 3 })],
  ])('of a %s changes nothing and predicts what then happens', (_kind, proposal) => {
    const script = shop();
    const before = picture(script.state);
    const payload = { ...proposal(script), observeMs: 0 };
    const simulated = simulatePlan(script.state, { ...payload }, script.nowMs);
    if ('code' in simulated) throw new Error(simulated.message);
    expect(picture(script.state)).toBe(before);
    expect(simulated.prediction.outcome).toBe('done');
    expect(simulated.steps).toHaveLength(9);
    const { planId } = script.propose(payload);
    script.finish();
    expect(viewPlan(script.state, planId)?.steps.map(({ state }) => state)).toEqual(
      simulated.steps.map(({ state }) => state),
    );
    for (const { chunkId, replicas } of simulated.prediction.chunksAfter)
      expect(script.places(chunkId)).toEqual(replicas.map((of) => of.replace(/@\d+$/, '')).sort());
  });

  it('of a drain that has nowhere to go ends at once, and says why', () => {
    const script = new PlanScript();
    script.nodes(3);
    script.namespace('shop', { chunks: 24, replicas: 3, partitions: 4 });
    const proposal = { kind: 'drain', nodeId: 'n1' };
    const simulated = simulatePlan(script.state, proposal, script.nowMs);
    if ('code' in simulated) throw new Error(simulated.message);
    expect(simulated.prediction.outcome).toMatch(/^running at parts, waiting for unit n1\/.*: .*failure domain/);
    expect(simulated.prediction.decisions).toBeLessThan(10);
    const { planId } = script.propose(proposal);
    script.ideal.run(20);
    expect(explainSubject(script.state, planId, script.nowMs)?.now).toMatch(/waits since .*: .*failure domain/);
  });

  it.each([
    ['drain', { kind: 'drain', nodeId: 'n1' }],
    ['resize', { kind: 'resize', namespace: 'shop', chunks: 2 }],
  ])('of a %s names the plan that is in its way', (_kind, proposal) => {
    const { script, held } = heldByAnotherPlan();
    const simulated = simulatePlan(script.state, proposal, script.nowMs);
    if ('code' in simulated) throw new Error(simulated.message);
    expect(simulated.prediction.outcome).toContain(`plan ${held} (move, observing)`);
  });
});

/** The only chunk of a node is observed after a move. */
function heldByAnotherPlan(): { script: PlanScript; held: string } {
  const script = new PlanScript();
  script.nodes(2);
  const [chunk] = script.namespace('shop', { chunks: 1, replicas: 1, partitions: 1 });
  const from = chunk!.replicas[0]!.nodeId;
  const { planId: held } = script.propose({ kind: 'move', chunkId: chunk!.chunkId, from, to: 'n2', observeMs: 60_000 });
  script.until(held, 'observe');
  return { script, held };
}
