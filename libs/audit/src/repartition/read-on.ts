import { asOffset, asPartition, Failure, failureCode } from '@levee/kernel';
import type { StoredBatch, StoredRecord } from '@levee/log';
import type { AuditWorld } from '../verify/walk-partition';

const readLimits = { bytesMax: 2 * 1024 * 1024, unavailableMs: 30_000, withheldMs: 60_000 } as const;

/** How far a partition was read, and what of it is not there any more. */
export interface ReadSoFar {
  next: number;
  /** No record that is missing was written later; -Infinity: nothing is missing. */
  removedUntilMs: number;
  /** Its beginning was deleted, deletions with all else, however young they were: not what compaction does. */
  lostBeginning: boolean;
  /** Times of producers' clocks were met: what the log knows of times means nothing. */
  hasProducerTimes: boolean;
  /** A batch that nobody can unpack was written last at this time: what it says of which key is unknown. */
  unreadableMs: number;
}

export const unread = (): ReadSoFar => ({
  ...{ next: 0, removedUntilMs: -Infinity, lostBeginning: false, hasProducerTimes: false, unreadableMs: -Infinity },
});

type OnRecords = (records: readonly StoredRecord[], batch: StoredBatch) => Promise<void> | void;

interface Stretch {
  readonly topic: string;
  readonly partition: number;
  /** What was before is gone. */
  readonly startOffset: number;
  readonly toOffset: number;
}

/**
 * Reads a partition on to `toOffset`, as its batches are stored. Fails as `Log.tail` does, with INTERRUPTED, and with
 * NOT_PROVABLE when an open transaction withholds what is to be read.
 */
export async function readOn(
  world: AuditWorld,
  { topic, partition, startOffset, toOffset }: Stretch,
  so: ReadSoFar,
  onRecords: OnRecords,
): Promise<void> {
  const { log, clock, signal, rate } = world;
  if (startOffset > so.next) so.lostBeginning = true;
  if (so.next >= toOffset) return;
  const stop = new AbortController();
  const { bytesMax, unavailableMs } = readLimits;
  const options = { bytesMax, unavailableMs, stored: true, signal: AbortSignal.any([signal, stop.signal]) };
  const from = { nextOffset: asOffset(Math.max(so.next, startOffset)), leaderEpoch: -1 };
  let movedMs = clock.monotonicMs();
  try {
    for await (const batch of log.tail(topic, asPartition(partition), from, options)) {
      for (const stored of batch.stored ?? []) if (stored.nextOffset > so.next) await take(stored, so, onRecords);
      if (batch.nextOffset > so.next) {
        // Whatever was there is gone, and no batch tells when it came.
        if (so.next === 0) so.lostBeginning = true;
        so.removedUntilMs = Math.max(so.removedUntilMs, clock.nowMs());
        so.next = batch.nextOffset;
      }
      if (so.next >= toOffset) return;
      const isIdle = (batch.stored ?? []).length === 0;
      if (isIdle && clock.monotonicMs() - movedMs > readLimits.withheldMs)
        throw new Failure(
          'NOT_PROVABLE',
          `${topic} partition ${partition}: offsets ${so.next} to ${toOffset - 1} are withheld for a minute by a transaction ` +
            'that is not over: levee doctor names it and the command that ends it',
        );
      world.progress?.(`${topic} partition ${partition}`, so.next, toOffset);
      const bytes = (batch.stored ?? []).reduce((sum, each) => sum + each.bytes, 0);
      await rate?.pass(bytes, signal);
      if (!isIdle) movedMs = clock.monotonicMs();
    }
  } finally {
    stop.abort();
  }
  throw new Failure('INTERRUPTED', `reading ${topic} partition ${partition} was ended at ${so.next}`);
}

async function take(batch: StoredBatch, so: ReadSoFar, onRecords: OnRecords): Promise<void> {
  const { baseOffset, nextOffset, kind, recordCount, timestampMs, timestampType } = batch;
  const isWhole = kind === 'control' || recordCount === nextOffset - baseOffset;
  if (baseOffset > so.next || !isWhole) so.removedUntilMs = Math.max(so.removedUntilMs, timestampMs);
  // [safety] What stands at offset 0 is the Genesis of the binlog, which compaction never takes.
  if (baseOffset > 0 && so.next === 0) so.lostBeginning = true;
  if (timestampType === 'create') so.hasProducerTimes = true;
  const next = so.next;
  so.next = nextOffset;
  if (kind !== 'data' || recordCount === 0) return;
  let records: readonly StoredRecord[];
  try {
    records = batch.records();
  } catch (error) {
    if (failureCode(error) !== 'RECORD_CORRUPT') throw error;
    so.unreadableMs = Math.max(so.unreadableMs, timestampType === 'create' ? Infinity : timestampMs);
    return;
  }
  await onRecords(next <= baseOffset ? records : records.filter(({ offset }) => offset >= next), batch);
}
