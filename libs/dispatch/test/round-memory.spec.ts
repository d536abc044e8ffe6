import { proposalText, RoundMemory, roundMemoryLimits } from '../src';
import { proposalId, proposalRetryMs } from '../src/command-id';

const thought = (chunkId: string, code = 'TOO_YOUNG') =>
  ({ subject: { chunkId }, trigger: 'hotChunk', code, message: `about ${chunkId}`, facts: {} }) as const;

test('the same thought in round after round is one note that counts', () => {
  const memory = new RoundMemory();
  for (let round = 1; round <= 5; round++) memory.keep(thought('a#1/c1'), round * 1_000);
  expect(memory.about('a#1/c1')).toEqual([expect.objectContaining({ rounds: 5, firstAtMs: 1_000, atMs: 5_000 })]);
});

test('each proposal is a note of its own, found by chunk, node and plan', () => {
  const memory = new RoundMemory();
  for (const planId of ['p1', 'p2']) {
    const facts = { from: 'n1', to: 'n2' };
    const note = memory.keep({ ...thought('a#1/c1+a#1/c2', 'PROPOSED'), facts }, Number(planId.slice(1)));
    note.planId = planId;
  }
  for (const subject of ['a#1/c1', 'a#1/c2', 'n1', 'n2']) expect(memory.about(subject)).toHaveLength(2);
  expect(memory.about('p1')).toEqual([expect.objectContaining({ planId: 'p1', atMs: 1 })]);
  expect(memory.about('a#1/c3')).toEqual([]);
});

test('the oldest notes go when there are too many', () => {
  const memory = new RoundMemory();
  for (let i = 0; i <= roundMemoryLimits.notesMax; i++) memory.keep(thought(`a#1/c${i}`), i);
  expect(memory.about('a#1/c0')).toEqual([]);
  expect(memory.about(`a#1/c${roundMemoryLimits.notesMax}`)).toHaveLength(1);
  expect(memory.latest(3).map(({ atMs }) => atMs)).toEqual(
    [-2, -1, 0].map((back) => roundMemoryLimits.notesMax + back),
  );
});

test('a proposal is one command for a while, whoever submits it, and another one later', () => {
  const atMs = proposalRetryMs * 1_000;
  const id = proposalId('hotNode/promote/a#1/c1/7', atMs);
  expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  expect(proposalId('hotNode/promote/a#1/c1/7', atMs + proposalRetryMs - 1)).toBe(id);
  expect(proposalId('hotNode/promote/a#1/c1/7', atMs + proposalRetryMs)).not.toBe(id);
  expect(proposalId('hotNode/promote/a#1/c1/8', atMs)).not.toBe(id);
});

test.each([
  [{ kind: 'move', chunkId: 'c1', from: 'n1', to: 'n2' }, 'move c1 from n1 to n2'],
  [{ kind: 'shift', chunkIds: ['c1', 'c2'], at: 5 }, 'shift c1 and c2 at slot 5'],
  [{ kind: 'split', chunkId: 'c1', parts: 2 }, 'split c1 into 2'],
] as const)('%j reads like a sentence', (plan, text) => {
  expect(proposalText({ ...plan, trigger: 'hotNode', evidence: {}, policyVersion: 1 })).toBe(text);
});
