import { emptyingProblem, explainSubject, planLimits, plansWithoutRoom, waitAlarms } from '../../src';
import { problemsOf, registration } from '../cluster-script';
import { PlanScript } from './plan-script';

const observed = (nodeId: string) => ({
  ...{ nodeId, incarnation: `run-1-${nodeId}`, silentMs: 1_500, observers: ['m1'], reports: [] },
});

/** A move that has switched and given up a replica on a node which went silent before it could clear the unit. */
function waiting(): PlanScript & { planId: string; from: string; unitId: string } {
  const script = new PlanScript();
  script.nodes(6, 6);
  const [chunk] = script.namespace('shop', { chunks: 2, replicas: 3, partitions: 4 });
  const { nodeId: from, unitId } = chunk!.replicas[0]!;
  const { planId } = script.propose({ kind: 'move', chunkId: chunk!.chunkId, from, observeMs: 0 });
  script.until(planId, 'reclaim');
  script.accept('SuspectNode', observed(from));
  script.ideal.run(50);
  return Object.assign(script, { planId, from, unitId });
}

const alarms = (script: PlanScript): string[] => waitAlarms(script.state, script.nowMs);

it('a plan that waits for a node which is silent says for whom, and is an alarm after a while', () => {
  const script = waiting();
  const { planId, from, unitId } = script;
  expect(script.plan(planId)).toMatchObject({ state: 'reclaiming', step: 'reclaim' });
  expect(alarms(script)).toEqual([]);
  const reason = `node ${from}, which is suspect, to clear unit ${unitId}`;
  expect(explainSubject(script.state, planId, script.nowMs)?.now).toContain(`, waits since 0 s for ${reason}`);
  script.nowMs += planLimits.waitAlarmMs;
  expect(alarms(script)).toEqual([
    expect.stringMatching(`^plan ${planId} \\(move\\) waits since \\d+ s for ${reason}$`),
  ]);
});

it('a node that was given up keeps no plan waiting: its unit is cleared when it returns', () => {
  const script = waiting();
  const { planId, from, unitId } = script;
  script.accept('LoseNode', observed(from));
  script.finish();
  expect(script.plan(planId)).toMatchObject({ state: 'done', step: 'none' });
  expect(script.state.unit(unitId)?.state).toBe('reclaiming');
  script.node(from, { unitCount: 6, incarnation: 'run-2' });
  script.ideal.round();
  expect(script.state.unit(unitId)).toMatchObject({ state: 'free', chunkId: null });
  expect(problemsOf(script.state)).toEqual([]);
});

it('a node that returns with another disk has nothing left to clear', () => {
  const script = waiting();
  const { planId, from, unitId } = script;
  script.accept('LoseNode', observed(from));
  script.finish();
  const disk = { storeId: 'another', incarnation: 'run-2', replaces: `store-${from}` };
  script.accept('RegisterNode', registration(from, { unitCount: 6, ...disk }));
  expect(script.plan(planId).state).toBe('done');
  expect(script.state.unit(unitId)).toMatchObject({ state: 'free', storeId: 'another' });
  expect(problemsOf(script.state)).toEqual([]);
});

it('people and plans that load keep others waiting without an alarm; a target that is silent does not', () => {
  const script = new PlanScript();
  script.nodes(6, 6);
  const [a, b] = script.namespace('shop', { chunks: 2, replicas: 3, partitions: 4 });
  const of = (chunk: typeof a) => ({ kind: 'move', chunkId: chunk!.chunkId, from: chunk!.replicas[0]!.nodeId });
  script.propose({ ...of(a), hold: true });
  const { planId } = script.propose(of(b));
  script.until(planId, 'copy');
  script.nowMs += planLimits.waitAlarmMs;
  expect(alarms(script)).toEqual([]);
  script.until(planId, 'verify');
  const target = script.plan(planId).targets[0]!.replicas[0]!.nodeId;
  script.accept('SuspectNode', observed(target));
  script.nowMs += planLimits.waitAlarmMs;
  expect(alarms(script)).toEqual([expect.stringContaining(`node ${target}, which makes a replica and is not up`)]);
});

describe('a plan that has no place for its next part is told at once', () => {
  it('a drain with as many nodes as replicas; not any more once a node joins', () => {
    const script = new PlanScript();
    script.nodes(3, 6);
    script.namespace('shop', { chunks: 2, replicas: 3, partitions: 4 });
    const { planId } = script.propose({ kind: 'drain', nodeId: 'n1' });
    script.ideal.run(3);
    expect(script.plan(planId)).toMatchObject({ state: 'running', step: 'parts' });
    const [told, ...others] = plansWithoutRoom(script.state, script.nowMs);
    expect(others).toEqual([]);
    expect(told).toMatchObject({ planId, kind: 'drain', subject: 'n1' });
    expect(told?.refusal.message).toMatch(/failure domain|units/);
    expect(alarms(script)).toEqual([]);
    script.nodes(4, 6);
    expect(plansWithoutRoom(script.state, script.nowMs)).toEqual([]);
    script.finish();
    expect(script.plan(planId).state).toBe('done');
  });

  it('a drain that has room is none', () => {
    const script = new PlanScript();
    script.nodes(4, 6);
    script.namespace('shop', { chunks: 2, replicas: 3, partitions: 4 });
    const { planId } = script.propose({ kind: 'drain', nodeId: 'n1', observeMs: 0 });
    for (let i = 0; i < 200 && script.plan(planId).state !== 'done'; i++) {
      expect(plansWithoutRoom(script.state, script.nowMs)).toEqual([]);
      script.ideal.round();
    }
    expect(script.plan(planId).state).toBe('done');
  });

  it('a drain says from its proposal on that it cannot end where nothing has another place', () => {
    const script = new PlanScript();
    script.nodes(3, 3);
    script.namespace('shop', { chunks: 2, replicas: 3, partitions: 4 });
    const { planId } = script.propose({ kind: 'drain', nodeId: 'n2' });
    const problem = (): string | undefined => emptyingProblem(script.state, script.plan(planId), script.nowMs);
    expect(problem()).toMatch(/^shop#1\/c0000\d has replicas in every failure domain .*LEVEE_DOMAIN/);
    script.node('n4', { unitCount: 3 });
    expect(problem()).toBeUndefined();
  });
});
