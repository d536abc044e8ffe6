import type { Logger } from '@levee/kernel';
import { LogFailure } from '@levee/log';
import { type EntryHead, readHead } from './entry';
import { endKey, entryKey, epochKeys, epochOfKey, metaKey, nameOfKey, startKey, topicKeys } from './keys';
import { embeddedLimits } from './limits';
import { PartitionLog, placeOf, type TopicLog } from './partition-log';
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
import { del, type LogStore, type StoreWrite } from './store/log-store';
import { decodeTopic, rulesOf, type StoredTopic } from './topic';

/** The topics in the database. A creation torn by power loss was never answered and does not count. */
export async function loadTopics(store: LogStore, logger: Logger): Promise<StoredTopic[]> {
  const slots = new Map<string, Buffer[]>();
  for (const [key, value] of await store.valuesIn(topicKeys)) {
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

export async function loadCounter(store: LogStore, name: string): Promise<{ value: number; count: number }> {
  const slot = newestSlot(await store.get(metaKey(name, 0)), await store.get(metaKey(name, 1)));
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
  store: LogStore,
  partition: PartitionLog,
  writes: StoreWrite[],
  logger: Logger,
): Promise<void> {
  const topic = partition.topic.stored.number;
  const { number } = partition;
  const slotsOf = async (key: (topic: number, partition: number, slot: number) => Buffer): Promise<Slot | undefined> =>
    newestSlot(await store.get(key(topic, number, 0)), await store.get(key(topic, number, 1)));

  const start = await slotsOf(startKey);
  const storedStart = start === undefined ? unmoved : decodeStart(start);
  const end = await slotsOf(endKey);
  const storedEnd = end === undefined ? await endBeforeFirstEntry(store, partition, storedStart.start) : decodeEnd(end);
  partition.start = storedStart.start;
  partition.startCount = storedStart.count;
  partition.cleanedTo = storedStart.cleanedTo;
  partition.boundTo = storedStart.boundTo;
  partition.cleanBytes = storedStart.cleanBytes;
  partition.nextHorizonMs = storedStart.nextHorizonMs;
  partition.end = storedEnd.end;
  partition.endCount = storedEnd.count;
  partition.chain = storedEnd.chain;
  partition.lastTimestampMs = storedEnd.lastTimestampMs;

  partition.damage = [];
  partition.epochs = [];
  for (const [key, value] of await store.valuesIn(epochKeys(topic, number))) {
    const slot = newestSlot(value);
    if (slot === undefined) logger.warn({ partition: partition.name }, 'dropped a damaged record of a leader epoch');
    else partition.epochs.push({ epoch: epochOfKey(key), startOffset: decodeEpochStart(slot) });
  }

  await checkLastEntry(store, partition, logger);
  const kept = await adoptBeyondEnd(store, partition, writes, logger);
  partition.dirtyBytes = ((kept?.nextOffset ?? partition.end) - partition.cleanedTo) * embeddedLimits.recordBytesGuess;
  if (kept !== undefined) {
    partition.end = kept.nextOffset;
    partition.chain = kept.chainOut;
    partition.lastTimestampMs = kept.lastTimestampMs;
    writes.push(endWrite(partition, kept.nextOffset, kept.chainOut, kept.lastTimestampMs));
  }
}

/** Without a stored end (a first write torn, or both slots damaged) the entries tell it: begin before the first one. */
async function endBeforeFirstEntry(store: LogStore, partition: PartitionLog, start: number): Promise<StoredEnd> {
  const cursor = store.entries(placeOf(partition), 0, Infinity);
  const [first] = await cursor.next(1);
  await cursor.close();
  const head = first === undefined ? undefined : readHead(first.bytes);
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
  boundTo: 0,
};

/** Says early and loudly what a reader would find out later. */
async function checkLastEntry(store: LogStore, partition: PartitionLog, logger: Logger): Promise<void> {
  const { start, end, chain } = partition;
  if (end === start) return;
  const last = await store.lastBefore(placeOf(partition), end);
  const head = last === undefined ? 'it is missing' : readHead(last.bytes);
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
  store: LogStore,
  partition: PartitionLog,
  writes: StoreWrite[],
  logger: Logger,
): Promise<EntryHead | undefined> {
  const topic = partition.topic.stored.number;
  let kept: EntryHead | undefined;
  let { end, chain } = partition;
  let broken = false;
  const cursor = store.entries(placeOf(partition), partition.end, Infinity);
  for (let found = await cursor.next(64); found.length > 0; found = await cursor.next(64))
    for (const { base, bytes } of found) {
      const head = broken ? 'it follows a torn one' : readHead(bytes);
      if (typeof head !== 'string' && base === end && head.baseOffset === end && head.chainIn === chain) {
        kept = head;
        end = head.nextOffset;
        chain = head.chainOut;
        continue;
      }
      broken = true;
      writes.push(del(entryKey(topic, partition.number, base)));
    }
  await cursor.close();
  if (broken) logger.warn({ partition: partition.name, end }, 'cut off what a write torn by power loss left behind');
  return kept;
}
