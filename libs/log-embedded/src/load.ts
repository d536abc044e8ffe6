import type { Logger } from '@levee/kernel';
import { LogFailure } from '@levee/log';
import { type DatabaseWrite, del, entriesIn, get, type LogDatabase } from './database';
import { type EntryHead, readHead } from './entry';
import { binary } from './database';
import {
  endKey,
  entryKey,
  entryKeyAfter,
  epochKeys,
  epochOfKey,
  metaKey,
  nameOfKey,
  offsetOfEntryKey,
  startKey,
  topicKeys,
} from './keys';
import { embeddedLimits } from './limits';
import { PartitionLog, type TopicLog } from './partition-log';
import {
  decodeCounter,
  decodeEnd,
  decodeEpochStart,
  decodeStart,
  endWrite,
  type StoredEnd,
  type StoredStart,
} from './registers';
import { newestSlot, type Slot } from './slot';
import { decodeTopic, rulesOf, type StoredTopic } from './topic';

/** The topics in the database. A creation torn by power loss was never answered and does not count. */
export async function loadTopics(db: LogDatabase, logger: Logger): Promise<StoredTopic[]> {
  const slots = new Map<string, Buffer[]>();
  for (const [key, value] of await entriesIn(db, topicKeys)) {
    const name = nameOfKey(key);
    slots.set(name, [...(slots.get(name) ?? []), value]);
  }
  const topics: StoredTopic[] = [];
  for (const [name, stored] of slots) {
    const slot = newestSlot(...stored);
    if (slot !== undefined) topics.push(decodeTopic(slot.payload));
    else if (stored.length === 2)
      throw new LogFailure(
        'LOG_UNAVAILABLE',
        `both copies of the description of topic ${name} are damaged: restore the log's folder from a copy`,
      );
    else logger.warn({ topic: name }, 'dropped a topic whose creation was cut short');
  }
  return topics;
}

export async function loadCounter(db: LogDatabase, name: string): Promise<{ value: number; count: number }> {
  const slot = newestSlot(await get(db, metaKey(name, 0)), await get(db, metaKey(name, 1)));
  return slot === undefined ? { value: 0, count: 0 } : { value: decodeCounter(slot), count: slot.count };
}

export function topicLogOf(stored: StoredTopic): TopicLog {
  const partitions: PartitionLog[] = [];
  const topic: TopicLog = { stored, rules: rulesOf(stored.settings), partitions, deleted: false };
  for (let number = 0; number < stored.partitions; number++) partitions.push(new PartitionLog(topic, number));
  return topic;
}

/**
 * Sets `partition` to what the database holds, adding to `writes` what has to be mended.
 *
 * The stored end is written in the same batch as the entries below it, after them. Entries beyond it are of a batch
 * that was torn, so nobody was answered: whole ones that continue the chain are kept, the rest is cut off. A committed
 * entry that is missing or damaged is left as it is: the end stands, appends go on behind it, and reading the place
 * fails with RECORD_CORRUPT; offsets are never used twice.
 */
export async function loadPartition(
  db: LogDatabase,
  partition: PartitionLog,
  writes: DatabaseWrite[],
  logger: Logger,
): Promise<void> {
  const topic = partition.topic.stored.number;
  const { number } = partition;
  const slotsOf = async (key: (topic: number, partition: number, slot: number) => Buffer): Promise<Slot | undefined> =>
    newestSlot(await get(db, key(topic, number, 0)), await get(db, key(topic, number, 1)));

  const start = await slotsOf(startKey);
  const storedStart = start === undefined ? unmoved : decodeStart(start);
  const end = await slotsOf(endKey);
  const storedEnd = end === undefined ? await endBeforeFirstEntry(db, partition, storedStart.start) : decodeEnd(end);
  partition.start = storedStart.start;
  partition.startCount = storedStart.count;
  partition.cleanedTo = storedStart.cleanedTo;
  partition.cleanBytes = storedStart.cleanBytes;
  partition.nextHorizonMs = storedStart.nextHorizonMs;
  partition.end = storedEnd.end;
  partition.endCount = storedEnd.count;
  partition.chain = storedEnd.chain;
  partition.lastTimestampMs = storedEnd.lastTimestampMs;

  partition.damage = [];
  partition.epochs = [];
  for (const [key, value] of await entriesIn(db, epochKeys(topic, number))) {
    const slot = newestSlot(value);
    if (slot === undefined) logger.warn({ partition: partition.name }, 'dropped a damaged record of a leader epoch');
    else partition.epochs.push({ epoch: epochOfKey(key), startOffset: decodeEpochStart(slot) });
  }

  await checkLastEntry(db, partition, logger);
  const kept = await adoptBeyondEnd(db, partition, writes, logger);
  partition.dirtyBytes = ((kept?.nextOffset ?? partition.end) - partition.cleanedTo) * embeddedLimits.recordBytesGuess;
  if (kept !== undefined) {
    partition.end = kept.nextOffset;
    partition.chain = kept.chainOut;
    partition.lastTimestampMs = kept.lastTimestampMs;
    writes.push(endWrite(partition, kept.nextOffset, kept.chainOut, kept.lastTimestampMs));
  }
}

/** Without a stored end (a first write torn, or both slots damaged) the entries tell it: begin before the first one. */
async function endBeforeFirstEntry(db: LogDatabase, partition: PartitionLog, start: number): Promise<StoredEnd> {
  const topic = partition.topic.stored.number;
  const range = { gte: entryKey(topic, partition.number, 0), lt: entryKeyAfter(topic, partition.number), limit: 1 };
  const [first] = await db.iterator<Buffer, Buffer>({ ...range, ...binary }).all();
  const head = first === undefined ? undefined : readHead(first[1]);
  const known = typeof head === 'object' && head.baseOffset <= start;
  return { count: 0, end: known ? head.baseOffset : start, chain: known ? head.chainIn : 0, lastTimestampMs: 0 };
}

/** A partition that neither retention nor compaction has touched. */
const unmoved: StoredStart = {
  count: 0,
  start: 0,
  cleanedTo: 0,
  cleanBytes: 0,
  nextHorizonMs: Number.MAX_SAFE_INTEGER,
};

/** Says early and loudly what a reader would find out later. */
async function checkLastEntry(db: LogDatabase, partition: PartitionLog, logger: Logger): Promise<void> {
  const { start, end, chain } = partition;
  if (end === start) return;
  const range = { gte: entryKey(partition.topic.stored.number, partition.number, 0), reverse: true, limit: 1 } as const;
  const before = entryKey(partition.topic.stored.number, partition.number, end);
  const [last] = await db.iterator<Buffer, Buffer>({ ...range, lt: before, ...binary }).all();
  const head = last === undefined ? 'it is missing' : readHead(last[1]);
  const wrong =
    typeof head === 'string'
      ? head
      : head.nextOffset !== end || head.chainOut !== chain
        ? `it ends at ${head.nextOffset} with ${head.chainOut}; ${end} with ${chain} was confirmed`
        : undefined;
  if (wrong !== undefined)
    logger.error({ partition: partition.name, end, wrong }, 'the last confirmed entry is lost or damaged');
}

async function adoptBeyondEnd(
  db: LogDatabase,
  partition: PartitionLog,
  writes: DatabaseWrite[],
  logger: Logger,
): Promise<EntryHead | undefined> {
  const topic = partition.topic.stored.number;
  const gte = entryKey(topic, partition.number, partition.end);
  const lt = entryKeyAfter(topic, partition.number);
  let kept: EntryHead | undefined;
  let { end, chain } = partition;
  let broken = false;
  for await (const [key, bytes] of db.iterator<Buffer, Buffer>({ gte, lt, ...binary })) {
    const head = broken ? 'it follows a torn one' : readHead(bytes);
    if (
      typeof head !== 'string' &&
      offsetOfEntryKey(key) === end &&
      head.baseOffset === end &&
      head.chainIn === chain
    ) {
      kept = head;
      end = head.nextOffset;
      chain = head.chainOut;
      continue;
    }
    broken = true;
    writes.push(del(key));
  }
  if (broken) logger.warn({ partition: partition.name, end }, 'cut off what a write torn by power loss left behind');
  return kept;
}
