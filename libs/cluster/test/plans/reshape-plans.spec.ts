import { problemsOf } from '../cluster-script';
import { PlanScript } from './plan-script';

/** Three nodes; `shop` on all of them, in so many chunks. */
function shop(chunks: number, { units = 16, partitions = 10 } = {}): PlanScript & { ids: string[] } {
  const script = new PlanScript();
  script.nodes(3, units);
  const ids = script.namespace('shop', { chunks, replicas: 3, partitions }).map(({ chunkId }) => chunkId);
  return Object.assign(script, { ids });
}

const slots = (script: PlanScript): string[] =>
  script.state.chunksOf('shop').map(({ slotStart, slotEnd }) => `${slotStart}..${slotEnd}`);

describe('chunks with other slots', () => {
  it.each<[string, number, (ids: string[]) => object, string[]]>([
    ['split in two', 1, ([a]) => ({ kind: 'split', chunkId: a }), ['0..500000', '500000..1000000']],
    [
      'split in four',
      1,
      ([a]) => ({ kind: 'split', chunkId: a, parts: 4 }),
      ['0..250000', '250000..500000', '500000..750000', '750000..1000000'],
    ],
    [
      'split at slots named, in the middle of partitions',
      1,
      ([a]) => ({ kind: 'split', chunkId: a, at: [123_457, 777_777] }),
      ['0..123457', '123457..777777', '777777..1000000'],
    ],
    [
      'merge of neighbours, in whatever order they are named',
      4,
      ([, b, c, d]) => ({ kind: 'merge', chunkIds: [d, b, c] }),
      ['0..250000', '250000..1000000'],
    ],
    [
      'shift of a boundary',
      2,
      (ids) => ({ kind: 'shift', chunkIds: ids, at: 300_001 }),
      ['0..300001', '300001..1000000'],
    ],
  ])('%s', (_what, chunks, proposal, expected) => {
    const script = shop(chunks);
    const before = slots(script);
    const { planId } = script.propose({ ...proposal(script.ids), observeMs: 5_000 });
    script.until(planId, 'verify');
    expect(slots(script)).toEqual(before);
    const pending = [...script.state.everyChunkOf('shop')].filter(({ state }) => state === 'pending');
    expect(pending.every(({ replicas }) => replicas.every(({ role }) => role === 'learner'))).toBe(true);
    expect(pending.every(({ chunkId }) => script.state.route(chunkId) === undefined)).toBe(true);
    script.until(planId, 'observe');
    expect(slots(script)).toEqual(expected);
    expect(problemsOf(script.state)).toEqual([]);
    script.finish();
    expect(script.plan(planId).state).toBe('done');
    expect([...script.state.everyChunkOf('shop')]).toHaveLength(expected.length);
    expect([...script.state.units()].filter(({ state }) => state !== 'free')).toHaveLength(3 * expected.length);
    expect(script.told.filter((line) => line.endsWith('refused'))).toEqual([]);
    expect(problemsOf(script.state)).toEqual([]);
  });

  it('stay on the nodes they were on, with their primaries spread', () => {
    const script = shop(1);
    const { planId } = script.propose({ kind: 'split', chunkId: script.ids[0], parts: 3 });
    script.until(planId, 'observe');
    for (const { replicas } of script.state.chunksOf('shop'))
      expect(replicas.map(({ nodeId }) => nodeId).sort()).toEqual(['n1', 'n2', 'n3']);
    const primaries = script.state
      .chunksOf('shop')
      .map(({ replicas }) => replicas.find(({ role }) => role === 'primary'));
    expect(new Set(primaries.map((of) => of?.nodeId)).size).toBe(3);
  });

  it('never reuse a number, not even of a plan that was cancelled', () => {
    const script = shop(1);
    const first = script.propose({ kind: 'split', chunkId: script.ids[0] });
    script.until(first.planId, 'copy');
    script.accept('CancelPlan', { planId: first.planId });
    script.finish();
    const second = script.propose({ kind: 'split', chunkId: script.ids[0] });
    expect(first.targets.map(({ chunkId }) => chunkId)).toEqual(['shop#1/c00002', 'shop#1/c00003']);
    expect(second.targets.map(({ chunkId }) => chunkId)).toEqual(['shop#1/c00004', 'shop#1/c00005']);
  });

  it('return in one decision, and what was made goes once readers have had their time', () => {
    const script = shop(2);
    const before = script.ids.map((id) => script.places(id));
    const { planId } = script.propose({ kind: 'merge', chunkIds: script.ids });
    const merged = script.until(planId, 'observe').targets[0]!.chunkId;
    script.accept('RollbackPlan', { planId });
    expect(slots(script)).toEqual(['0..500000', '500000..1000000']);
    expect(script.ids.map((id) => script.places(id))).toEqual(before);
    expect(script.state.chunk(merged)).toMatchObject({ state: 'retired' });
    expect(problemsOf(script.state)).toEqual([]);
    script.finish();
    expect(script.plan(planId)).toMatchObject({ state: 'rolledBack' });
    expect(script.state.chunk(merged)).toBeUndefined();
    expect(problemsOf(script.state)).toEqual([]);
  });
});

describe('a resize', () => {
  it.each([
    [3, 12],
    [12, 6],
    [3, 7],
    [7, 5],
    [1, 40],
    [40, 1],
    [24, 24 * 3],
    [2, 2],
  ])('from %i to %i chunks', (from, to) => {
    const script = shop(from, { units: 200, partitions: 64 });
    const answer = script.answer('ProposePlan', { kind: 'resize', namespace: 'shop', chunks: to, observeMs: 0 });
    if (from === to) {
      expect(answer).toMatch(/^PLAN_NOT_NEEDED/);
      return;
    }
    const planId = `p${script.journal.length}`;
    script.finish(20_000);
    expect(script.plan(planId).state).toBe('done');
    // Else the dispatcher would merge what was added, as soon as it is cold for long.
    expect(script.state.namespace('shop')?.chunks).toBe(to);
    const width = 1_000_000 / to;
    expect(script.state.chunksOf('shop').map(({ slotEnd }) => slotEnd)).toEqual(
      Array.from({ length: to }, (_, i) => Math.floor((i + 1) * width)),
    );
    expect(problemsOf(script.state)).toEqual([]);
  });

  it('that is cancelled leaves what the namespace asks for', () => {
    const script = shop(3, { units: 200, partitions: 64 });
    const { planId } = script.propose({ kind: 'resize', namespace: 'shop', chunks: 12, observeMs: 0 });
    script.ideal.round();
    script.accept('CancelPlan', { planId });
    script.finish();
    expect(script.plan(planId).state).toBe('cancelled');
    expect(script.state.namespace('shop')?.chunks).toBe(3);
  });

  it('goes in small steps where few units are free', () => {
    const script = shop(3, { units: 6, partitions: 64 });
    script.propose({ kind: 'resize', namespace: 'shop', chunks: 5, observeMs: 0 });
    script.finish();
    expect(script.state.chunksOf('shop')).toHaveLength(5);
    expect(problemsOf(script.state)).toEqual([]);
  });
});
