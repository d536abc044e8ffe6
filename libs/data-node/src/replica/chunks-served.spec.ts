import { chunkProblem } from './chunks-served';
import type { HostedReplica } from './hosted-replica';

const hosted = (chunkId: string, readable: boolean, state = 'following', role = 'follower'): HostedReplica =>
  ({
    chunkId,
    readable,
    state,
    reason: `${chunkId} is ${state}`,
    holes: { hopeless: false },
    assignment: { role },
  }) as unknown as HostedReplica;

describe('chunks that nobody can read', () => {
  it.each<[string, HostedReplica[], object | undefined]>([
    ['no chunk', [], undefined],
    ['one readable replica is enough', [hosted('a', false, 'rebuilding'), hosted('a', true)], undefined],
    ['none is not', [hosted('a', true), hosted('b', false, 'opening')], { reason: 'b is opening', lasting: false }],
    ['a learner serves nobody', [hosted('a', true, 'following', 'learner')], undefined],
    ['all stuck', [hosted('a', false, 'stuck'), hosted('a', false, 'stuck')], { reason: 'a is stuck', lasting: true }],
    [
      'one may heal',
      [hosted('a', false, 'stuck'), hosted('a', false, 'opening')],
      { reason: 'a is stuck', lasting: false },
    ],
    [
      'what may heal is waited for first',
      [hosted('a', false, 'stuck'), hosted('b', false, 'opening')],
      { reason: 'b is opening', lasting: false },
    ],
  ])('%s', (_, replicas, expected) => {
    expect(chunkProblem(replicas)).toEqual(expected);
  });
});
