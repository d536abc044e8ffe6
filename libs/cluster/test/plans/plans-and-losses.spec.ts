import { nextPlanWork } from '../../src';
import { problemsOf, registration } from '../cluster-script';
import { PlanScript } from './plan-script';

const observed = (nodeId: string) => ({
  ...{ nodeId, incarnation: `run-1-${nodeId}`, silentMs: 700_000, observers: ['m1'], reports: [] },
});

/** Four nodes with units to spare. */
function cluster(replicas: number, nodes = 4): PlanScript & { chunkId: string; neighbour: string } {
  const script = new PlanScript();
  script.nodes(nodes, 12);
  const [first, second] = script.namespace('shop', { chunks: 2, replicas, partitions: 2 });
  return Object.assign(script, { chunkId: first!.chunkId, neighbour: second!.chunkId });
}

function lose(script: PlanScript, nodeId: string): void {
  script.accept('SuspectNode', observed(nodeId));
  script.accept('LoseNode', observed(nodeId));
}

const back = (script: PlanScript, nodeId: string): void => void script.accept('ReviveNode', observed(nodeId));

/** The units of a plan's replicas, by what they are now. */
const takenUnits = (script: PlanScript): string[] =>
  [...script.state.units()].filter(({ state }) => state === 'allocated').map(({ unitId }) => unitId);

describe('a rollback when a replica that the plan made is lost', () => {
  const kinds = {
    split: (of: { chunkId: string }) => ({ kind: 'split', chunkId: of.chunkId }),
    merge: (of: { chunkId: string; neighbour: string }) => ({ kind: 'merge', chunkIds: [of.chunkId, of.neighbour] }),
    shift: (of: { chunkId: string; neighbour: string }) => ({
      kind: 'shift',
      chunkIds: [of.chunkId, of.neighbour],
      at: 400_000,
    }),
    resize: (of: { chunkId: string; neighbour: string }) => ({
      kind: 'resize',
      chunkIds: [of.chunkId, of.neighbour],
      at: [300_000, 600_000],
    }),
    move: (of: PlanScript & { chunkId: string }) => ({
      kind: 'move',
      chunkId: of.chunkId,
      from: of.state.chunk(of.chunkId)!.replicas[0]!.nodeId,
    }),
  };

  for (const [kind, payload] of Object.entries(kinds))
    for (const when of ['before the rollback', 'after it'])
      for (const returns of [false, true])
        it(`${kind}: lost ${when}${returns ? ', and back before the end' : ''}`, () => {
          const script = cluster(2);
          const taken = takenUnits(script);
          const { planId } = script.propose({ ...payload(script), observeMs: 600_000 });
          script.until(planId, 'observe');
          const { sources, targets } = script.plan(planId);
          const before = sources.map((chunkId) => script.places(chunkId).length);
          const victim = targets[0]!.replicas[0]!.nodeId;
          if (when === 'before the rollback') lose(script, victim);
          script.accept('RollbackPlan', { planId });
          if (when === 'after it') lose(script, victim);
          script.nowMs += 10_000;
          const reclaim = script.answer('ReclaimPlan', { planId, barrierId: null, barriers: [], digests: [] });
          expect(reclaim).toBe('accepted');
          if (returns) back(script, victim);
          script.finish();
          expect(script.plan(planId).state).toBe('rolledBack');
          if (!returns) back(script, victim);
          script.ideal.run(50);
          // Nothing of it is left: neither dead replicas nor units that nobody holds.
          expect(takenUnits(script)).toEqual(taken);
          if (kind === 'move') expect(script.places(sources[0]!)).toHaveLength(2);
          else expect(sources.map((chunkId) => script.places(chunkId).length)).toEqual(before);
          expect(problemsOf(script.state)).toEqual([]);
          expect(script.answer('ProposePlan', { kind: 'split', chunkId: sources[0] })).toBe('accepted');
        });

  it('a replica that came back when its chunk lacked one serves, and stays', () => {
    const script = cluster(2, 6);
    const from = script.state.chunk(script.chunkId)!.replicas[1]!.nodeId;
    const { planId } = script.propose({ kind: 'move', chunkId: script.chunkId, from, observeMs: 600_000 });
    script.until(planId, 'observe');
    const [made] = script.plan(planId).targets[0]!.replicas;
    lose(script, made!.nodeId);
    script.accept('RollbackPlan', { planId });
    const stays = script.state.chunk(script.chunkId)!.replicas.find((of) => of.role === 'primary')!;
    lose(script, stays.nodeId);
    back(script, made!.nodeId);
    const living = (): number =>
      script.state.chunk(script.chunkId)!.replicas.filter(({ role }) => role === 'primary' || role === 'follower')
        .length;
    expect(living()).toBe(2);
    script.nowMs += 10_000;
    script.finish();
    expect(script.plan(planId).state).toBe('rolledBack');
    expect(living()).toBe(2);
    expect(script.state.unit(made!.unitId)).toMatchObject({ state: 'allocated', chunkId: script.chunkId });
    expect(script.plan(planId).history.at(-1)?.evidence).toBe('{"cleared":[]}');
    expect(problemsOf(script.state)).toEqual([]);
  });
});

describe('reReplicate when a lost node returns in the middle', () => {
  const gone = (script: PlanScript): string[] => {
    const nodeIds = script.state.chunk(script.state.chunksOf('shop')[0]!.chunkId)!.replicas.map(({ nodeId }) => nodeId);
    return nodeIds.slice(1);
  };
  const roles = (script: PlanScript, chunkId: string): string[] =>
    script.places(chunkId).map((place) => place.split(' ')[0]!);

  it.each(['copy', 'catchUp', 'verify'] as const)(
    'at %s: whoever is back stays, whoever is dead is replaced',
    (step) => {
      const script = cluster(3, 6);
      for (const nodeId of gone(script)) lose(script, nodeId);
      const { planId } = script.propose({ kind: 'reReplicate', chunkId: script.chunkId });
      script.until(planId, step);
      const [returning] = script.plan(planId).retiring;
      back(script, returning!.nodeId);
      script.finish();
      expect(script.plan(planId).state).toBe('done');
      expect(roles(script, script.chunkId)).toEqual(['follower', 'follower', 'primary']);
      expect(problemsOf(script.state)).toEqual([]);
    },
  );

  it('once nothing is lacking the switch is refused, and the plan is cancelled', () => {
    const script = cluster(3, 6);
    const [nodeId] = gone(script);
    lose(script, nodeId!);
    const { planId, attempt } = script.propose({ kind: 'reReplicate', chunkId: script.chunkId });
    script.until(planId, 'switch');
    back(script, nodeId!);
    const { barrierId } = JSON.parse(script.plan(planId).verified!) as { barrierId: string };
    expect(script.answer('SwitchPlan', { planId, attempt, barrierId })).toMatch(/^PLAN_NOT_NEEDED/);
    script.finish();
    expect(script.plan(planId).state).toBe('cancelled');
    expect(roles(script, script.chunkId)).toEqual(['follower', 'follower', 'primary']);
  });
});

describe('a format that is cancelled while its node may be clearing the disk', () => {
  const units = '12x256MiB:leveldb,1x512MiB:memory';
  const free = (script: PlanScript): string[] => [...script.state.freeUnitsOf('n1')].map(({ unitId }) => unitId);

  function formatting(): PlanScript & { planId: string; chunkId: string } {
    const script = cluster(2);
    const { planId } = script.propose({ kind: 'format', nodeId: 'n1', units, observeMs: 0 });
    script.until(planId, 'reformat', 5_000);
    return Object.assign(script, { planId });
  }

  it('stays closed until its node says that it does nothing more, whatever it registered before', () => {
    const script = formatting();
    const { planId } = script;
    script.accept('CancelPlan', { planId });
    script.accept('CancelPlan', { planId });
    expect(script.plan(planId)).toMatchObject({ state: 'reclaiming', step: 'reformat', endedAtMs: null });
    expect(nextPlanWork(script.state, script.plan(planId), script.nowMs)).toMatchObject({
      kind: 'wait',
      reason: 'node n1, which is up and may be clearing its disk, to say which units it has',
    });
    const from = script.state.chunk(script.chunkId)!.replicas[0]!.nodeId;
    const onto = { kind: 'move', chunkId: script.chunkId, from, to: 'n1' };
    expect(script.answer('FinishPlan', { planId })).toMatch(/^PLAN_NOT_READY/);
    // Sent before the node knew: it may be at it still.
    script.node('n1', { unitCount: 12, incarnation: 'run-2' });
    expect(script.answer('ProposePlan', onto)).toMatch(/^PLAN_CONFLICT: node n1 is being emptied/);
    const [unitId] = free(script);
    const allocate = { unitId, generation: script.state.unit(unitId!)!.generation, chunkId: script.chunkId };
    expect(script.answer('AllocateUnit', allocate)).toMatch(/^PLAN_CONFLICT/);
    const says = registration('n1', { unitCount: 12, incarnation: 'run-2', formatCancelled: planId });
    script.accept('RegisterNode', says);
    expect(script.plan(planId)).toMatchObject({ state: 'cancelled', step: 'none' });
    expect(script.accept('RegisterNode', says)).toEqual([]);
    expect(script.answer('ProposePlan', onto)).toBe('accepted');
  });

  it('of another plan, or of another node, the word means nothing', () => {
    const script = formatting();
    script.accept('CancelPlan', { planId: script.planId });
    script.accept('RegisterNode', registration('n1', { unitCount: 12, formatCancelled: 'p1' }));
    script.accept('RegisterNode', registration('n2', { unitCount: 12, formatCancelled: script.planId }));
    expect(script.plan(script.planId).state).toBe('reclaiming');
  });

  it('ends by itself when the node had made the new units already, and when it is lost', () => {
    const made = formatting();
    made.accept('CancelPlan', { planId: made.planId });
    const specs = [12, 1].flatMap((count, kind) =>
      Array.from({ length: count }, (_, i) => ({
        unitId: `n1/u${String(kind * 12 + i).padStart(2, '0')}`,
        capacityBytes: (256 << 20) * (kind + 1),
        engine: kind === 0 ? 'leveldb' : 'memory',
        generation: 0,
      })),
    );
    made.node('n1', { units: specs });
    made.finish();
    expect(made.plan(made.planId).state).toBe('cancelled');
    const lost = formatting();
    lost.accept('CancelPlan', { planId: lost.planId });
    lose(lost, 'n1');
    lost.finish();
    expect(lost.plan(lost.planId).state).toBe('cancelled');
  });

  it('an honest node says so at once', () => {
    const script = formatting();
    script.accept('CancelPlan', { planId: script.planId });
    script.finish();
    expect(script.plan(script.planId).state).toBe('cancelled');
    expect(free(script)).toHaveLength(12);
  });
});
