import { asOffset, type Clock, type Partition } from '@levee/kernel';
import { type Log, systemClock } from '@levee/log';

/**
 * [safety] The clock of a log that no process writes: it stands at the newest record. A folder may be a copy whose
 * original went on, so of any later time it tells nothing, whatever the clock of this machine says.
 */
export async function clockOfStopped(log: Log, signal: AbortSignal): Promise<Clock> {
  const all = await log.describeTopics();
  let newestMs = -Infinity;
  for (const { name } of all)
    for (const { partition, startOffset, endOffset } of await log.offsets(name))
      if (endOffset > startOffset)
        newestMs = Math.max(newestMs, await lastTime(log, { topic: name, partition, endOffset, signal }));
  return { nowMs: () => newestMs, monotonicMs: () => systemClock.monotonicMs() };
}

interface End {
  readonly topic: string;
  readonly partition: Partition;
  readonly endOffset: number;
  readonly signal: AbortSignal;
}

/** Of the last record before the end, if it is still there. */
async function lastTime(log: Log, { topic, partition, endOffset, signal }: End): Promise<number> {
  const stop = new AbortController();
  const options = { signal: AbortSignal.any([signal, stop.signal]), bytesMax: 64 * 1024, idleMs: 50 };
  const from = { nextOffset: asOffset(endOffset - 1), leaderEpoch: -1 };
  try {
    for await (const { records, nextOffset } of log.tail(topic, partition, from, options)) {
      const last = records.at(-1);
      if (last !== undefined) return last.timestampMs;
      if (nextOffset >= endOffset) break;
    }
  } finally {
    stop.abort();
  }
  return -Infinity;
}
