import { messageOf } from '@levee/kernel';
import { type LogBatch, LogFailure } from '@levee/log';

export function failing(failure: LogFailure): AsyncIterator<LogBatch> {
  return { next: () => Promise.reject(failure) };
}

export function closedFailure(description: string): LogFailure {
  return new LogFailure('LOG_UNAVAILABLE', `the log (${description}) is closed`);
}

export function writeFailed(cause: unknown): LogFailure {
  return new LogFailure('LOG_UNAVAILABLE', `the log's disk did not confirm a synced write: ${messageOf(cause)}`, {
    cause,
  });
}
