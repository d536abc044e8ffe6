import type { TopicSpec } from '@levee/log';
import { type DatabaseWrite, del, type LogDatabase, put, writeSynced } from './database';
import { metaKey, rangesOfTopic, topicKey } from './keys';
import { loadCounter } from './load';
import { encodeCounter } from './registers';
import { encodeSlot, slotOf } from './slot';
import { encodeTopic, type StoredTopic } from './topic';

/** Stores a new topic under a number that no topic had before. */
export async function createTopic(db: LogDatabase, spec: TopicSpec, nowMs: number): Promise<StoredTopic> {
  const counter = await loadCounter(db, 'topics');
  const number = counter.value + 1;
  // Nothing is there unless a damaged database forgot a topic but not its entries.
  await clearTopic(db, number);
  const { name, partitions, settings } = spec;
  const stored: StoredTopic = { name, number, partitions, createdAtMs: Math.floor(nowMs), settings };
  const count = counter.count + 1;
  await storeTopic(db, stored, [put(metaKey('topics', slotOf(count)), encodeCounter(number, count))]);
  return stored;
}

export async function storeTopic(
  db: LogDatabase,
  stored: StoredTopic,
  before: readonly DatabaseWrite[] = [],
): Promise<void> {
  const bytes = encodeSlot(0, encodeTopic(stored));
  await writeSynced(db, [...before, put(topicKey(stored.name, 0), bytes), put(topicKey(stored.name, 1), bytes)]);
}

/** Its number is never used again: entries a crash leaves behind are in nobody's way. */
export async function removeTopic(db: LogDatabase, { name, number }: StoredTopic): Promise<void> {
  await writeSynced(db, [del(topicKey(name, 0)), del(topicKey(name, 1))]);
  await clearTopic(db, number);
}

async function clearTopic(db: LogDatabase, number: number): Promise<void> {
  for (const range of rangesOfTopic(number)) await db.clear({ ...range, keyEncoding: 'buffer' });
}
