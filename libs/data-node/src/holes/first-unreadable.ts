import type { LogOf } from '@levee/follow';
import { asOffset, failureCode, messageOf, type Partition } from '@levee/kernel';
import { boundsOf, type Log } from '@levee/log';
import type { LogHole } from './log-hole';

/** What nobody can ever read is no hole: replicas go on behind it. */
const options = { bytesMax: 1 << 20, idleMs: 50, unavailableMs: 30_000, takesBadStretches: true } as const;

/**
 * Reads a partition from its start up to an offset, or to its end: the first stretch that its log does not give;
 * `undefined` when all of it can be read. Fails as `Log.tail` does for any other reason.
 */
export async function firstUnreadable(
  log: Log,
  { binlog, sourceTopicId: topicId }: LogOf,
  partition: Partition,
  upTo: number | undefined,
): Promise<LogHole | undefined> {
  // A topic of others may begin above 0, by its owners' decision.
  let fromOffset: number = topicId === undefined ? 0 : (await boundsOf(log, { topic: binlog, partition })).startOffset;
  const stop = new AbortController();
  try {
    if (upTo === 0) return undefined;
    const from = { nextOffset: asOffset(fromOffset), leaderEpoch: -1 };
    for await (const { nextOffset, endOffset } of log.tail(binlog, partition, from, {
      ...options,
      ...(topicId === undefined ? {} : { topicId }),
      signal: stop.signal,
    })) {
      fromOffset = nextOffset;
      if (nextOffset >= Math.min(upTo ?? endOffset, endOffset)) break;
    }
    return undefined;
  } catch (error) {
    const code = failureCode(error);
    if (code !== 'RECORD_CORRUPT' && code !== 'OFFSET_OUT_OF_RANGE') throw error;
    const to = (error as { readonly details?: Readonly<Record<string, unknown>> }).details?.['to'];
    const toOffset = typeof to === 'number' && to > fromOffset ? to : undefined;
    return { partition, fromOffset, toOffset, why: messageOf(error) };
  } finally {
    stop.abort();
  }
}
