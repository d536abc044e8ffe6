import { keyText } from '@levee/codec';
import { asOffset, asPartition, isReservedKey } from '@levee/kernel';
import type { Log } from '@levee/log';

/** What was written to a binlog from given positions on, Levee's own records aside. */
export interface WrittenFrom {
  readonly records: number;
  /** There may be more: the reading was ended before the end of the log. */
  readonly isAtLeast: boolean;
  /** The first ones, as `partition:offset key`. */
  readonly examples: readonly string[];
  /** Of the newest, ms since 1970; 0 = there is none. */
  readonly newestAtMs: number;
}

const limits = { examplesMax: 3, bytesMax: 1 << 20, idleMs: 100, unavailableMs: 30_000 } as const;

/** Reads each partition from its position to its end as it is now. Fails as the log does. */
export async function writtenFrom(
  log: Log,
  { binlog, positions }: { readonly binlog: string; readonly positions: readonly number[] },
  { recordsMax = Infinity, signal }: { readonly recordsMax?: number; readonly signal?: AbortSignal } = {},
): Promise<WrittenFrom> {
  const ends = new Map((await log.offsets(binlog)).map(({ partition, endOffset }) => [partition as number, endOffset]));
  const found = { records: 0, newestAtMs: 0, examples: [] as string[] };
  let read = 0;
  for (const [partition, position] of positions.entries()) {
    const end = ends.get(partition) ?? 0;
    if (position >= end) continue;
    const stop = new AbortController();
    const signals = signal === undefined ? stop.signal : AbortSignal.any([signal, stop.signal]);
    const from = { nextOffset: asOffset(position), leaderEpoch: -1 };
    const { examplesMax, ...reading } = limits;
    const options = { ...reading, signal: signals, takesBadStretches: true };
    try {
      for await (const batch of log.tail(binlog, asPartition(partition), from, options)) {
        for (const { key, offset, timestampMs } of batch.records) {
          read++;
          if (offset >= end || (key !== null && isReservedKey(key))) continue;
          found.records++;
          found.newestAtMs = Math.max(found.newestAtMs, timestampMs);
          if (found.examples.length < examplesMax)
            found.examples.push(`${partition}:${offset} ${key === null ? '(no key)' : keyText(key)}`);
        }
        if (read >= recordsMax) return { ...found, isAtLeast: true };
        if (batch.nextOffset >= end) break;
      }
    } finally {
      stop.abort();
    }
    if (signal?.aborted === true) return { ...found, isAtLeast: true };
  }
  return { ...found, isAtLeast: false };
}
