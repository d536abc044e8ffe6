import { type StoredRecord } from '@levee/log';
import { decodeRecords, type EntryHead, encodeRewrittenEntry, entryHeadBytes, recordBytes } from './entry';
import { forEachEntry, type ReadEntry } from './entry-reader';
import { entryKey } from './keys';
import { embeddedLimits } from './limits';
import { type PartitionLog, placeOf } from './partition-log';
import { startWrite } from './registers';
import type { LogStore, Rewrite } from './store/log-store';
import type { TopicRules } from './topic';

export interface Cleaning {
  readonly nowMs: number;
  /** Cleans what is cleanable now, also when it is not yet worth the work. */
  readonly forced: boolean;
  /** Asked between two writes. */
  readonly cancelled: () => boolean;
}

/**
 * Compaction as Kafka does it: of each key only the last record stays, at its offset. Two passes: the first notes the
 * last offset of every key above `cleanedTo`, the second rewrites everything below, dropping what is superseded.
 * A tombstone survives its first cleaning, which stamps its entry with a delete horizon, and goes in a later one after
 * that time, so that a reader on its way has `delete.retention.ms` to see it. Records younger than
 * `min.compaction.lag.ms` and the newest stretch (`segment.ms`, `segment.bytes`) are left alone.
 *
 * A rewritten entry replaces others within one change of the store, which is all or nothing.
 * Returns the number of records dropped.
 */
export async function compactPartition(store: LogStore, partition: PartitionLog, cleaning: Cleaning): Promise<number> {
  const { rules } = partition.topic;
  if (!rules.compacted || (!cleaning.forced && !worthCleaning(partition, rules, cleaning.nowMs))) return 0;
  const { until, lastOffsets } = await lastOffsetsOfDirty(store, partition, cleaning);
  const horizonPassed = partition.nextHorizonMs <= cleaning.nowMs;
  if (until === partition.cleanedTo && !horizonPassed) return 0;
  // Durable before anything is dropped: what may have been dropped lies below it, whatever happens meanwhile.
  partition.boundTo = Math.max(partition.boundTo, until);
  const { start, cleanedTo, cleanBytes, nextHorizonMs } = partition;
  await store.write([startWrite(partition, { start, cleanedTo, cleanBytes, nextHorizonMs })]);
  const gone = (): boolean => cleaning.cancelled() || partition.topic.deleted;
  const rewrite = store.rewrite(placeOf(partition));
  const rewriter = new Rewriter(rewrite, partition, cleaning);
  try {
    await forEachEntry(store, partition, { from: partition.start, until }, async (entry) => {
      await rewriter.add(entry, lastOffsets);
      return !gone();
    });
    if (!gone()) await rewriter.finish(until);
  } catch (error) {
    await rewrite.abandon();
    throw error;
  }
  if (!gone()) return rewriter.dropped;
  await rewrite.abandon();
  return 0;
}

function worthCleaning(partition: PartitionLog, rules: TopicRules, nowMs: number): boolean {
  if (partition.nextHorizonMs <= nowMs) return true;
  if (partition.end === partition.cleanedTo) return false;
  // With a limit on the lag, age decides too; the first pass finds out at the cost of one entry.
  if (rules.compactionLagMaxMs < Number.MAX_SAFE_INTEGER) return true;
  return partition.dirtyBytes / (partition.dirtyBytes + partition.cleanBytes) >= rules.dirtyRatioMin;
}

async function lastOffsetsOfDirty(
  store: LogStore,
  partition: PartitionLog,
  { nowMs, forced }: Cleaning,
): Promise<{ until: number; lastOffsets: Map<string, number> }> {
  const { rules } = partition.topic;
  const lastOffsets = new Map<string, number>();
  let until = Math.max(partition.cleanedTo, partition.start);
  let bytesAbove = partition.dirtyBytes;
  await forEachEntry(store, partition, { from: until, until: partition.end }, ({ head, bytes }) => {
    bytesAbove -= bytes.length;
    const ageMs = nowMs - head.lastTimestampMs;
    const rolled = ageMs >= rules.segmentMs || ageMs >= rules.compactionLagMaxMs || bytesAbove >= rules.segmentBytes;
    if (ageMs < rules.compactionLagMinMs || !(rolled || forced)) return false;
    for (const record of decodeRecords(bytes, head))
      if (record.key !== null) lastOffsets.set(record.key.toString('latin1'), record.offset);
    until = head.nextOffset;
    return lastOffsets.size < embeddedLimits.cleanKeysMax;
  });
  return { until, lastOffsets };
}

/** Adjacent entries that become one, as long as they are small together and share a delete horizon. */
interface Group {
  readonly sources: EntryHead[];
  readonly records: StoredRecord[];
  readonly horizonMs: number;
  bytes: number;
  changed: boolean;
}

class Rewriter {
  dropped = 0;
  private group: Group | undefined;
  private keptBytes = 0;
  private nextHorizonMs: number = Number.MAX_SAFE_INTEGER;

  constructor(
    private readonly rewrite: Rewrite,
    private readonly partition: PartitionLog,
    private readonly cleaning: Cleaning,
  ) {}

  async add({ head, bytes }: ReadEntry, lastOffsets: ReadonlyMap<string, number>): Promise<void> {
    const { nowMs } = this.cleaning;
    const tombstonesGo = head.deleteHorizonMs > 0 && head.deleteHorizonMs <= nowMs;
    const kept = decodeRecords(bytes, head).filter((record) => {
      if (record.value === null && tombstonesGo) return false;
      if (record.key === null) return true;
      return (lastOffsets.get(record.key.toString('latin1')) ?? -1) <= record.offset;
    });
    const hasTombstones = kept.some((record) => record.value === null);
    const stamped = head.deleteHorizonMs || nowMs + this.partition.topic.rules.deleteRetentionMs;
    const horizonMs = hasTombstones ? stamped : 0;
    const changed = kept.length < head.count || horizonMs !== head.deleteHorizonMs;
    this.dropped += head.count - kept.length;
    let keptBytes = 0;
    for (const record of kept) keptBytes += recordBytes(record);
    if (this.group === undefined || !fits(this.group, head, horizonMs, keptBytes)) {
      await this.flushGroup();
      this.group = { sources: [], records: [], horizonMs, bytes: 0, changed: false };
    }
    const { group } = this;
    group.sources.push(head);
    for (const record of kept) group.records.push(record);
    group.bytes += keptBytes;
    group.changed ||= changed;
    if (horizonMs > 0) this.nextHorizonMs = Math.min(this.nextHorizonMs, horizonMs);
  }

  async finish(until: number): Promise<void> {
    await this.flushGroup();
    const { partition } = this;
    const reached = Math.max(until, partition.cleanedTo);
    partition.cleanBytes = this.keptBytes;
    const { keptBytes: cleanBytes, nextHorizonMs } = this;
    const { start } = partition;
    await this.rewrite.commit([startWrite(partition, { start, cleanedTo: reached, cleanBytes, nextHorizonMs })]);
    // Only now: from here on readers of what was cleaned go to the database.
    if (reached > partition.cleanedTo) {
      partition.dirtyBytes = Math.max(0, (partition.end - reached) * embeddedLimits.recordBytesGuess);
      partition.cleanedTo = reached;
    }
    partition.nextHorizonMs = this.nextHorizonMs;
  }

  private async flushGroup(): Promise<void> {
    const { group } = this;
    this.group = undefined;
    if (group === undefined) return;
    this.keptBytes += group.bytes + entryHeadBytes;
    const [first] = group.sources;
    const last = group.sources.at(-1);
    if (first === undefined || last === undefined || (group.sources.length === 1 && !group.changed)) return;
    const bytes = encodeRewrittenEntry(
      {
        chainIn: first.chainIn,
        chainOut: last.chainOut,
        epoch: last.epoch,
        baseOffset: first.baseOffset,
        nextOffset: last.nextOffset,
        firstTimestampMs: first.firstTimestampMs,
        lastTimestampMs: last.lastTimestampMs,
        deleteHorizonMs: group.horizonMs,
      },
      group.records,
    );
    await this.rewrite.put(
      bytes,
      group.sources.map(({ baseOffset }) => baseOffset),
    );
  }
}

/** Deltas inside an entry are uint32. */
const deltaMax = 2 ** 32 - 1;

function fits(group: Group, head: EntryHead, horizonMs: number, bytes: number): boolean {
  const first = group.sources[0] as EntryHead;
  return (
    group.horizonMs === horizonMs &&
    group.bytes + bytes <= embeddedLimits.cleanedEntryBytesMax &&
    head.nextOffset - first.baseOffset <= deltaMax &&
    head.lastTimestampMs - first.firstTimestampMs <= deltaMax
  );
}

/** Drops entries of a `delete` topic that are older than `retention.ms`. Returns whether the start moved. */
export async function expirePartition(store: LogStore, partition: PartitionLog, nowMs: number): Promise<boolean> {
  const { rules } = partition.topic;
  if (!rules.deleting || rules.retentionMs === Infinity) return false;
  let { start } = partition;
  await forEachEntry(store, partition, { from: start, until: partition.end }, ({ head }) => {
    if (nowMs - head.lastTimestampMs <= rules.retentionMs) return false;
    start = head.nextOffset;
    return true;
  });
  return moveStart(store, partition, start);
}

/** Records below `start` are gone; entries wholly below it are removed. Never falls, never passes the end. */
export async function moveStart(store: LogStore, partition: PartitionLog, wanted: number): Promise<boolean> {
  const start = Math.min(wanted, partition.end);
  if (start <= partition.start) return false;
  const cleanedTo = Math.max(partition.cleanedTo, start);
  const { cleanBytes, nextHorizonMs } = partition;
  await store.write([startWrite(partition, { start, cleanedTo, cleanBytes, nextHorizonMs })]);
  partition.start = start;
  partition.cleanedTo = cleanedTo;
  const topic = partition.topic.stored.number;
  const covering = await startOfCovering(store, partition, start);
  const range = { gte: entryKey(topic, partition.number, 0), lt: entryKey(topic, partition.number, covering) };
  await store.clear(range);
  return true;
}

async function startOfCovering(store: LogStore, partition: PartitionLog, offset: number): Promise<number> {
  let found = offset;
  await forEachEntry(store, partition, { from: offset, until: partition.end }, ({ head }) => {
    found = Math.min(offset, head.baseOffset);
    return false;
  });
  return found;
}
