import type { TopicSpec } from '@levee/log';
import { metaKey, rangesOfTopic, topicKey } from './keys';
import { loadCounter } from './load';
import { encodeCounter } from './registers';
import { encodeSlot, slotOf } from './slot';
import { del, type LogStore, put, type StoreWrite } from './store/log-store';
import { encodeTopic, type StoredTopic } from './topic';

/** Stores a new topic under a number that no topic had before. */
export async function createTopic(store: LogStore, spec: TopicSpec, nowMs: number): Promise<StoredTopic> {
  const counter = await loadCounter(store, 'topics');
  const number = counter.value + 1;
  // Nothing is there unless a damaged database forgot a topic but not its entries.
  await clearTopic(store, number);
  const { name, partitions, settings } = spec;
  const stored: StoredTopic = { name, number, partitions, createdAtMs: Math.floor(nowMs), settings };
  const count = counter.count + 1;
  await storeTopic(store, stored, [put(metaKey('topics', slotOf(count)), encodeCounter(number, count))]);
  return stored;
}

export async function storeTopic(
  store: LogStore,
  stored: StoredTopic,
  before: readonly StoreWrite[] = [],
): Promise<void> {
  const bytes = encodeSlot(0, encodeTopic(stored));
  await store.write([...before, put(topicKey(stored.name, 0), bytes), put(topicKey(stored.name, 1), bytes)]);
}

/** Its number is never used again: entries a crash leaves behind are in nobody's way. */
export async function removeTopic(store: LogStore, { name, number }: StoredTopic): Promise<void> {
  await store.write([del(topicKey(name, 0)), del(topicKey(name, 1))]);
  await clearTopic(store, number);
}

async function clearTopic(store: LogStore, number: number): Promise<void> {
  for (const range of rangesOfTopic(number)) await store.clear(range);
}
