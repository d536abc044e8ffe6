import { asOffset, asPartition, silentLogger, type Clock, type Timers } from '@levee/kernel';
import { LogFailure, systemRandom, type Appended, type Log, type LogFailureCode, type LogRecord } from '@levee/log';
import { AppendBudget, Appends } from './appends';
import { CallbackAppend } from './door/door-operations';
import type { FenceWaiter } from './operations';
import type { StoreFailure } from './store-errors';
import { storeLimits, type StoreLimits } from './store-limits';

/** Time that a test moves. */
class ManualTime implements Clock, Timers {
  private now = 1_000;
  private due: { atMs: number; action: () => void }[] = [];
  nowMs = (): number => this.now;
  monotonicMs = (): number => this.now;

  after(delayMs: number, action: () => void): () => void {
    const entry = { atMs: this.now + delayMs, action };
    this.due.push(entry);
    return () => (this.due = this.due.filter((each) => each !== entry));
  }

  pass(ms: number): void {
    const end = this.now + ms;
    for (;;) {
      const next = this.due.filter(({ atMs }) => atMs <= end).sort((a, b) => a.atMs - b.atMs)[0];
      if (!next) break;
      this.due = this.due.filter((each) => each !== next);
      this.now = next.atMs;
      next.action();
    }
    this.now = end;
  }
}

interface Call {
  readonly partition: number;
  readonly keys: string[];
  succeed(baseOffset: number): void;
  fail(code: LogFailureCode): void;
}

const tick = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

function setUp(limits: Partial<StoreLimits> = {}) {
  const calls: Call[] = [];
  const append = (_topic: string, partition: number, records: readonly LogRecord[]): Promise<Appended> =>
    new Promise((resolve, reject) =>
      calls.push({
        partition,
        keys: records.map(({ key }) => key!.toString('latin1').replace(/^\0levee\0/, '!')),
        succeed: (baseOffset) => resolve({ baseOffset: asOffset(baseOffset) }),
        fail: (code) => reject(new LogFailure(code, 'said the test')),
      }),
    );
  const time = new ManualTime();
  const context = {
    clock: time,
    timers: time,
    random: systemRandom,
    logger: silentLogger,
    limits: { ...storeLimits, ...limits },
    expiryNowMs: time.nowMs,
  };
  const budget = new AppendBudget();
  const target = { binlog: 'b', partitions: 2, producer: 'p1' };
  const appends = new Appends(context, { append } as unknown as Log, target, budget, (done) => done.done());
  const outcomes: string[] = [];
  const write = (key: string, partition = 0): void => {
    const operation: CallbackAppend = new CallbackAppend(Buffer.from(key), null, 'logged', undefined, (failure) =>
      outcomes.push(`${key} ${failure?.code ?? `at ${operation.nextOffset}`}`),
    );
    operation.partition = asPartition(partition);
    operation.deadlineAtMs = time.monotonicMs() + context.limits.appendMs;
    appends.add(operation);
  };
  const fence = (name: string, partition = 0): void => {
    const waiter: FenceWaiter = {
      deadlineAtMs: time.monotonicMs() + 5_000,
      fenced: (nextOffset) => void outcomes.push(`${name} fenced ${nextOffset}`),
      fenceFailed: (failure: StoreFailure) => void outcomes.push(`${name} ${failure.code}`),
    };
    appends.fence(asPartition(partition), waiter);
  };
  return { appends, calls, outcomes, write, fence, time, budget };
}

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
    const { calls, outcomes, write, budget } = setUp();
    write('a');
    await tick();
    calls[0]!.fail(code);
    await tick();
    expect(outcomes).toEqual([`a ${kind}`]);
    expect(budget).toEqual({ bytes: 0, records: 0 });
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

  it('refuses what does not fit into its queue', async () => {
    const { outcomes, write } = setUp({ appendQueueRecordsMax: 2 });
    for (const key of ['a', 'b', 'c']) write(key);
    await tick();
    expect(outcomes).toEqual(['c LVLIMIT']);
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
});
