import { type FindingTimes, healingPolicy, healingPolicyOf, LoadRates, planHealing } from '@levee/cluster';
import { encode } from '@levee/codec';
import type { Heartbeat } from '@levee/events';
import { SimulatedLoad } from '../../cluster/test/healing/simulated-load';
import { PlanScript } from '../../cluster/test/plans/plan-script';
import { topics } from '../../master/test/control-plane';
import { type Simulation, simulatePlans } from '../src';
import { journalOf, logWith, repairedJournalOf, type TimedRecord } from './scripted-journal';

const beatMs = 2_000;
const policy = healingPolicy();

/** A cluster whose dispatcher hears heartbeats and proposes what its rules say, as they really do. */
class DispatchedScript extends PlanScript {
  readonly load = new SimulatedLoad(this.state, 0);
  readonly beats: TimedRecord[] = [];
  readonly said: string[] = [];
  private readonly rates = new LoadRates(policy.rateHalfLifeMs);
  private readonly counters = new Map<string, { reads: number; recordsApplied: number }>();
  private findings: FindingTimes = new Map();

  spread(rates: readonly number[]): void {
    const bytes = Float64Array.from(rates, () => 1_000_000);
    this.load.maps.set('shop', { rates: Float64Array.from(rates), bytes, keys: [] });
  }

  run(seconds: number): void {
    for (let i = 0; i < (seconds * 1_000) / beatMs; i++) {
      this.nowMs += beatMs - 500;
      for (const { nodeId, state } of this.state.nodes()) if (state === 'up') this.beat(nodeId);
      this.nowMs += 500;
      for (let each = 0; each < 8 && this.ideal.round(); each++);
      const { state, rates: loads, nowMs, findings } = this;
      const round = planHealing({ state, loads, policy, nowMs, findings });
      this.findings = round.findings;
      for (const { payload } of round.proposals) {
        const { rejection } = this.submit('ProposePlan', payload, { principal: 'dispatcher d1' });
        this.said.push(`${payload.trigger} ${payload.kind}${rejection === undefined ? '' : ` ${rejection.code}`}`);
      }
    }
  }

  private beat(nodeId: string): void {
    const loads = [...this.state.chunksOn(nodeId)].map(({ chunkId }) => {
      const rates = this.load.replica(nodeId, chunkId);
      const key = `${nodeId} ${chunkId}`;
      const { reads, recordsApplied } = this.counters.get(key) ?? { reads: 0, recordsApplied: 0 };
      const risen = (perSecond = 0): number => Math.round((perSecond * beatMs) / 1_000);
      const now = {
        reads: reads + risen(rates?.readsPerSecond),
        recordsApplied: recordsApplied + risen(rates?.writesPerSecond),
      };
      this.counters.set(key, now);
      return { chunkId, storedBytes: Math.round(rates?.storedBytes ?? 0), liveKeys: 0, ...now, bytesApplied: 0 };
    });
    const beat: Heartbeat = {
      ...{ kind: 'node', id: nodeId, incarnation: `run-1-${nodeId}`, address: 'x:1', sentAtMs: this.nowMs },
      ...{ featureLevel: 1, positions: [], loads, moves: [], freeDiskBytes: -1, errors: [] },
    };
    this.rates.heard(beat, this.nowMs);
    this.beats.push({
      topic: topics.heartbeats,
      atMs: this.nowMs,
      record: { key: null, value: encode('Heartbeat', beat) },
    });
  }
}

/** A chunk gets hot and is cut; a node is lost and made up for. */
function history(): DispatchedScript {
  const script = new DispatchedScript();
  script.nodes(5, 24).namespace('shop', { chunks: 4, replicas: 2 });
  script.spread([400, 400, 400, 400]);
  script.run(90);
  script.spread([15_000, 9_000, 9_000, 9_000]);
  script.run(200);
  script.spread([400, 400, 400, 400]);
  script.run(120);
  const observed = { nodeId: 'n2', incarnation: 'run-1-n2', silentMs: 31_000, observers: ['m1'], reports: [] };
  script.accept('SuspectNode', observed);
  script.accept('LoseNode', observed);
  script.run(60);
  return script;
}

describe('a plan is dry-run on recorded history (U7)', () => {
  const script = history();
  const startMs = script.decided[0]!.atMs;
  const endMs = script.nowMs;

  async function simulated(
    records: readonly TimedRecord[],
    how: { readonly policy?: typeof policy; readonly isOther?: boolean; readonly toMs?: number } = {},
  ): Promise<Simulation> {
    const sorted = [...records].sort((a, b) => a.atMs - b.atMs);
    const { log, worldOf, clock } = await logWith(sorted);
    clock.nowMs = endMs;
    try {
      return await simulatePlans(worldOf(log), { fromMs: startMs, toMs: endMs, policy, isOther: false, ...how });
    } finally {
      await log.close();
    }
  }
  const verdicts = ({ rejudged }: Simulation): string[] => [...new Set(rejudged.map(({ verdict }) => verdict))].sort();

  it('the history has cuts, moves and healing in it', () => {
    expect(new Set(script.said.map((each) => each.split(' ')[0]))).toEqual(
      new Set(['hotChunk', 'deadReplica', ...script.said.map((each) => each.split(' ')[0])]),
    );
    expect(script.said).toEqual(expect.arrayContaining(['hotChunk split', 'deadReplica reReplicate']));
  });

  it('the same rules come to every decision that was recorded, and to no other', async () => {
    const found = await simulated([...journalOf(script), ...script.beats]);
    expect(found.rejudged.filter(({ verdict }) => verdict !== 'same')).toEqual([]);
    expect(found.rejudged).toHaveLength(script.said.length);
    expect(found.unrecorded).toEqual([]);
    expect(found).toMatchObject({ differs: false, policyVersion: policy.version });
  });

  it('without heartbeats by what proposals recorded: the same, or not known, and it says so', async () => {
    const found = await simulated(journalOf(script));
    expect(verdicts(found).filter((verdict) => verdict !== 'same' && verdict !== 'unknown')).toEqual([]);
    const cuts = found.rejudged.filter(({ recorded }) => recorded.startsWith('hotChunk'));
    expect(cuts.length).toBeGreaterThan(0);
    expect(cuts.map(({ verdict, loads }) => `${verdict} ${loads}`)).toEqual(cuts.map(() => 'same its own evidence'));
    expect(found.notKnown[0]).toMatch(/^loads: no heartbeats of that time are kept/);
  });

  it.each([
    ['with heartbeats', true],
    ['without', false],
  ])('other rules come to other plans, %s', async (_what, isHeard) => {
    const other = healingPolicyOf({ hotChunkPerSecond: 40_000 });
    if ('problem' in other) throw new Error(other.problem);
    const records = isHeard ? [...journalOf(script), ...script.beats] : journalOf(script);
    const found = await simulated(records, { policy: other, isOther: true });
    const cuts = found.rejudged.filter(({ recorded }) => recorded.startsWith('hotChunk'));
    expect(cuts.map(({ verdict }) => verdict)).toEqual(cuts.map(() => 'none'));
    expect(cuts[0]?.why).toMatch(/requests per second; hot from 40000/);
    expect(found.differs).toBe(true);
  });

  it('names what nobody proposed', async () => {
    const lost = script.decided.findLastIndex(({ command }) => command.kind === 'LoseNode');
    // The journal ends with the loss: nobody was there to propose.
    const found = await simulated([...journalOf(script).slice(0, lost + 2), ...script.beats]);
    expect(found.unrecorded.map(({ what }) => what.split(' ').slice(0, 2).join(' '))).toContain(
      'deadReplica reReplicate',
    );
    expect(found.unrecorded.find(({ what }) => what.startsWith('deadReplica'))).toMatchObject({ behind: lost + 1 });
  });

  it('tells nothing of a time that the log does not know', async () => {
    await expect(simulated(journalOf(script), { toMs: endMs + 1 })).rejects.toMatchObject({ code: 'NOT_PROVABLE' });
    const missing = journalOf(script).filter((_, i) => i !== 4);
    await expect(simulated(missing)).rejects.toMatchObject({ code: 'NOT_PROVABLE' });
  });

  it('tells nothing of a time in which decisions were lost, and repaired within it or later', async () => {
    const repaired = repairedJournalOf(script, 3);
    const atMs = repaired.at(-2)?.atMs ?? 0;
    const { log, worldOf, clock } = await logWith(repaired);
    clock.nowMs = atMs + 60_000;
    for (const toMs of [atMs - 1, atMs, atMs + 30_000])
      await expect(
        simulatePlans(worldOf(log), { fromMs: startMs, toMs, policy, isOther: false }),
      ).rejects.toMatchObject({ code: 'NOT_PROVABLE', message: expect.stringMatching(/^decision-lost: /) });
    await log.close();
  });
});

describe('a policy from a file', () => {
  it.each<[unknown, RegExp]>([
    [[], /a policy is a JSON object/],
    [{ hotChunk: 7 }, /hotChunk must be an object of enter, leave/],
    [{ hotChunk: { enters: 7 } }, /no 'hotChunk.enters': there are enter, leave/],
    [{ settleMs: -1 }, /settleMs is -1/],
    [{ coldShare: 'x' }, /coldShare is "x"/],
    [JSON.parse('{"__proto__": {"enter": 1}}'), /no '__proto__'/],
  ])('%j is none', (value, problem) => {
    expect(healingPolicyOf(value)).toEqual({ problem: expect.stringMatching(problem) });
  });

  it('has its figures, and those of the settings that follow from each other', () => {
    expect(healingPolicyOf({ settleMs: 120_000, fullShare: { enter: 0.8 } })).toMatchObject({
      fullShare: { enter: 0.8, leave: 0.65 },
      ageMs: { hotChunk: 120_000 },
    });
    expect(() => healingPolicyOf({ fullShare: { leave: 0.9 } })).toThrow(/I18/);
  });
});
