import { type LogFailureCode } from '@levee/log';
import { setUp, tick } from '../../test/scripted-appends';
import { storeLimits } from '../store-limits';
import { AppendLine } from './append-turns';

describe('Appends', () => {
  it('appends what a partition gets in one tick as one batch, in order', async () => {
    const { calls, outcomes, write } = setUp();
    write('a');
    write('b', 1);
    write('c');
    await tick();
    expect(calls.map(({ partition, keys }) => [partition, keys])).toEqual([
      [0, ['a', 'c']],
      [1, ['b']],
    ]);
    calls[0]!.succeed(7);
    calls[1]!.succeed(3);
    await tick();
    expect(outcomes).toEqual(['a at 8', 'c at 9', 'b at 4']);
  });

  it('gathers what comes while enough calls are under way', async () => {
    const { calls, write } = setUp({ appendsInFlightMax: 1 });
    for (const key of ['a', 'b', 'c']) {
      write(key);
      await tick();
    }
    expect(calls.map(({ keys }) => keys)).toEqual([['a']]);
    calls[0]!.succeed(0);
    await tick();
    await tick();
    expect(calls.map(({ keys }) => keys)).toEqual([['a'], ['b', 'c']]);
  });

  it.each<[LogFailureCode, string]>([
    ['LOG_UNAVAILABLE', 'LVDEFINITE'],
    ['TOPIC_MISSING', 'LVDEFINITE'],
    ['TOO_LARGE', 'LVDEFINITE'],
    ['FENCED', 'LVDEFINITE'],
    ['OUTCOME_UNKNOWN', 'LVINDEFINITE'],
  ])('I3: says of %s that the write is %s', async (code, kind) => {
    const { calls, outcomes, write, underWay } = setUp();
    write('a');
    await tick();
    calls[0]!.fail(code);
    await tick();
    expect(outcomes).toEqual([`a ${kind}`]);
    expect(underWay.size).toBe(0);
  });

  it('I3: says indefinite of what the log does not answer, definite of what it never got', async () => {
    const { calls, outcomes, write, time } = setUp({ appendsInFlightMax: 1, appendMs: 1_000 });
    write('sent');
    await tick();
    write('waiting');
    time.pass(1_200);
    expect(outcomes).toEqual(['sent LVINDEFINITE', 'waiting LVDEFINITE']);
    calls[0]!.succeed(0);
    await tick();
    await tick();
    expect([outcomes.length, calls.length]).toEqual([2, 1]);
  });

  it('answers a write within its time from the door on, however long it waited for its turn', async () => {
    const { calls, outcomes, write, time, underWay } = setUp({ appendsInFlightMax: 1, appendMs: 1_000 });
    write('a');
    await tick();
    time.pass(600);
    write('b');
    write('c');
    time.pass(300);
    // b and c are sent 300 ms after they came: they have 700 ms left, not 1,000 again.
    calls[0]!.succeed(0);
    await tick();
    await tick();
    expect(calls.map(({ keys }) => keys)).toEqual([['a'], ['b', 'c']]);
    time.pass(650);
    expect(outcomes).toEqual(['a at 1']);
    time.pass(150);
    expect(outcomes).toEqual(['a at 1', 'b LVINDEFINITE', 'c LVINDEFINITE']);
    calls[1]!.succeed(1);
    await tick();
    expect([outcomes.length, underWay.size]).toEqual([3, 0]);
  });

  it('judges each write of a batch by its own deadline, in whatever order they came', async () => {
    const { calls, outcomes, write, time } = setUp({ appendsInFlightMax: 1, appendMs: 1_000 });
    write('first');
    await tick();
    write('late', 0, 900);
    write('early', 0, 300);
    write('queued till the end', 0, 1_500);
    time.pass(500);
    expect(outcomes).toEqual(['early LVDEFINITE']);
    calls[0]!.fail('LOG_UNAVAILABLE');
    await tick();
    await tick();
    expect(calls[1]!.keys).toEqual(['late', 'queued till the end']);
    time.pass(500);
    expect(outcomes.slice(1)).toEqual(['first LVDEFINITE', 'late LVINDEFINITE']);
    calls[1]!.succeed(7);
    await tick();
    expect(outcomes.slice(3)).toEqual(['queued till the end at 9']);
  });

  it('counts a write once, however long its batch is not answered and whatever is heard of it then', async () => {
    const { appends, counts, calls, write, time } = setUp({ appendMs: 1_000 });
    for (const key of ['a', 'b']) write(key);
    write('c', 1);
    await tick();
    time.pass(10_000);
    expect([counts, appends.callsUnderWay]).toMatchObject([{ appends: 3, indefinite: 3, definite: 0 }, 2]);
    calls[0]!.fail('OUTCOME_UNKNOWN');
    calls[1]!.fail('LOG_UNAVAILABLE');
    await tick();
    expect([counts, appends.callsUnderWay]).toMatchObject([{ appends: 3, indefinite: 3, definite: 0 }, 0]);
  });

  it('gives a fence up when its own time is over, in a call under way too, and leaves the others in it', async () => {
    const { calls, outcomes, write, fence, time } = setUp({ appendMs: 15_000 });
    fence('r', 0, 2_000);
    fence('s', 0, 9_000);
    write('a');
    await tick();
    time.pass(2_100);
    expect(outcomes).toEqual(['r LVUNAVAILABLE']);
    calls[0]!.succeed(4);
    await tick();
    expect(outcomes.slice(1)).toEqual(['a at 5', 's fenced 5']);
  });

  it('I4: fences with a record appended after the reads came, shared by all that wait', async () => {
    const { calls, outcomes, fence, time } = setUp();
    fence('r1');
    fence('r2');
    await tick();
    expect(calls.map(({ keys }) => keys)).toEqual([['!fence/p1']]);
    fence('r3');
    await tick();
    expect(calls).toHaveLength(1);
    calls[0]!.succeed(10);
    await tick();
    expect(outcomes).toEqual(['r1 fenced 11', 'r2 fenced 11']);
    time.pass(10);
    await tick();
    expect(calls).toHaveLength(2);
    calls[1]!.succeed(11);
    await tick();
    expect(outcomes.slice(2)).toEqual(['r3 fenced 12']);
  });

  it('I4: takes a write appended after the read for a fence', async () => {
    const { calls, outcomes, write, fence } = setUp();
    fence('r');
    write('a');
    await tick();
    expect(calls.map(({ keys }) => keys)).toEqual([['a']]);
    calls[0]!.succeed(4);
    await tick();
    expect(outcomes).toEqual(['a at 5', 'r fenced 5']);
  });

  it('I4: fences again when the log took none, until the deadline', async () => {
    const { calls, outcomes, fence, time } = setUp();
    fence('r');
    await tick();
    calls[0]!.fail('OUTCOME_UNKNOWN');
    await tick();
    time.pass(10);
    await tick();
    expect(calls).toHaveLength(2);
    calls[1]!.succeed(4);
    await tick();
    expect(outcomes).toEqual(['r fenced 5']);
  });

  it('gives fences up at once when the log has taken nothing for a while and says so; one success, and it is asked again', async () => {
    const { calls, outcomes, fence, time } = setUp({ refusedMs: 2_000 });
    const refuse = async (): Promise<void> => {
      calls.at(-1)!.fail('LOG_UNAVAILABLE');
      await tick();
      time.pass(500);
      await tick();
    };
    fence('r', 0, 15_000);
    await tick();
    for (let tries = 0; tries < 4; tries++) await refuse();
    expect(outcomes).toEqual([]);
    await refuse();
    expect(outcomes).toEqual(['r LVUNAVAILABLE']);
    // Known already: the first answer is enough, in the other partitions too.
    fence('s', 1, 15_000);
    await tick();
    await refuse();
    expect(outcomes).toEqual(['r LVUNAVAILABLE', 's LVUNAVAILABLE']);
    fence('t', 0, 15_000);
    await tick();
    calls.at(-1)!.succeed(4);
    await tick();
    time.pass(1_000);
    fence('u', 0, 15_000);
    await tick();
    await refuse();
    calls.at(-1)!.succeed(5);
    await tick();
    expect(outcomes.slice(2)).toEqual(['t fenced 5', 'u fenced 6']);
  });

  it('writes at most fencesPerSecondMax fences', async () => {
    const { calls, fence, time } = setUp({ fencesPerSecondMax: 10 });
    for (let ms = 0; ms < 1_000; ms += 20) {
      fence('r');
      await tick();
      calls.at(-1)?.succeed(ms);
      await tick();
      time.pass(20);
      await tick();
    }
    expect(calls.length).toBeGreaterThanOrEqual(9);
    expect(calls.length).toBeLessThanOrEqual(11);
  });

  describe('small writes beside large ones of a partition', () => {
    const large = { bytes: 1_000_000 };
    const appendMs = storeLimits.appendMs;

    /** The keys of each call, one call at a time. */
    async function sent({ calls }: ReturnType<typeof setUp>): Promise<string[]> {
      const keys: string[] = [];
      for (let i = 0; ; i++) {
        await tick();
        if (i === calls.length) return keys;
        keys.push(calls[i]!.keys.join(' '));
        calls[i]!.succeed(i * 10);
        await tick();
      }
    }

    it('go in front of those of other connections, which have every other call', async () => {
      const scene = setUp({ appendsInFlightMax: 1 });
      const greedy = new AppendLine();
      for (const key of ['A', 'B', 'C', 'D']) scene.write(key, 0, appendMs, { line: greedy, ...large });
      await tick();
      for (const key of ['x', 'y']) scene.write(key, 0, appendMs, { line: new AppendLine() });
      scene.write('z');
      expect(await sent(scene)).toEqual(expect.arrayContaining(['x y z']));
      expect(scene.calls.findIndex(({ keys }) => keys.includes('x'))).toBeLessThanOrEqual(2);
      expect(scene.calls.flatMap(({ keys }) => keys).filter((key) => /[A-D]/.test(key))).toEqual(['A', 'B', 'C', 'D']);
    });

    it('wait for one call of large ones at most, beside which they go', async () => {
      const scene = setUp();
      for (const key of ['A', 'B', 'C']) scene.write(key, 0, appendMs, { line: new AppendLine(), ...large });
      await tick();
      scene.write('x', 0, appendMs, { line: new AppendLine() });
      await tick();
      scene.write('y', 0, appendMs, { line: new AppendLine() });
      await tick();
      expect(scene.calls.map(({ keys }) => keys)).toEqual([['A'], ['x']]);
      scene.calls[1]!.succeed(10);
      await tick();
      await tick();
      expect(scene.calls.slice(2).map(({ keys }) => keys)).toEqual([['y']]);
      scene.calls[0]!.succeed(0);
      await tick();
      await tick();
      expect(scene.calls.slice(3).map(({ keys }) => keys)).toEqual([['B']]);
      expect(await sent(scene)).toContain('C');
    });

    it('I15: those of one connection stay in its order, whatever their sizes', async () => {
      for (let seed = 1; seed <= 30; seed++) {
        let dice = seed;
        const next = (n: number): number => (dice = (dice * 48_271) % 2_147_483_647) % n;
        const scene = setUp({ appendsInFlightMax: 1 + next(2) });
        const lines = Array.from({ length: 4 }, () => new AppendLine());
        const counts = lines.map(() => 0);
        let answered = 0;
        for (let step = 0; step < 120; step++) {
          const of = next(lines.length);
          const bytes = next(3) === 0 ? 600_000 : 0;
          scene.write(`${of}:${counts[of]!++}`, next(2), appendMs, { line: lines[of]!, bytes });
          if (next(3) === 0) await tick();
          if (next(2) === 0 && answered < scene.calls.length) scene.calls[answered++]!.succeed(answered * 1_000);
        }
        for (let idle = 0; idle < 3; idle++) {
          if (answered < scene.calls.length) idle = 0;
          while (answered < scene.calls.length) scene.calls[answered++]!.succeed(answered * 1_000);
          await tick();
        }
        for (const partition of [0, 1]) {
          const keys = scene.calls.filter((call) => call.partition === partition).flatMap((call) => call.keys);
          for (const of of lines.keys()) {
            const numbers = keys.filter((key) => key.startsWith(`${of}:`)).map((key) => Number(key.slice(2)));
            expect([seed, partition, of, numbers]).toEqual([seed, partition, of, [...numbers].sort((a, b) => a - b)]);
          }
        }
        expect([seed, scene.underWay.size]).toEqual([seed, 0]);
      }
    });

    it('do not keep large ones waiting, however many come', async () => {
      const scene = setUp({ appendsInFlightMax: 1 });
      for (const key of ['A', 'B']) scene.write(key, 0, appendMs, { line: new AppendLine(), ...large });
      for (let call = 0; call < 6; call++) {
        scene.write(`s${call}`, 0, appendMs, { line: new AppendLine() });
        await tick();
        scene.calls[call]!.succeed(call * 10);
        await tick();
      }
      expect(scene.calls.slice(0, 4).flatMap(({ keys }) => keys)).toEqual(expect.arrayContaining(['A', 'B']));
    });
  });
});
