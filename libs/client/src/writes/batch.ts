import { HeadedValue } from '@levee/codec';
import type { LogRecord } from '@levee/log';
import type { Append, FenceWaiter } from '../operations';
import { StoreFailure } from '../store-errors';

/** One append call under way. */
export interface Batch {
  readonly appends: readonly Append[];
  readonly isLarge: boolean;
  waiters: readonly FenceWaiter[];
  readonly sentAtMs: number;
  /** The earliest of those not answered yet. */
  deadlineAtMs: number;
}

/** The first deadline of those that are not answered. */
export function earliest(appends: readonly Append[], waiters: readonly FenceWaiter[]): number {
  let deadlineAtMs = Infinity;
  for (const append of appends)
    if (!append.settled && append.deadlineAtMs < deadlineAtMs) deadlineAtMs = append.deadlineAtMs;
  for (const waiter of waiters) if (waiter.deadlineAtMs < deadlineAtMs) deadlineAtMs = waiter.deadlineAtMs;
  return deadlineAtMs;
}

/** Fails the waiters whose time is over; the others. */
export function unfenced(waiters: readonly FenceWaiter[], nowMs: number): FenceWaiter[] {
  const left: FenceWaiter[] = [];
  for (const waiter of waiters)
    if (waiter.deadlineAtMs > nowMs) left.push(waiter);
    else waiter.fenceFailed(new StoreFailure('LVUNAVAILABLE', 'the log took no fence in time'));
  return left;
}

export function logRecordOf({ key, record }: Append): LogRecord {
  if (record instanceof HeadedValue) return { key, value: record.value, headers: record.headers };
  return { key, value: record };
}
