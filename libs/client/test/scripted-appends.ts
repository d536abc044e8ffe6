import { asOffset, asPartition, silentLogger } from '@levee/kernel';
import { LogFailure, systemRandom, type Appended, type Log, type LogFailureCode, type LogRecord } from '@levee/log';
import { CallbackAppend } from '../src/callback-operations';
import type { Append, FenceWaiter } from '../src/operations';
import type { StoreFailure } from '../src/store-errors';
import { storeLimits, type StoreLimits } from '../src/store-limits';
import { StoreTimes } from '../src/store-times';
import type { AppendLine } from '../src/writes/append-turns';
import { Appends } from '../src/writes/appends';
import { WriteCounts } from '../src/writes/write-counts';
import { ManualTime } from './manual-time';

interface Call {
  readonly partition: number;
  readonly keys: string[];
  succeed(baseOffset: number): void;
  fail(code: LogFailureCode): void;
}

export const tick = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** The writes of one namespace on a log that answers as the test says. */
export function setUp(limits: Partial<StoreLimits> = {}) {
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
  const forbidden: { why: string | undefined } = { why: undefined };
  const counts = new WriteCounts();
  const context = {
    clock: time,
    timers: time,
    random: systemRandom,
    logger: silentLogger,
    limits: { ...storeLimits, ...limits },
    times: new StoreTimes(time),
    counts,
    expiryNowMs: time.nowMs,
    isPatient: true,
    mayNotWrite: () => forbidden.why,
  };
  const underWay = new Set<Append>();
  const target = { binlog: 'b', partitions: 2, producer: 'p1' };
  const appends = new Appends(
    context,
    { append } as unknown as Log,
    target,
    (over) => expect(underWay.delete(over)).toBe(true),
    (done) => done.done(),
  );
  const outcomes: string[] = [];
  const write = (
    key: string,
    partition = 0,
    leftMs = context.limits.appendMs,
    { line, bytes = 0 }: { line?: AppendLine; bytes?: number } = {},
  ): void => {
    const record = bytes === 0 ? null : Buffer.alloc(bytes);
    const operation: CallbackAppend = new CallbackAppend(Buffer.from(key), record, 'logged', undefined, (failure) =>
      outcomes.push(`${key} ${failure?.code ?? `at ${operation.nextOffset}`}`),
    );
    operation.line = line;
    operation.partition = asPartition(partition);
    operation.deadlineAtMs = time.monotonicMs() + leftMs;
    underWay.add(operation);
    appends.add(operation);
  };
  const fence = (name: string, partition = 0, leftMs = 5_000): void => {
    const waiter: FenceWaiter = {
      deadlineAtMs: time.monotonicMs() + leftMs,
      fenced: (nextOffset) => void outcomes.push(`${name} fenced ${nextOffset}`),
      fenceFailed: (failure: StoreFailure) => void outcomes.push(`${name} ${failure.code}`),
    };
    appends.fence(asPartition(partition), waiter);
  };
  return { appends, counts, calls, outcomes, write, fence, time, underWay, forbidden };
}
