import type { LogFailureCode } from '@levee/log';
import { setUp, tick } from '../../test/scripted-appends';
import { StoreFailure } from '../store-errors';
import { storeLimits } from '../store-limits';

describe('Appends', () => {
  describe('frozen writes', () => {
    const frozen = new StoreFailure('LVFROZEN', 'said the test');

    it('fail when they were not sent yet, and fences go on', async () => {
      const { appends, calls, outcomes, write, fence } = setUp({ appendsInFlightMax: 1 });
      write('a');
      await tick();
      write('b');
      fence('F');
      appends.refuseUnsent(frozen);
      expect(outcomes).toEqual(['b LVFROZEN']);
      expect(appends.settled).toBe(false);
      calls[0]!.succeed(0);
      await tick();
      await tick();
      expect(appends.settled).toBe(true);
      expect(calls[1]!.keys).toEqual(['!fence/p1']);
      calls[1]!.succeed(1);
      await tick();
      expect(outcomes).toEqual(['b LVFROZEN', 'a at 1', 'F fenced 2']);
    });

    it.each<[LogFailureCode, boolean]>([
      ['LOG_UNAVAILABLE', true],
      ['OUTCOME_UNKNOWN', false],
    ])('after %s the partition is settled at once: %s', async (code, atOnce) => {
      const { appends, calls, write, time } = setUp();
      write('a');
      await tick();
      calls[0]!.fail(code);
      await tick();
      expect(appends.settled).toBe(atOnce);
      time.pass(storeLimits.unknownSettlesMs + 1);
      expect(appends.settled).toBe(true);
    });

    it('a write that the store has given up is on its way until the log answers', async () => {
      const { appends, calls, outcomes, write, time } = setUp();
      write('a');
      await tick();
      time.pass(storeLimits.appendMs + 200);
      expect(outcomes).toEqual(['a LVINDEFINITE']);
      expect(appends.settled).toBe(false);
      calls[0]!.succeed(0);
      await tick();
      expect(appends.settled).toBe(true);
    });
  });

  it('sends nothing while this process may not write, and fences all the same', async () => {
    const { calls, outcomes, write, fence, forbidden } = setUp();
    forbidden.why = 'nobody has heard of it';
    write('a');
    fence('F');
    await tick();
    expect(outcomes).toEqual(['a LVDEFINITE']);
    expect(calls.map(({ keys }) => keys)).toEqual([['!fence/p1']]);
    forbidden.why = undefined;
    write('b');
    await tick();
    expect(calls[1]!.keys).toEqual(['b']);
  });
});
