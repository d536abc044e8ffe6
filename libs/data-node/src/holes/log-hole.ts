import { firstBatch, type LogOf, lookOptionsOf } from '@levee/follow';
import { asOffset, type Partition } from '@levee/kernel';
import type { Log } from '@levee/log';

/** A stretch of a partition, `[fromOffset, toOffset)`, that was confirmed and that the log does not give any more. */
export interface LogHole {
  readonly partition: Partition;
  readonly fromOffset: number;
  /** `undefined`: the log cannot say where it can be read again. */
  readonly toOffset: number | undefined;
  readonly why: string;
}

/** A reader there needs nothing of the stretch: it has applied all of it. */
export function isPast({ fromOffset, toOffset }: LogHole, nextOffset: number): boolean {
  // Where its end is unknown: a batch is applied whole or not at all.
  return toOffset === undefined ? nextOffset > fromOffset : nextOffset >= toOffset;
}

/** What the log itself knows to be gone from these partitions: removed at their start, damaged further on. */
export async function holesOf(
  log: Log,
  { binlog, sourceTopicId }: LogOf,
  partitions: readonly Partition[],
): Promise<LogHole[]> {
  const [bounds, condition] = await Promise.all([
    log.offsets(binlog),
    // A log that does not answer for its condition is met by whoever reads it.
    log.examine([binlog]).catch(() => undefined),
  ]);
  const found: LogHole[] = [];
  for (const { partition, startOffset } of bounds)
    // Where a topic of others begins is its owners' affair: what is below is not missing.
    if (startOffset > 0 && sourceTopicId === undefined && partitions.includes(partition))
      found.push({ partition, fromOffset: 0, toOffset: startOffset, why: `the log begins at ${startOffset}` });
  for (const { topic, partition, fromOffset, toOffset, what } of condition?.damage ?? [])
    if (topic === binlog && partitions.includes(partition)) found.push({ partition, fromOffset, toOffset, why: what });
  return found;
}

/** Whether the log gives again what is behind the start of a hole. While it does not say, it does not. */
export async function isReadable(log: Log, of: LogOf, { partition, fromOffset }: LogHole): Promise<boolean> {
  const from = { nextOffset: asOffset(fromOffset), leaderEpoch: -1 };
  return firstBatch(log, { topic: of.binlog, partition, from }, lookOptionsOf(of)).then(
    (batch) => batch !== undefined,
    () => false,
  );
}

export function holeText(binlog: string, { partition, fromOffset, toOffset, why }: LogHole): string {
  const to = toOffset === undefined ? 'on' : `to ${toOffset}`;
  return `partition ${partition} of ${binlog} cannot be read from offset ${fromOffset} ${to} (${why})`;
}
