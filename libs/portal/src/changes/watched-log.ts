import { type NamespaceStore, StoreFailure } from '@levee/client';
import type { Log, PartitionOffsets } from '@levee/log';

/**
 * Which log positions of a watch are of: its topic, and the id of that very topic. A topic that was deleted and created
 * again has the same name and other records at the same positions.
 */
export interface WatchedLog {
  readonly topic: string;
  readonly topicId: string;
}

/** The log of a namespace as it is now, and where its partitions begin and end. */
export async function positionsNow(
  log: Log,
  { state }: NamespaceStore,
): Promise<{ readonly watched: string; readonly offsets: readonly PartitionOffsets[] }> {
  const { binlog: topic, sourceTopicId } = state;
  const topicId = await topicIdOf(log, topic);
  if (sourceTopicId !== null && topicId !== sourceTopicId)
    throw new StoreFailure('LVUNAVAILABLE', `${topic} is not the topic that was bound: it is ${topicId ?? 'gone'}`);
  const offsets = await log.offsets(topic);
  // They were asked for by name.
  if (topicId === undefined || (await topicIdOf(log, topic)) !== topicId)
    throw new StoreFailure('LVUNAVAILABLE', `topic ${topic} was deleted or created while its ends were read`);
  return { watched: `${topic}@${topicId}`, offsets };
}

/** Fails with LVHISTORY unless the positions are of the log that the namespace is on. */
export function watchedLogOf({ name, state }: NamespaceStore, text: string): WatchedLog {
  const [, topic = text, topicId] = /^([^@]*)@(.+)$/.exec(text) ?? [];
  const { binlog, sourceTopicId } = state;
  if (topic !== binlog)
    throw otherLog(topic, `${name} is on ${binlog} since it was created again, rewound or partitioned anew`);
  if (topicId === undefined) throw otherLog(topic, 'they do not say of which topic of that name');
  if (sourceTopicId !== null && topicId !== sourceTopicId)
    throw otherLog(text, `${name} is bound to ${sourceTopicId}: the topic was deleted and created again`);
  return { topic, topicId };
}

const otherLog = (log: string, why: string): StoreFailure =>
  new StoreFailure(
    'LVHISTORY',
    `the positions are of ${log.slice(0, 320)}, and ${why}: read the keys anew, and watch from now on`,
  );

async function topicIdOf(log: Log, topic: string): Promise<string | undefined> {
  const [found] = await log.describeTopics([topic]);
  return found?.topicId;
}
