import { LogFailure, type LogFailureCode, logLimits } from '@levee/log';

export function recordTooLarge(topic: string, partition: number, bytes: number): LogFailure {
  const what = `a record of ${bytes} bytes, ${logLimits.recordBytesMax} are the most`;
  return failure('TOO_LARGE', topic, partition, what);
}

export function failure(code: LogFailureCode, topic: string, partition: number, what: string): LogFailure {
  return new LogFailure(code, `append to ${topic} partition ${partition}: ${what}`, { details: { topic, partition } });
}
