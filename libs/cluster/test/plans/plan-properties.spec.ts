import type { PlanState } from '@levee/events';
import fc from 'fast-check';
import { nextPlanWork } from '../../src';
import { replicasMade } from '../../src/plans/plan-shape';
import { badEvidence } from '../nodes/bad-evidence';
import { problemsOf, registration } from '../cluster-script';
import { PlanScript } from './plan-script';

/** A failure prints its seed; the full run tries ten times as many. */
const runs = (count: number): number => (process.env['LEVEE_TEST_FULL'] === '1' ? count * 10 : count);

type Act = (script: PlanScript) => void;

const nodeIds = ['n1', 'n2', 'n3', 'n4'];
const node = fc.constantFrom(...nodeIds);
const dice = fc.nat(10_000);
const pick = <T>(list: readonly T[], die: number): T | undefined => list[die % Math.max(1, list.length)];
const chunkAt = (script: PlanScript, die: number) => pick([...script.state.chunks()], die);
const openPlan = (script: PlanScript, die: number): PlanState | undefined => pick([...script.state.openPlans()], die);

/** Submits, and again under another id: the second attempt changes nothing. */
function submit(script: PlanScript, kind: string, payload: object, principal = 'user/test'): void {
  const { rejection } = script.submit(kind, payload, { principal });
  const again = script.submit(kind, payload, { principal });
  const changed = again.events.filter((event) => event.kind !== 'outcome');
  if (kind === 'ProposePlan' && rejection === undefined) expect(again.rejection?.code).toMatch(/^PLAN_|^NOT_/);
  // One more step of a format follows at once where its node is empty.
  else if (kind !== 'FinishPlan')
    expect({ kind, code: again.rejection?.code }).toEqual({ kind, code: rejection?.code });
  if (kind !== 'FinishPlan') expect(changed).toEqual([]);
}

const proposal: fc.Arbitrary<Act> = fc
  .record({
    kind: fc.constantFrom(
      ...[
        'move',
        'move',
        'split',
        'split',
        'merge',
        'shift',
        'promote',
        'reReplicate',
        'resize',
        'drain',
        'format',
        'rebalance',
      ],
    ),
    a: dice,
    to: node,
    at: fc.integer({ min: 1, max: 999_999 }),
    hold: fc.integer({ min: 0, max: 9 }),
  })
  .map(({ kind, a, to, at, hold }) => (script) => {
    const chunk = chunkAt(script, a);
    if (chunk === undefined) return;
    const { chunkId, namespace, replicas } = chunk;
    const chunks = script.state.chunksOf(namespace);
    const i = chunks.findIndex((of) => of.chunkId === chunkId);
    const neighbours = chunks.slice(Math.max(0, i), i + 2).map((of) => of.chunkId);
    const fields: Record<string, object> = {
      move: { chunkId, from: pick(replicas, at)?.nodeId ?? to, ...(at % 3 === 0 ? { to } : {}) },
      split: { chunkId, parts: 2 + (at % 2) },
      merge: { chunkIds: neighbours },
      shift: { chunkIds: neighbours, at },
      promote: { chunkId, to },
      reReplicate: { chunkId },
      resize: { namespace, chunks: 1 + (at % 5) },
      drain: { nodeId: to },
      format: { nodeId: to, units: '8x256MiB:leveldb,1x512MiB:memory' },
      rebalance: at % 2 === 0 ? {} : { namespace },
    };
    submit(script, 'ProposePlan', { kind, ...fields[kind], observeMs: at % 2 === 0 ? 0 : 20_000, hold: hold === 0 });
  });

const order: fc.Arbitrary<Act> = fc
  .record({
    kind: fc.constantFrom('ApprovePlan', 'CancelPlan', 'RollbackPlan', 'RollbackPlan', 'RetryPlan', 'EndObservation'),
    a: dice,
  })
  .map(({ kind, a }) => (script) => {
    const plan = openPlan(script, a);
    if (plan !== undefined) submit(script, kind, { planId: plan.planId });
  });

/** What a master that is confused, or was deposed, could submit. */
const mastersCommand: fc.Arbitrary<Act> = fc
  .record({
    kind: fc.constantFrom('StartPlan', 'SwitchPlan', 'ReclaimPlan', 'FinishPlan', 'FailPlan'),
    a: dice,
    late: fc.integer({ min: 0, max: 1 }),
  })
  .map(({ kind, a, late }) => (script) => {
    const plan = openPlan(script, a);
    if (plan === undefined) return;
    const { planId } = plan;
    const attempt = plan.attempt - late;
    const payloads: Record<string, object> = {
      StartPlan: { planId },
      SwitchPlan: { planId, attempt, barrierId: 'barrier-0' },
      ReclaimPlan: { planId, barrierId: a % 2 === 0 ? null : 'barrier-0', barriers: [], digests: [] },
      FinishPlan: { planId },
      FailPlan: { planId, attempt, code: 'STALLED', message: 'no progress' },
    };
    submit(script, kind, payloads[kind] ?? {});
  });

/** A digest that differs, or evidence of another run. */
const untrueEvidence: fc.Arbitrary<Act> = fc.record({ a: dice, wrong: fc.nat(2) }).map(({ a, wrong }) => (script) => {
  const bad = badEvidence(script.state, openPlan(script, a), script.nowMs, wrong);
  if (bad !== undefined) submit(script, bad.kind, bad.payload);
});

const report: fc.Arbitrary<Act> = fc
  .record({ a: dice, stale: fc.nat(4), step: fc.constantFrom('copy', 'catchUp'), fails: fc.nat(3) })
  .map(({ a, stale, step, fails }) => (script) => {
    const plan = openPlan(script, a);
    const replica = plan && pick(replicasMade(plan), a);
    if (plan === undefined || replica === undefined) return;
    const payload = {
      planId: plan.planId,
      attempt: plan.attempt + (stale === 1 ? 1 : 0),
      unitId: replica.unitId,
      generation: replica.generation + (stale === 2 ? 1 : 0),
      storeId: stale === 3 ? 'other' : replica.storeId,
      incarnation: stale === 4 ? 'other' : (script.state.node(replica.nodeId)?.incarnation ?? ''),
      step,
      recordsCopied: 1,
      bytesCopied: 1,
      evidence: {},
      ...(fails === 0 ? { failure: { code: 'DISK_FULL', message: 'no room' } } : {}),
    };
    submit(script, 'ReportPlanStep', payload, `node ${replica.nodeId}`);
  });

const nodeFate: fc.Arbitrary<Act> = fc
  .record({ nodeId: node, fate: fc.nat(9), run: fc.nat(1_000) })
  .map(({ nodeId, fate, run }) => (script) => {
    const known = script.state.node(nodeId);
    if (known === undefined) return;
    const { incarnation, storeId } = known;
    const observed = { nodeId, incarnation, silentMs: 2_000, observers: ['m1'], reports: [] };
    const units = [...script.state.unitsOf(nodeId)].map(({ unitId, capacityBytes, engine }) => ({
      ...{ unitId, capacityBytes, engine },
      generation: 0,
    }));
    const facts = { ...registration(nodeId), units, incarnation: `run-${run}` };
    if (fate <= 3) submit(script, 'SuspectNode', observed);
    else if (fate <= 5) submit(script, 'LoseNode', observed);
    else if (fate === 6) submit(script, 'ReviveNode', observed);
    else if (fate === 7) submit(script, 'RegisterNode', { ...facts, storeId }, `node ${nodeId}`);
    else if (fate === 8) submit(script, 'MaintainNode', { nodeId, forMs: 5_000 });
    else submit(script, 'RegisterNode', { ...facts, storeId: `disk-${run}`, replaces: storeId }, `node ${nodeId}`);
  });

const other: fc.Arbitrary<Act> = fc.record({ a: dice, b: dice, what: fc.nat(11) }).map(({ a, b, what }) => (script) => {
  const unit = pick([...script.state.units()], b);
  const chunk = chunkAt(script, a);
  if (unit === undefined) return;
  const { unitId, generation } = unit;
  if (what <= 2 && chunk !== undefined) submit(script, 'AllocateUnit', { unitId, generation, chunkId: chunk.chunkId });
  else if (what <= 5) submit(script, 'ReclaimUnit', { unitId, generation });
  else if (what <= 9) script.nowMs += a;
  else if (what === 10) submit(script, 'CreateNamespace', { name: 'b', chunks: 1, replicas: 2, partitions: 4 });
  else if (a % 5 === 0) submit(script, 'DeleteNamespace', { name: pick(['a', 'b'], b) });
});

const honest: fc.Arbitrary<Act> = fc.integer({ min: 1, max: 12 }).map((steps) => (script) => {
  for (let i = 0; i < steps; i++) script.ideal.step();
});

const acts = fc.array(
  fc.oneof(honest, honest, honest, proposal, proposal, order, mastersCommand, untrueEvidence, report, nodeFate, other),
  {
    minLength: 5,
    maxLength: 70,
  },
);

function cluster(): PlanScript {
  const script = new PlanScript();
  script.nodes(4, 9);
  script.namespace('a', { chunks: 3, replicas: 2, partitions: 10 });
  return script;
}

/** Every node serves again, everything is approved, and what then still finds no room is given up by people. */
function calm(script: PlanScript): void {
  for (const { nodeId, incarnation, state } of [...script.state.nodes()]) {
    if (state === 'maintenance') script.submit('EndMaintenance', { nodeId });
    script.submit('ReviveNode', { nodeId, incarnation, silentMs: 0, observers: ['m1'], reports: [] });
  }
  for (const { planId } of [...script.state.openPlans()]) script.submit('ApprovePlan', { planId });
  if (script.ideal.run(3_000)) return;
  for (const { planId, state } of [...script.state.openPlans()])
    if (state === 'proposed' || state === 'running') script.submit('CancelPlan', { planId });
  if (script.ideal.run(3_000)) return;
  const open = [...script.state.openPlans()].map((plan) => {
    const work = nextPlanWork(script.state, plan, script.nowMs);
    return `${plan.planId} ${plan.kind} ${plan.state} ${plan.step}: ${JSON.stringify(work)}`;
  });
  expect(open).toEqual([]);
}

describe('whatever people, nodes and masters do to plans', () => {
  it('I9, I10, I14 hold after each command, and a second attempt of any changes nothing', () => {
    fc.assert(
      fc.property(acts, (list) => {
        const script = cluster();
        for (const act of list) {
          act(script);
          expect(problemsOf(script.state)).toEqual([]);
        }
      }),
      { numRuns: runs(60) },
    );
  }, 120_000);

  it('I18: once nodes serve, every plan is over, and no unit is held by what does not serve', () => {
    fc.assert(
      fc.property(acts, (list) => {
        const script = cluster();
        for (const act of list) act(script);
        calm(script);
        expect(problemsOf(script.state)).toEqual([]);
        for (const chunk of script.state.chunks()) {
          expect(chunk.state).toBe('serving');
          expect(chunk.replicas.filter(({ role }) => role === 'retired')).toEqual([]);
        }
      }),
      { numRuns: runs(40) },
    );
  }, 120_000);
});
