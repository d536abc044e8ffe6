import type { PlanDigest } from '../../src';
import { digestEvidence, nextPlanWork, planLimits } from '../../src';
import { payloadLengthMax } from '../../src/payload';
import { problemsOf } from '../cluster-script';
import { PlanScript } from './plan-script';

const replicas = 9;
const partitions = 1_000;
/** What `levee.plans` takes is 2 MiB. */
const planLengthMax = 1_500_000;
const wide = (text: string, length: number): string => text.padEnd(length, '-x');

/** Names as long as may be, the most partitions and the most replicas: one chunk over all of them. */
function widest(units: number): PlanScript & { chunkId: string; payloads: Map<string, number> } {
  const script = new PlanScript();
  for (let i = 1; i <= replicas + 1; i++) {
    const nodeId = wide(`n${i}`, 63);
    script.node(nodeId, {
      storeId: wide(`store-${i}`, 64),
      incarnation: wide(`run-${i}`, 64),
      domain: `rack-${i}`,
      units: Array.from({ length: units }, (_, u) => ({
        ...{ unitId: `${nodeId}/${wide(`u${u}`, 63)}`, capacityBytes: 2 ** 28 },
        ...{ engine: 'leveldb', generation: 2 ** 31 - 20 },
      })),
    });
  }
  const [chunk] = script.namespace(wide('shop', 180), { chunks: 1, replicas, partitions });
  const payloads = new Map<string, number>();
  const submit = script.submit.bind(script);
  script.submit = (kind, payload, options) => {
    payloads.set(kind, Math.max(payloads.get(kind) ?? 0, JSON.stringify(payload).length));
    return submit(kind, payload, options);
  };
  return Object.assign(script, { chunkId: chunk?.chunkId ?? '', payloads });
}

const cuts = (pieces: number): number[] =>
  Array.from({ length: pieces - 1 }, (_, i) => Math.floor(((i + 1) * 1_000_000) / pieces) + 1);

it.each([
  ['a move', (chunkId: string) => ({ kind: 'move', chunkId, from: wide('n1', 63) })],
  ['a split', (chunkId: string) => ({ kind: 'split', chunkId, at: cuts(planLimits.piecesMax) })],
  ['a part of a resize', (chunkId: string) => ({ kind: 'resize', chunkIds: [chunkId], at: cuts(28) })],
])('%s with the most partitions and replicas compares them in one command', (_name, payload) => {
  const script = widest(40);
  const { planId } = script.propose({ ...payload(script.chunkId), observeMs: 0 });
  script.until(planId, 'switch', 5_000);
  const verified = JSON.parse(script.plan(planId).verified ?? '{}') as { barriers: string[]; keys: number };
  expect(verified.barriers).toHaveLength(partitions);
  expect(verified.keys).toBe(1_000_000);
  script.finish();
  expect(script.plan(planId).state).toBe('done');
  expect(problemsOf(script.state)).toEqual([]);
  expect(script.payloads.get('VerifyPlan')).toBeLessThan(payloadLengthMax * 0.9);
  expect(script.payloads.get('ReclaimPlan')).toBeLessThan(payloadLengthMax * 0.9);
  expect(JSON.stringify(script.plan(planId)).length).toBeLessThan(planLengthMax);
});

it('a plan that would compare more is refused when it is proposed, and a resize takes smaller steps', () => {
  const script = widest(70);
  expect(script.answer('ProposePlan', { kind: 'resize', chunkIds: [script.chunkId], at: cuts(29) })).toBe(
    'TOO_LARGE: 29 new chunks of 9 replicas in the place of 1 are 262 replicas to compare, the limit is 256: ' +
      'name fewer chunks, or make fewer at once',
  );
  const { planId, namespace } = script.propose({
    kind: 'resize',
    namespace: script.state.chunk(script.chunkId)?.namespace,
    chunks: 40,
    observeMs: 0,
  });
  script.finish(20_000);
  expect(script.plan(planId).state).toBe('done');
  expect(script.state.chunksOf(namespace ?? '')).toHaveLength(40);
});

/** The digests that the plan waits for; `of` spoils some. */
function answers(script: PlanScript, planId: string, of: (digest: PlanDigest, i: number) => PlanDigest): PlanDigest[] {
  const work = nextPlanWork(script.state, script.plan(planId), script.nowMs);
  if (work.kind !== 'verify') throw new Error(`not to be verified: ${work.kind}`);
  return work.expect.map((expected, i) => {
    const incarnation = script.state.node(expected.nodeId)?.incarnation ?? '';
    return of({ ...expected, incarnation, barrierOffset: 7, digest: 'ab'.repeat(16), keys: 1 }, i);
  });
}

it('replicas that differ everywhere are told at one place, which is enough to stop the plan', () => {
  const script = widest(40);
  const { planId, attempt } = script.propose({ kind: 'split', chunkId: script.chunkId, parts: 16, observeMs: 0 });
  script.until(planId, 'verify', 5_000);
  const digests = answers(script, planId, (of, i) => ({ ...of, digest: String(i).padStart(32, '0') }));
  const evidence = digestEvidence(digests);
  expect(evidence.barriers).toHaveLength(1);
  expect(evidence.digests).toHaveLength(replicas);
  script.accept('VerifyPlan', { planId, attempt, barrierId: 'b', ...evidence });
  expect(script.plan(planId)).toMatchObject({ state: 'failed', failureCode: 'DIGEST_MISMATCH' });
});

it('a replica whose digest is missing does not stand for what others told', () => {
  const script = widest(4);
  const { planId, attempt } = script.propose({ kind: 'move', chunkId: script.chunkId, from: wide('n1', 63) });
  script.until(planId, 'verify');
  const digests = answers(script, planId, (of) => of);
  expect(() => digestEvidence(digests.slice(1))).toThrow('I11');
  const { barriers, digests: agreed } = digestEvidence(digests);
  const answer = (evidence: object): string =>
    script.answer('VerifyPlan', { planId, attempt, barrierId: 'b', barriers, digests: agreed, ...evidence });
  expect(answer({ digests: agreed.slice(1) })).toMatch(/^BAD_COMMAND: .* was asked|^BAD_COMMAND: .* is missing/);
  expect(answer({ barriers: barriers.slice(1) })).toBe(
    'BAD_COMMAND: barriers does not say at which offset partition 0 was compared',
  );
  const twice = [...barriers.slice(1), ...[7, 8].map((offset) => ({ partition: 0, offset }))].slice(1);
  expect(answer({ barriers: twice })).toMatch(/^STALE_EVIDENCE: partition 0 was/);
  expect(answer({})).toBe('accepted');
});
