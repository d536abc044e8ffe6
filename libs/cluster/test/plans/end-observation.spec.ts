import type { PlanState } from '@levee/events';
import { nextPlanWork, viewPlan } from '../../src';
import { switchTime } from '../../src/placement/healing/plan-activity';
import { problemsOf } from '../cluster-script';
import { PlanScript } from './plan-script';

const observeMs = 600_000;

/** Four nodes with units to spare, `shop` with two chunks of three replicas, and a plan for the first. */
class Shop extends PlanScript {
  readonly chunkId: string;
  readonly from: string;

  constructor() {
    super();
    this.nodes(4, 6);
    const [chunk] = this.namespace('shop', { chunks: 2, replicas: 3, partitions: 4 });
    this.chunkId = chunk!.chunkId;
    this.from = chunk!.replicas[0]!.nodeId;
  }

  move(more: object = {}): string {
    return this.propose({ kind: 'move', chunkId: this.chunkId, from: this.from, observeMs, ...more }).planId;
  }

  moveAt(step: PlanState['step'], more: object = {}): string {
    const planId = this.move(more);
    this.until(planId, step);
    return planId;
  }

  drain(more: object = {}): string {
    return this.propose({ kind: 'drain', nodeId: this.from, observeMs, ...more }).planId;
  }

  after(kind: string, planId: string): string {
    this.accept(kind, { planId });
    return planId;
  }

  over(planId: string): string {
    this.finish();
    return planId;
  }

  fails(planId: string): string {
    const { attempt } = this.plan(planId);
    this.accept('FailPlan', { planId, attempt, code: 'STALLED', message: 'no progress' });
    return planId;
  }

  parts(planId: string): PlanState[] {
    return [...(viewPlan(this.state, planId)?.parts ?? [])];
  }

  /** Plays until a part of the plan is in that state. */
  untilPart(planId: string, state: PlanState['state']): PlanState {
    for (let i = 0; i < 500; i++) {
      const part = this.parts(planId).find((one) => one.state === state);
      if (part !== undefined) return part;
      this.ideal.step();
    }
    throw new Error(`no part of ${planId} is ${state}`);
  }
}

describe('people have seen enough', () => {
  it.each<[string, (script: Shop) => string, string]>([
    ['proposed', (script) => script.move({ hold: true }), 'is proposed at step allocate .* it has not begun'],
    ['running', (script) => script.moveAt('copy'), 'is running at step copy .* it has not switched'],
    ['verified', (script) => script.moveAt('switch'), 'is running at step switch .* it has not switched'],
    ['failed', (script) => script.fails(script.moveAt('copy')), 'is failed at step copy .* it has not switched'],
    ['cancelled', (script) => script.over(script.after('CancelPlan', script.moveAt('copy'))), 'is cancelled and'],
    ['observing', (script) => script.moveAt('observe'), 'accepted'],
    ['finished', (script) => script.after('EndObservation', script.moveAt('observe')), 'accepted'],
    ['stopped', (script) => script.fails(script.moveAt('observe')), 'is failed at step observe .* retry, rollback'],
    ['taken back', (script) => script.after('RollbackPlan', script.moveAt('observe')), 'is reclaiming at step observe'],
    [
      'rolledBack',
      (script) => script.over(script.after('RollbackPlan', script.moveAt('observe'))),
      'is rolledBack and',
    ],
    [
      'reclaiming',
      (script) => script.moveAt('reclaim', { observeMs: 0 }),
      'is reclaiming at step reclaim .* observed any more',
    ],
    ['done', (script) => script.over(script.move()), 'is done and .* observed any more'],
    ['a held drain', (script) => script.drain({ hold: true }), 'is proposed at step parts'],
    ['a drain', runningDrain, 'accepted'],
    ['a drain that is done', (script) => script.over(script.drain()), 'is done and'],
    ['a cancelled drain', cancelledDrain, 'is cancelled and .* finish its parts'],
  ])('of a plan that is %s', (_state, bring, answer) => {
    const script = new Shop();
    const planId = bring(script);
    const told = script.answer('EndObservation', { planId });
    expect(told).toMatch(
      answer === 'accepted' ? /^accepted/ : new RegExp(`^PLAN_NOT_READY: plan ${planId} .*${answer}`),
    );
    expect(problemsOf(script.state)).toEqual([]);
  });

  function runningDrain(script: Shop): string {
    const planId = script.drain();
    script.untilPart(planId, 'proposed');
    return planId;
  }

  function cancelledDrain(script: Shop): string {
    const planId = script.drain();
    script.untilPart(planId, 'observing');
    return script.after('CancelPlan', planId);
  }

  it('a move is done at once, after the same comparison; who asked and why is kept', () => {
    const script = new Shop();
    const planId = script.moveAt('observe');
    const switchedAtMs = script.nowMs;
    expect(script.answer('StartPlan', { planId })).toContain('possible now: rollback, finish');
    script.nowMs += 1_000;
    script.accept('EndObservation', { planId, reason: 'the graphs are flat' });
    const plan = script.plan(planId);
    expect(plan).toMatchObject({ state: 'observing', observeUntilMs: script.nowMs, change: 'ObservationEnded' });
    expect(switchTime(plan)).toBe(switchedAtMs);
    expect(JSON.parse(plan.history.at(-1)?.evidence ?? '')).toEqual({
      finishedBy: 'user/test',
      reason: 'the graphs are flat',
      observeMs: 1_000,
      observeUntilMs: script.nowMs,
    });
    expect(nextPlanWork(script.state, plan, script.nowMs)).toMatchObject({ kind: 'verify', purpose: 'reclaim' });
    script.until(planId, 'reclaim');
    expect(script.answer('RollbackPlan', { planId })).toMatch(/^PLAN_NOT_READY: .*what it superseded is gone/);
    expect(script.answer('EndObservation', { planId })).toMatch(/^accepted/);
    script.finish();
    expect(script.plan(planId).state).toBe('done');
    expect(script.nowMs - switchedAtMs).toBeLessThan(10_000);
    expect(script.moments(planId).slice(-3)).toEqual(['observe finished', 'observe ended', 'reclaim ended']);
    expect(script.answer('EndObservation', { planId })).toMatch(/^accepted/);
    expect(script.plan(planId).history.filter(({ what }) => what === 'finished')).toHaveLength(1);
  });

  it('it can be rolled back until what it superseded is given up', () => {
    const script = new Shop();
    const before = script.places(script.chunkId);
    const planId = script.after('EndObservation', script.moveAt('observe'));
    script.accept('RollbackPlan', { planId });
    expect(script.answer('EndObservation', { planId })).toMatch(/^PLAN_NOT_READY/);
    script.finish();
    expect(script.plan(planId).state).toBe('rolledBack');
    expect(script.places(script.chunkId)).toEqual(before);
  });

  it('of a drain: parts that observe end now, parts under way observe no more', () => {
    const script = new Shop();
    const planId = script.drain();
    const observing = script.untilPart(planId, 'observing');
    const other = script.parts(planId).find((part) => part.planId !== observing.planId);
    const beganMs = script.nowMs;
    script.accept('EndObservation', { planId });
    expect(script.plan(observing.planId).observeUntilMs).toBe(beganMs);
    expect(script.plan(other!.planId)).toMatchObject({ state: 'proposed', observeMs: 0 });
    expect(script.plan(planId)).toMatchObject({ state: 'running', observeMs: 0 });
    for (const one of [planId, observing.planId, other!.planId])
      expect(script.plan(one).history.at(-1)).toMatchObject({ what: 'finished', seq: script.plan(one).seq });
    script.finish();
    expect(script.plan(planId).state).toBe('done');
    expect(script.nowMs - beganMs).toBeLessThan(60_000);
    expect([...script.state.unitsOf(script.from)].every(({ state }) => state === 'free')).toBe(true);
    expect(problemsOf(script.state)).toEqual([]);
  });

  it('of a format: it goes on to make the units, and a second attempt finds that done', () => {
    const script = new Shop();
    const { planId } = script.propose({ kind: 'format', nodeId: script.from, units: '4x256MiB:leveldb', observeMs });
    const part = script.untilPart(planId, 'running');
    const beganMs = script.nowMs;
    script.accept('EndObservation', { planId });
    expect(script.plan(part.planId)).toMatchObject({ state: 'running', observeMs: 0 });
    script.until(planId, 'reformat');
    expect(script.nowMs - beganMs).toBeLessThan(60_000);
    expect(script.answer('EndObservation', { planId })).toMatch(/^accepted/);
  });

  it('of a rebalance: parts that it thinks of later observe no more, nor one that it had thought of before', () => {
    const script = new PlanScript();
    script.nodes(3, 24);
    script.namespace('shop', { chunks: 6, replicas: 3, partitions: 4 });
    script.node('n4', { unitCount: 24 });
    const { planId } = script.propose({ kind: 'rebalance', observeMs });
    script.accept('StartPlan', { planId });
    const work = nextPlanWork(script.state, script.plan(planId), script.nowMs);
    const thoughtOf = work.kind === 'propose' ? work.payloads[0]! : {};
    expect(thoughtOf).toMatchObject({ kind: 'move', observeMs });
    const beganMs = script.nowMs;
    script.accept('EndObservation', { planId });
    expect(script.propose(thoughtOf)).toMatchObject({ kind: 'move', parent: planId, observeMs: 0 });
    script.finish(20_000);
    const parts = viewPlan(script.state, planId)?.parts ?? [];
    expect(parts.length).toBeGreaterThan(3);
    expect(new Set(parts.map((part) => `${part.state} ${part.observeMs}`))).toEqual(new Set(['done 0']));
    expect(script.nowMs - beganMs).toBeLessThan(observeMs);
  });

  it.each([
    [{ planId: 'p999' }, /^PLAN_UNKNOWN/],
    [{}, /^BAD_COMMAND: EndObservation.planId/],
    [{ planId: 'p999', reason: '' }, /^BAD_COMMAND: EndObservation.reason/],
    [{ planId: 'p999', force: true }, /^BAD_COMMAND/],
  ])('%j is refused', (payload, answer) => {
    expect(new Shop().answer('EndObservation', payload)).toMatch(answer);
  });
});
