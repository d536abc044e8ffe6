import { asOffset, type Offset } from '@levee/kernel';
import { LogFailure, type PassedStretch, type StoredRecord } from '@levee/log';
import { type Damage, damageWithin, noteDamage } from './damage';
import { encodeRewrittenEntry, type EntryHead, readHead } from './entry';
import { entryKey } from './keys';
import { type PartitionLog, placeOf, RecentEntry } from './partition-log';
import { endWrite } from './registers';
import { del, type LogStore, put, type StoreWrite } from './store/log-store';

/**
 * Makes damaged stretches gaps: entries without records, as compaction leaves them, that fit the chain on both sides.
 * Nothing may be appended meanwhile.
 */
export async function passOver(
  store: LogStore,
  partition: PartitionLog,
  { fromOffset, toOffset, endOffset }: PassedStretch,
  epoch: number,
): Promise<RecentEntry | undefined> {
  const from = Math.max(fromOffset, partition.start);
  const until = Math.min(toOffset, partition.end);
  if (!(fromOffset <= toOffset) || fromOffset < 0)
    throw refused(partition, `${fromOffset} to ${toOffset} is no stretch of offsets`);
  if (fromOffset > partition.end)
    throw refused(partition, `the partition ends at ${partition.end}, a stretch above it begins there`);
  const damaged = await damagedOnly(store, partition, from, until);
  const writes: StoreWrite[] = [];
  for (const damage of damaged) writes.push(...(await gapWrites(store, partition, damage, epoch)));
  const end = Math.max(partition.end, toOffset, endOffset ?? (0 as Offset));
  const appended = end > partition.end ? gapAtEnd(partition, end, epoch) : undefined;
  if (appended !== undefined) {
    const { head, bytes } = appended;
    writes.push(put(entryKey(partition.topic.stored.number, partition.number, head.baseOffset), bytes));
    writes.push(endWrite(partition, end, head.chainOut, partition.lastTimestampMs));
  }
  if (writes.length > 0) await store.write(writes);
  noteDamage(partition, { from, until }, []);
  return appended;
}

/** The damage inside `[from, until)`, cut to it; fails when there are readable records beside it. */
async function damagedOnly(
  store: LogStore,
  partition: PartitionLog,
  from: number,
  until: number,
): Promise<readonly Damage[]> {
  let readable: number | undefined;
  const seen = (records: readonly StoredRecord[]): void => {
    readable ??= records.find(({ offset }) => offset < until)?.offset;
  };
  const found = from < until ? await damageWithin(store, partition, { from, until }, { seen }) : [];
  if (readable !== undefined)
    throw refused(partition, `the record at offset ${readable} can be read: only what is damaged can be passed over`);
  return found
    .map(({ from: at, to, what }) => ({ from: Math.max(at, from), to: Math.min(to, until), what }))
    .filter(({ from: at, to }) => at < to);
}

async function gapWrites(
  store: LogStore,
  partition: PartitionLog,
  { from, to }: Damage,
  epoch: number,
): Promise<StoreWrite[]> {
  const topic = partition.topic.stored.number;
  const before = await store.lastBefore(placeOf(partition), from);
  const headBefore = before === undefined ? undefined : readHead(before.bytes);
  const adjacent = typeof headBefore === 'object' && headBefore.nextOffset === from;
  let timeMs = typeof headBefore === 'object' ? headBefore.lastTimestampMs : 0;
  const writes: StoreWrite[] = [];
  let chainOut = partition.chain;
  const cursor = store.entries(placeOf(partition), from, Infinity);
  for (let [found] = await cursor.next(1); found !== undefined; [found] = await cursor.next(1)) {
    if (found.base < to) {
      writes.push(del(entryKey(topic, partition.number, found.base)));
      continue;
    }
    const head = readHead(found.bytes);
    if (typeof head === 'string') break;
    if (found.base === to) chainOut = head.chainIn;
    if (timeMs === 0) timeMs = head.firstTimestampMs;
    break;
  }
  await cursor.close();
  const chainIn = adjacent ? headBefore.chainOut : 0;
  const bytes = gap({ from, to, epoch, chainIn, chainOut, timeMs });
  return [...writes, put(entryKey(topic, partition.number, from), bytes)];
}

function gapAtEnd(partition: PartitionLog, end: number, epoch: number): RecentEntry {
  const { end: from, chain, lastTimestampMs: timeMs } = partition;
  const bytes = gap({ from, to: end, epoch, chainIn: chain, chainOut: chain, timeMs });
  return new RecentEntry(partition, readHead(bytes) as EntryHead, bytes);
}

/** Append times never fall along a partition, so a gap has that of a neighbour. */
function gap(place: {
  readonly from: number;
  readonly to: number;
  readonly epoch: number;
  readonly chainIn: number;
  readonly chainOut: number;
  readonly timeMs: number;
}): Buffer {
  const { from: baseOffset, to: nextOffset, timeMs, epoch, chainIn, chainOut } = place;
  const times = { firstTimestampMs: timeMs, lastTimestampMs: timeMs, deleteHorizonMs: 0 };
  return encodeRewrittenEntry({ chainIn, chainOut, epoch, baseOffset, nextOffset, ...times }, []);
}

function refused(partition: PartitionLog, why: string): LogFailure {
  const { stored } = partition.topic;
  return new LogFailure(
    'OFFSET_OUT_OF_RANGE',
    `topic ${stored.name}, partition ${partition.number}: ${why}; nothing was changed`,
    { details: { startOffset: asOffset(partition.start), endOffset: asOffset(partition.end) } },
  );
}
