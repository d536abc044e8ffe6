import type { ChunkState, CommandOutcome, PlanState } from '@levee/events';
import type { ClusterView } from '@levee/journal';
import { silentLogger, type Logger } from '@levee/kernel';
import type { EmbeddedLog } from '@levee/log-embedded';
import { openLog, openView, run, startMaster, type TestMaster } from './control-plane';
import { eventually } from './eventually';
import { ScriptedNode } from './scripted-node';

/** No plan stands still for so long but one that is made to; a machine may for less. */
const planStallMs = 8_000;
/** Of a master of a test that waits for a plan to have stood still. */
const impatientMs = 1_500;

describe('a master that drives plans', () => {
  let log: EmbeddedLog;
  let view: ClusterView;
  let master: TestMaster;
  let masters: number;
  const nodes = new Map<string, ScriptedNode>();
  const errors: string[] = [];
  const logger: Logger = { ...silentLogger, error: (_fields: object, message: string) => void errors.push(message) };

  beforeEach(async () => {
    errors.length = 0;
    masters = 0;
    log = await openLog();
    await nextMaster();
    view = await openView(log);
    for (const nodeId of ['n1', 'n2', 'n3', 'n4']) {
      const node = new ScriptedNode(log, view, nodeId);
      expect(await run(log, view, node.registration)).toMatchObject({ rejectionCode: null });
      node.start();
      nodes.set(nodeId, node);
    }
    const payload = { name: 'shop', chunks: 4, replicas: 2, partitions: 4 };
    expect(await run(log, view, { kind: 'CreateNamespace', payload })).toMatchObject({ rejectionCode: null });
    await view.until(() => (view.state.namespace('shop')?.state === 'active' ? true : undefined), 10_000, 'active');
  });

  afterEach(async () => {
    for (const node of nodes.values()) await node.close();
    nodes.clear();
    await view.close();
    await master.close();
    await log.close();
  });

  async function nextMaster(stallMs = planStallMs): Promise<void> {
    const instance = `m${++masters}`;
    const options = { instance, claimAtOnce: true, barrierMs: 1_000, planStallMs: stallMs, logger };
    master = await startMaster(log, options);
  }

  async function otherMaster(stallMs: number): Promise<void> {
    await master.close();
    await nextMaster(stallMs);
  }

  const chunks = (): ChunkState[] => [...view.state.chunksOf('shop')].sort((a, b) => a.slotStart - b.slotStart);
  const chunk = (at: number): ChunkState => chunks()[at]!;
  const slots = () => chunks().map(({ slotStart, slotEnd }) => [slotStart, slotEnd]);
  const nodesOf = ({ replicas }: ChunkState): string[] => replicas.map(({ nodeId }) => nodeId).sort();
  const absent = (of: ChunkState): string => [...nodes.keys()].find((nodeId) => !nodesOf(of).includes(nodeId))!;

  async function propose(payload: object): Promise<string> {
    const outcome = await run(log, view, { kind: 'ProposePlan', payload: { observeMs: 0, ...payload } });
    expect(outcome).toMatchObject({ rejectionMessage: null });
    return `p${outcome.seq}`;
  }

  const act = (kind: string, planId: string): Promise<CommandOutcome> => run(log, view, { kind, payload: { planId } });

  async function becomes(planId: string, ...states: PlanState['state'][]): Promise<PlanState> {
    const now = (): PlanState | undefined => view.state.plan(planId);
    const reached = (): PlanState | undefined => {
      const plan = now();
      return plan !== undefined && states.includes(plan.state) ? plan : undefined;
    };
    return view.until(reached, 15_000, states.join(' or ')).catch((error: unknown) => {
      throw new Error(`plan ${planId} is ${JSON.stringify(now())}`, { cause: error });
    });
  }

  const move = (of = chunk(0)): Promise<string> =>
    propose({ kind: 'move', chunkId: of.chunkId, from: of.replicas[0]!.nodeId, to: absent(of) });

  const moments = ({ history }: PlanState): string[] => history.map(({ step, what }) => `${step} ${what}`);

  it('takes a move through every step, each with its evidence, and clears what it superseded', async () => {
    const before = chunk(0);
    const planId = await move(before);
    const plan = await becomes(planId, 'done');
    const to = plan.targets[0]!.replicas[0]!;
    const after = view.state.chunk(before.chunkId)!;
    expect(nodesOf(after)).toContain(to.nodeId);
    expect(nodesOf(after)).not.toContain(before.replicas[0]!.nodeId);
    expect(view.state.unit(before.replicas[0]!.unitId)?.state).toBe('free');
    const verified = plan.history.find(({ step, what }) => step === 'verify' && what === 'ended');
    expect(verified?.evidence).toContain(to.storeId);
    const steps = ['allocate', 'copy', 'catchUp', 'verify', 'switch', 'observe', 'reclaim'];
    expect([...new Set(plan.history.map(({ step }) => step))].filter((step) => steps.includes(step))).toEqual(steps);
    await eventually('the driver rests', () => master.master.planStats()?.underWay === 0);
    expect(master.master.planStats()).toMatchObject({ stalled: 0, alarms: 0 });
  });

  it('splits, shifts and merges chunks', async () => {
    await becomes(await propose({ kind: 'split', chunkId: chunk(1).chunkId }), 'done');
    expect(slots().slice(1, 3)).toEqual([
      [250_000, 375_000],
      [375_000, 500_000],
    ]);
    await becomes(
      await propose({ kind: 'shift', chunkIds: [chunk(1).chunkId, chunk(2).chunkId], at: 300_000 }),
      'done',
    );
    expect(slots()[1]).toEqual([250_000, 300_000]);
    await becomes(await propose({ kind: 'merge', chunkIds: [chunk(1).chunkId, chunk(2).chunkId] }), 'done');
    expect(slots()).toEqual([0, 1, 2, 3].map((at) => [at * 250_000, (at + 1) * 250_000]));
  });

  it('takes a resize and a drain apart and sees all parts through', async () => {
    await becomes(await propose({ kind: 'resize', namespace: 'shop', chunks: 6 }), 'done');
    expect(chunks()).toHaveLength(6);
    await becomes(await propose({ kind: 'drain', nodeId: 'n1' }), 'done');
    expect(chunks().flatMap(nodesOf)).not.toContain('n1');
  });

  it.each(['move', 'split', 'merge'])(
    'finishes a %s although its master dies after every single command',
    async (kind) => {
      const dying: Promise<void>[] = [];
      let deaths = 0;
      const unlisten = view.onDecision(({ decision }) => {
        const isOwn = decision.command.principal.startsWith('master') && decision.command.kind.endsWith('Plan');
        if (!isOwn || decision.rejectionCode !== null) return;
        deaths++;
        const dead = master;
        dead.master.candidacy.reign?.end('killed by the test');
        dying.push(dead.close().then(() => nextMaster()));
      });
      const planId =
        kind === 'move'
          ? await move()
          : kind === 'split'
            ? await propose({ kind, chunkId: chunk(2).chunkId, parts: 3 })
            : await propose({ kind, chunkIds: chunks().map(({ chunkId }) => chunkId) });
      const plan = await becomes(planId, 'done');
      unlisten();
      await Promise.all(dying);
      expect(deaths).toBeGreaterThanOrEqual(5);
      // Each verdict was given once: nobody repeats what was decided.
      const verdicts = moments(plan).filter((moment) => /^(verify|switch|observe) ended$/.test(moment));
      expect(verdicts).toEqual(['verify ended', 'switch ended', 'observe ended']);
      const own = new Set(plan.history.map(({ seq }) => seq));
      expect(own.size).toBeGreaterThanOrEqual(deaths);
    },
  );

  it('fails a plan whose node makes no progress, says where it stands, and gets it done when the node goes on', async () => {
    await otherMaster(impatientMs);
    const of = chunk(0);
    const target = nodes.get(absent(of))!;
    target.stuckAt.add('copy');
    const copying = setInterval(() => target.recordsCopied++, 20);
    const planId = await move(of);
    const began = await becomes(planId, 'running');
    // As long as records are copied it is no stall, however long it takes.
    await eventually('much was copied', () => target.recordsCopied > (3 * impatientMs) / 20);
    expect(view.state.plan(planId)).toMatchObject({ state: 'running', attempt: began.attempt });
    clearInterval(copying);
    const failed = await becomes(planId, 'failed');
    expect(failed).toMatchObject({ failureCode: 'STALLED', step: 'copy', failures: 1 });
    expect(failed.failureMessage).toMatch(/no progress in step copy for \d+ ms: .*records copied/);
    target.stuckAt.clear();
    const done = await becomes(planId, 'done');
    expect(done.attempt).toBe(2);
    expect(master.master.planStats()?.stalled).toBe(1);
  });

  it('fails a plan whose node falls silent', async () => {
    await otherMaster(impatientMs);
    const of = chunk(0);
    const target = nodes.get(absent(of))!;
    target.stuckAt.add('catchUp');
    const planId = await move(of);
    await eventually('it catches up', () => view.state.plan(planId)?.step === 'catchUp');
    target.silence();
    const failed = await becomes(planId, 'failed');
    expect(failed.failureMessage).toMatch(/node (heard \d{3,} ms ago|not heard of)/);
  });

  it('asks again for digests that do not come, at last fails the plan naming them, and nothing was switched', async () => {
    await otherMaster(impatientMs);
    const before = chunk(0);
    const source = nodes.get(before.replicas[0]!.nodeId)!;
    source.mute = true;
    const planId = await move(before);
    const failed = await becomes(planId, 'failed');
    expect(failed.failureCode).toBe('DIGESTS_MISSING');
    expect(failed.failureMessage).toMatch(new RegExp(`digests did not come, among them .* on ${source.nodeId}`));
    expect(
      view.state
        .route(before.chunkId)
        ?.replicas.map(({ nodeId }) => nodeId)
        .sort(),
    ).toEqual(nodesOf(before));
    source.mute = false;
    await becomes(planId, 'done');
  });

  it('ends at once while digests are awaited', async () => {
    // It would wait 15 s for the first of them.
    await otherMaster(60_000);
    const of = chunk(0);
    for (const node of nodes.values()) node.mute = true;
    const planId = await move(of);
    await eventually('it verifies', () => view.state.plan(planId)?.step === 'verify');
    await eventually('digests are awaited', () => master.master.planStats()?.underWay === 1);
    const beganAtMs = performance.now();
    await master.close();
    expect(performance.now() - beganAtMs).toBeLessThan(5_000);
  });

  it('begins a new round of digests at once when one of the nodes has restarted', async () => {
    await otherMaster(60_000);
    const of = chunk(0);
    const source = nodes.get(of.replicas[0]!.nodeId)!;
    source.mute = true;
    const planId = await move(of);
    await eventually('it verifies', () => view.state.plan(planId)?.step === 'verify');
    await source.restart();
    source.mute = false;
    const plan = await becomes(planId, 'done');
    expect(plan.attempt).toBe(1);
  });

  it('keeps both sides when digests differ, and sounds the alarm once when that happens again and again', async () => {
    const before = chunk(0);
    const target = nodes.get(absent(before))!;
    target.spoiled.set(before.chunkId, 1n);
    const planId = await move(before);
    const failed = await becomes(planId, 'failed');
    expect(failed).toMatchObject({ failureCode: 'DIGEST_MISMATCH', step: 'verify' });
    expect(view.state.route(before.chunkId)?.replicas.some(({ nodeId }) => nodeId === target.nodeId)).toBe(false);
    expect(master.master.plansProblem).toBeUndefined();
    for (let times = 1; times < 3; times++) {
      await eventually('it may be tried again', async () => (await act('RetryPlan', planId)).rejectionCode === null);
      await eventually('it failed again', () => view.state.plan(planId)?.failures === times + 1);
    }
    await eventually('the alarm', () => errors.length > 0);
    expect(errors).toEqual(['a plan keeps failing for the same reason: it needs a look']);
    expect(master.master.plansProblem).toMatch(
      new RegExp(`^plan ${planId} \\(move\\) failed 3 times in a row: DIGEST_MISMATCH`),
    );
    expect(master.master.planStats()?.alarms).toBe(1);
    target.spoiled.clear();
    await act('RetryPlan', planId);
    await becomes(planId, 'done');
    expect(master.master.plansProblem).toBeUndefined();
  });

  it('takes a plan back: before the switch nothing is left of it, after it the roles return', async () => {
    const before = chunk(0);
    const target = nodes.get(absent(before))!;
    target.stuckAt.add('copy');
    const cancelled = await move(before);
    await becomes(cancelled, 'running');
    expect(await act('CancelPlan', cancelled)).toMatchObject({ rejectionCode: null });
    const plan = await becomes(cancelled, 'cancelled');
    expect(view.state.chunk(before.chunkId)?.replicas).toEqual(before.replicas);
    expect(view.state.unit(plan.targets[0]!.replicas[0]!.unitId)?.state).toBe('free');
    target.stuckAt.clear();

    const from = before.replicas[0]!.nodeId;
    const back = await propose({ kind: 'move', chunkId: before.chunkId, from, to: target.nodeId, observeMs: 60_000 });
    await becomes(back, 'observing');
    expect(nodesOf(view.state.chunk(before.chunkId)!)).toContain(target.nodeId);
    expect(await act('RollbackPlan', back)).toMatchObject({ rejectionCode: null });
    await becomes(back, 'reclaiming', 'rolledBack');
    expect(view.state.route(before.chunkId)?.replicas.filter(({ role }) => role !== 'retired')).toHaveLength(2);
    await becomes(back, 'rolledBack');
    expect(nodesOf(view.state.chunk(before.chunkId)!)).toEqual(nodesOf(before));
  });
});
