import { asOffset, asPartition } from '@levee/kernel';
import { givingUp } from './give-up-unit';

const at = (nextOffset: number) => [{ partition: 0, nextOffset }];
const whole = { damaged: false, positions: at(50) };

/** What is done with what a replica held that stood at `heldAt`, `undefined`: its files could not be opened. */
async function whatIsDone(of: {
  heldAt?: number;
  damaged?: boolean;
  role?: string;
  kept?: object;
  problem?: string;
}): Promise<string> {
  const { heldAt, damaged = false, role = 'follower', kept, problem } = of;
  const done: string[] = [];
  const disk = {
    needed: () => (kept === undefined ? undefined : { keptFor: kept }),
    keepProblem: () => Promise.resolve(problem),
    keep: () => Promise.resolve(done.push('kept')),
    setAside: () => Promise.resolve(done.push('set aside')),
    clearUnit: () => Promise.resolve(done.push('cleared')),
  };
  const replica = {
    identity: { unitId: 'n1/u01', generation: 1, binlog: 'b' },
    assignment: { role },
    current: heldAt === undefined ? undefined : { nextOffset: () => asOffset(heldAt) },
    places: { all: [{ partition: asPartition(0) }] },
  };
  const leaving = await givingUp({ disk } as never, replica as never, { reason: 'why', damaged, from: 'peer' });
  if ('problem' in leaving) return leaving.problem;
  await leaving.now();
  return done.join();
}

describe('I14: what a replica held that is to be built anew', () => {
  it.each([
    ['a replica at its very start', { heldAt: 0 }, 'cleared'],
    ['one that has read something', { heldAt: 40 }, 'kept'],
    ['one that is not further than what is kept already', { heldAt: 50, kept: whole }, 'cleared'],
    ['one that is further', { heldAt: 51, kept: whole }, 'kept'],
    ['one beside damaged files that came further', { heldAt: 40, kept: { ...whole, damaged: true } }, 'kept'],
    ['one beside files of which nothing is known', { heldAt: 40, kept: { damaged: true, positions: null } }, 'kept'],
    ['damaged files that cannot be opened', { damaged: true, kept: whole }, 'kept'],
    ['damaged files that are not further than what is kept', { heldAt: 40, damaged: true, kept: whole }, 'set aside'],
    ['a learner', { heldAt: 40, role: 'learner' }, 'cleared'],
    ['a damaged learner', { damaged: true, role: 'learner' }, 'set aside'],
    ['one that cannot be kept, beside a hole', { heldAt: 40, problem: 'no room' }, 'no room'],
  ])('%s', async (_, of, expected) => {
    expect(await whatIsDone(of)).toBe(expected);
  });
});
