import { type ControlTopics, holeIn, type JournalHole } from '@levee/journal';
import { asOffset, asPartition, type ByteRate, type Clock, defined, Failure } from '@levee/kernel';
import type { Log, LogBatch, PartitionOffsets } from '@levee/log';

/** What every walk through the log needs. */
export interface AuditWorld {
  readonly log: Log;
  readonly topics: ControlTopics;
  readonly clock: Clock;
  /** Ends the work: it fails with INTERRUPTED. */
  readonly signal: AbortSignal;
  /** Holds the work back to so many bytes a second. */
  readonly rate?: ByteRate;
  readonly progress?: (what: string, nextOffset: number, endOffset: number) => void;
}

export interface Walk {
  readonly topic: string;
  readonly partition: number;
  /** Default: the start of the partition. */
  readonly from?: number;
  /** Default: its end as of the call. */
  readonly to?: number;
  /** Batches as they are stored, instead of records. */
  readonly stored?: boolean;
  /** Most bytes taken at once; less for who has others to serve. */
  readonly bytesMax?: number;
}

const walkLimits = { bytesMax: 2 * 1024 * 1024, unavailableMs: 30_000, holesMax: 1_000 } as const;

/**
 * One partition in order, up to its end as it is now. A stretch that the log cannot read is told to `onHole` and passed
 * over, where the log knows what comes behind it. Returns the bounds that were walked. Fails as `Log.tail` does.
 */
export async function walkPartition(
  world: AuditWorld,
  walk: Walk,
  of: {
    readonly onBatch: (batch: LogBatch) => void;
    readonly onHole: (hole: JournalHole) => void;
    /** Asked after each batch: nothing more is needed. */
    readonly isEnough?: () => boolean;
  },
): Promise<PartitionOffsets> {
  const { log, signal } = world;
  const { topic, partition } = walk;
  const all = await log.offsets(topic);
  const bounds = defined(
    all.find((each) => each.partition === partition),
    `offsets of ${topic} partition ${partition}`,
  );
  const endOffset = asOffset(Math.min(walk.to ?? bounds.endOffset, bounds.endOffset));
  let next: number = walk.from ?? bounds.startOffset;
  for (let holes = 0; next < endOffset && holes < walkLimits.holesMax; holes++)
    try {
      next = await walkOn(world, { ...walk, endOffset, from: next }, of);
      if (of.isEnough?.() === true) break;
    } catch (error) {
      const hole = holeIn(error);
      if (hole === undefined) throw error;
      of.onHole(hole);
      if (hole.toOffset === undefined || hole.toOffset <= next) return { ...bounds, endOffset: asOffset(next) };
      next = hole.toOffset;
    }
  if (signal.aborted) throw new Failure('INTERRUPTED', `reading ${topic} partition ${partition} was ended at ${next}`);
  return { ...bounds, endOffset: asOffset(next) };
}

async function walkOn(
  { log, signal, rate, progress }: AuditWorld,
  { topic, partition, from, endOffset, ...walk }: Walk & { readonly from: number; readonly endOffset: number },
  { onBatch, isEnough }: { readonly onBatch: (batch: LogBatch) => void; readonly isEnough?: () => boolean },
): Promise<number> {
  const stop = new AbortController();
  let next = from;
  const position = { nextOffset: asOffset(from), leaderEpoch: -1 };
  const { unavailableMs } = walkLimits;
  const { stored = false, bytesMax = walkLimits.bytesMax } = walk;
  const options = { bytesMax, unavailableMs, stored, signal: AbortSignal.any([signal, stop.signal]) };
  try {
    for await (const batch of log.tail(topic, asPartition(partition), position, options)) {
      onBatch(batch);
      next = batch.nextOffset;
      progress?.(`${topic} partition ${partition}`, next, endOffset);
      // An open transaction may withhold what is below the end.
      if (next >= endOffset || next >= batch.endOffset || isEnough?.() === true) return next;
      await rate?.pass(bytesOf(batch), signal);
    }
    return next;
  } finally {
    stop.abort();
  }
}

const headBytes = 64;

function bytesOf({ records, stored = [] }: LogBatch): number {
  let bytes = headBytes * records.length;
  for (const { key, value } of records) bytes += (key?.length ?? 0) + (value?.length ?? 0);
  for (const { bytes: own } of stored) bytes += own;
  return bytes;
}
