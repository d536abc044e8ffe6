import { dice, seed } from '../../../../test/support/seed';
import { type FindingTimes } from '../../src/placement/healing/findings';
import { healingPolicy } from '../../src/placement/healing/healing-policy';
import { planHealing } from '../../src/placement/healing/plan-healing';
import { problemsOf } from '../cluster-script';
import { PlanScript } from '../plans/plan-script';
import { SimulatedLoad } from './simulated-load';

const roundMs = 10_000;
const chunks = 24;
const hot = 15_000;

/** The planner's proposals, decided and carried out by the real rules of plans. */
class HealedScript extends PlanScript {
  readonly load = new SimulatedLoad(this.state, 0.02);
  readonly policy = healingPolicy();
  readonly answers: string[] = [];
  private findings: FindingTimes = new Map();

  spread(rates: readonly number[], bytes = 1_000_000): this {
    const held = Float64Array.from(rates, () => bytes);
    this.load.maps.set('shop', { rates: Float64Array.from(rates), bytes: held, keys: [] });
    return this;
  }

  /** Rounds of masters, nodes and planner until nothing was proposed for half an hour. */
  settle(roundsMax = 1_500): string[] {
    const from = this.answers.length;
    for (let round = 0, quiet = 0; quiet < 180; round++) {
      if (round > roundsMax)
        throw new Error(`not calm after ${roundsMax} rounds: ${this.answers.slice(from).join(', ')}`);
      this.nowMs += roundMs;
      this.load.round++;
      for (let i = 0; i < 8 && this.ideal.round(); i++);
      const { state, load: loads, policy, nowMs, findings } = this;
      const { proposals, findings: next } = planHealing({ state, loads, policy, nowMs, findings });
      this.findings = next;
      for (const { payload } of proposals)
        this.answers.push(`${payload.trigger} ${payload.kind} ${this.answer('ProposePlan', payload)}`);
      quiet = proposals.length === 0 ? quiet + 1 : 0;
    }
    expect(problemsOf(this.state)).toEqual([]);
    return this.answers.slice(from);
  }
}

const counted = (answers: readonly string[]): Record<string, number> => {
  const counts: Record<string, number> = {};
  for (const answer of answers) counts[answer] = (counts[answer] ?? 0) + 1;
  return counts;
};

it('every proposal is accepted as it is, and heals what it was for', () => {
  const script = new HealedScript();
  script.nodes(6, 40);
  script.namespace('shop', { chunks, replicas: 3 });
  const random = dice(seed);
  script.spread(Array.from({ length: chunks }, () => 300 + random() * 100));
  expect(script.settle()).toEqual([]);

  script.spread(Array.from({ length: chunks }, (_, i) => (i === 7 ? hot : 3_000 + random() * 1_000)));
  const cooled = counted(script.settle());
  expect(cooled['hotChunk split accepted'] ?? 0).toBeGreaterThanOrEqual(1);
  for (const chunk of script.state.chunksOf('shop'))
    expect(script.load.of(chunk).perSecond).toBeLessThan(script.policy.hotChunk.enter);

  script.spread(Array.from({ length: chunks }, () => 300));
  const lost = [...script.state.chunksOn('n2')].length;
  const observed = { nodeId: 'n2', incarnation: 'run-1-n2', silentMs: 600_000, observers: ['m1'], reports: [] };
  script.accept('SuspectNode', observed);
  script.accept('LoseNode', observed);
  const healed = counted(script.settle());
  expect(healed['deadReplica reReplicate accepted']).toBe(lost);

  script.node('n7', { unitCount: 40 });
  const filled = counted(script.settle());
  expect(filled['emptyNode move accepted']).toBeGreaterThanOrEqual(5);

  script.spread(
    Array.from({ length: chunks }, () => 300),
    220 * 2 ** 20,
  );
  const split = counted(script.settle());
  expect(split['fullChunk split accepted']).toBe(chunks);

  expect(Object.keys(counted(script.answers)).filter((answer) => !answer.endsWith(' accepted'))).toEqual([]);
  process.stdout.write(`healing by decisions, seed ${seed}: ${JSON.stringify(counted(script.answers))}\n`);
});
