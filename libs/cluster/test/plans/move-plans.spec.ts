import { simulatePlan } from '../../src/plans/simulate/simulate-plan';
import { problemsOf } from '../cluster-script';
import { PlanScript } from './plan-script';

/** Four nodes; one chunk of `shop` on three of them, a unit to spare on each. */
function shop(replicas = 3): PlanScript & { chunkId: string; from: string } {
  const script = new PlanScript();
  script.nodes(3, 3);
  const [chunk] = script.namespace('shop', { chunks: 1, replicas, partitions: 4 });
  script.node('n4', { unitCount: 3 });
  if (chunk === undefined) throw new Error('a chunk was created');
  const from = chunk.replicas.find(({ role }) => role === 'primary')?.nodeId ?? '';
  return Object.assign(script, { chunkId: chunk.chunkId, from });
}

describe('a move', () => {
  it('goes through all steps, and the replica is elsewhere', () => {
    const script = shop();
    const { chunkId, from } = script;
    const before = script.places(chunkId);
    const { planId } = script.propose({ kind: 'move', chunkId, from, observeMs: 5_000 });
    expect(script.places(chunkId)).toEqual(before);
    script.until(planId, 'copy');
    expect(script.places(chunkId)).toContain('learner n4/u00');
    expect(script.state.route(chunkId)?.replicas).toHaveLength(3);
    script.until(planId, 'observe');
    expect(script.places(chunkId)).toContain('primary n4/u00');
    expect(script.places(chunkId)).toContain(`retired ${from}/u00`);
    expect(problemsOf(script.state)).toEqual([]);
    script.finish();
    expect(script.plan(planId)).toMatchObject({ state: 'done', step: 'none', failures: 0 });
    expect(script.places(chunkId).join()).not.toContain(from);
    expect(script.state.unit(`${from}/u00`)).toMatchObject({ state: 'free', generation: 1 });
    expect(script.moments(planId)).toEqual([
      ...['allocate proposed', 'allocate began', 'copy ended', 'catchUp ended', 'verify ended', 'switch ended'],
      ...['observe ended', 'reclaim ended'],
    ]);
    expect(script.told.filter((line) => line.endsWith('refused'))).toEqual([]);
    expect(problemsOf(script.state)).toEqual([]);
  });

  it('stays on its node only for a unit that is named, or large enough at last', () => {
    const script = new PlanScript();
    script.nodes(3, 3);
    const { chunkId } = script.namespace('shop', { chunks: 1, replicas: 3, partitions: 4 })[0]!;
    const move = { kind: 'move', chunkId, from: 'n1', observeMs: 0 };
    expect(script.answer('ProposePlan', move)).toMatch(
      /^NOT_ENOUGH_DOMAINS: .*every failure domain.*or name --to n1 for another unit of it/,
    );
    for (const named of [{ to: 'n1' }, { unitId: 'n1/u02' }])
      expect(simulatePlan(script.state, { ...move, ...named }, script.nowMs)).toMatchObject({
        prediction: { outcome: 'done', replicasMade: 1 },
      });
    script.node('n4', { unitCount: 1 });
    expect(simulatePlan(script.state, move, script.nowMs)).toMatchObject({
      prediction: {
        chunksAfter: [{ replicas: expect.arrayContaining([expect.stringContaining('n4/u00')]) as unknown }],
      },
    });
  });
});
