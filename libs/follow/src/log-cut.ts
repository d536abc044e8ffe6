import type { ReplicaIdentity } from '@levee/chunk-store';
import { asPartition, Failure, failureCode, type Partition } from '@levee/kernel';
import { type Log, LogFailure, type LogPosition } from '@levee/log';
import { firstBatch, lookOptionsOf } from './first-batch';

/** A partition whose log lost what a replica holds: the replica is a witness of it. */
export interface LogCut {
  readonly partition: Partition;
  /** From here on the log does not hold what the replica has seen; what stands there now was written afterwards. */
  readonly cutOffset: number;
  /** False: the log cannot say where it was cut, so `cutOffset` is 0 and nothing it holds is known to be older or newer. */
  readonly cutKnown: boolean;
  /** Where the replica stands. */
  readonly nextOffset: number;
  /** The newest leader epoch that the replica has seen. */
  readonly leaderEpoch: number;
  /** What the log said. */
  readonly why: string;
  /** Keys whose last record the replica holds and the log lost; deletions cannot be counted. Absent until counted. */
  readonly keysAtStake?: number;
  /** The first of them, as `keyText` shows them. Absent until counted. */
  readonly keys?: readonly string[];
}

/** Where a replica reads: its own binlog, or the very topic of others that it was built from. */
export type LogOf = Pick<ReplicaIdentity, 'binlog' | 'sourceTopicId'>;

/** A cut whose loss people have accepted: exactly these figures, so that nothing else is let go. */
export type AcceptedCut = Pick<LogCut, 'partition' | 'cutOffset' | 'nextOffset'>;

export function sameCut(a: AcceptedCut, b: AcceptedCut): boolean {
  return a.partition === b.partition && a.cutOffset === b.cutOffset && a.nextOffset === b.nextOffset;
}

/** True for what a log says to a reader that stands where it holds nothing any more, or never did. */
export function isLogLoss(error: unknown): error is LogFailure {
  return error instanceof LogFailure && (error.code === 'OFFSET_OUT_OF_RANGE' || error.code === 'LOG_TRUNCATED');
}

/**
 * Asks the log whether it holds all that a reader at `position` has seen; `undefined` when it does. The answer is the
 * log's own proof (end of the leader epoch), never a look at the end alone: a deposed leader has an older one.
 * Fails as `Log.tail` does.
 */
export async function lossBehind(
  log: Log,
  of: LogOf,
  partition: Partition,
  position: LogPosition,
): Promise<LogFailure | undefined> {
  if (position.nextOffset === 0) return undefined;
  try {
    const batch = await firstBatch(log, { topic: of.binlog, partition, from: position }, lookOptionsOf(of));
    if (batch !== undefined) return undefined;
  } catch (error) {
    if (isLogLoss(error)) return error;
    // A damaged record is in the log: what was behind it is not gone.
    if (failureCode(error) === 'RECORD_CORRUPT') return undefined;
    throw error;
  }
  throw new Failure('LOG_UNAVAILABLE', `${of.binlog} partition ${partition} could not be asked: the log closes`);
}

/** The cut that a log's failure speaks of; `undefined` when the reader is below its start: nothing of it was seen. */
export function cutOf(
  failure: LogFailure,
  position: LogPosition & { readonly partition: number },
  bounds: { readonly startOffset: number; readonly endOffset: number },
): LogCut | undefined {
  const { nextOffset, leaderEpoch } = position;
  if (nextOffset < bounds.startOffset) return undefined;
  // A topic made anew, or an epoch that the log has forgotten: nothing is known to be common.
  const told = failure.details['cutOffset'];
  const at = failure.code === 'OFFSET_OUT_OF_RANGE' ? bounds.endOffset : typeof told === 'number' ? told : -1;
  return {
    partition: asPartition(position.partition),
    cutOffset: Math.min(Math.max(at, 0), nextOffset),
    cutKnown: at >= 0,
    nextOffset,
    leaderEpoch,
    why: `${failure.code} ${failure.message}`,
  };
}
