import { asOffset, failureCode, messageOf, type Partition } from '@levee/kernel';
import type { Log } from '@levee/log';
import type { LogHole } from './log-hole';

const options = { bytesMax: 1 << 20, idleMs: 50, unavailableMs: 30_000 } as const;

/**
 * Reads a partition from its start up to an offset, or to its end: the first stretch that its log does not give;
 * `undefined` when all of it can be read. Fails as `Log.tail` does for any other reason.
 */
export async function firstUnreadable(
  log: Log,
  binlog: string,
  partition: Partition,
  upTo: number | undefined,
): Promise<LogHole | undefined> {
  let fromOffset = 0;
  const stop = new AbortController();
  try {
    if (upTo === 0) return undefined;
    const from = { nextOffset: asOffset(0), leaderEpoch: -1 };
    for await (const { nextOffset, endOffset } of log.tail(binlog, partition, from, {
      ...options,
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
