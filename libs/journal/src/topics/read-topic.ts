import { asPartition, Failure, type Clock, type Offset } from '@levee/kernel';
import { boundsOf, type Log, type LogBatch } from '@levee/log';

/**
 * Hands every record of partition 0 of `topic`, from `from` (default its start) to its end as of the call, to `onBatch`;
 * returns the next offset. With `to` it stops at the batch that reaches that offset, and may hand over what follows it.
 * Fails with DEADLINE when the end is not reached in time, and as `Log.tail` does.
 */
export async function readToEnd(
  log: Log,
  topic: string,
  options: {
    readonly clock: Clock;
    readonly deadlineMs: number;
    readonly from?: Offset;
    readonly to?: Offset;
    readonly onBatch: (batch: LogBatch) => void;
  },
): Promise<Offset> {
  const partition = asPartition(0);
  const bounds = await boundsOf(log, { topic, partition });
  const nextOffset = options.from ?? bounds.startOffset;
  const endOffset = options.to === undefined || options.to > bounds.endOffset ? bounds.endOffset : options.to;
  if (nextOffset >= endOffset) return nextOffset;
  const giveUpAt = options.clock.monotonicMs() + options.deadlineMs;
  const done = new AbortController();
  let reached = nextOffset;
  try {
    const from = { nextOffset, leaderEpoch: -1 };
    const tail = log.tail(topic, partition, from, {
      signal: done.signal,
      idleMs: 100,
      unavailableMs: options.deadlineMs,
    });
    for await (const batch of tail) {
      options.onBatch(batch);
      reached = batch.nextOffset;
      if (reached >= endOffset) return reached;
      if (options.clock.monotonicMs() > giveUpAt) break;
    }
  } finally {
    done.abort();
  }
  throw new Failure(
    'DEADLINE',
    `reading ${topic} stopped at offset ${reached} of ${endOffset} after ${options.deadlineMs} ms`,
  );
}
