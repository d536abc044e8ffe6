import { asOffset, asPartition, failureCode, isReservedKey, type Partition } from '@levee/kernel';
import type { Log, LogBatch, StoredRecord } from '@levee/log';
import { type BinlogPlace, genesisProblem, readControlRecord } from './control-records';
import { firstBatch, lookOptions } from './first-batch';

/** Why the name of a topic of others does not lead to the one that was bound, in words. Fails as the log does. */
async function idTrouble(log: Log, { binlog, sourceTopicId }: BinlogPlace): Promise<string | undefined> {
  const [topic] = await log.describeTopics([binlog]);
  if (topic?.topicId === sourceTopicId) return undefined;
  const is = topic === undefined ? 'it does not exist' : `the id under its name is ${topic.topicId}`;
  return `topic ${binlog} was bound as ${sourceTopicId}, and ${is}: it was deleted`;
}

/**
 * Why a partition does not begin as `place` says, in words; `undefined` when it does, or when its beginning was removed
 * and cannot be compared: then a reader's own position says whether it is whole. Fails as `Log.tail` does.
 */
export async function genesisTrouble(log: Log, place: BinlogPlace, signal: AbortSignal): Promise<string | undefined> {
  const { binlog, namespace } = place;
  // A topic of others has no Genesis: its id says which it is.
  if (place.sourceTopicId !== undefined) return idTrouble(log, place);
  const partition = asPartition(place.partition);
  let batch: LogBatch | undefined;
  try {
    const from = { nextOffset: asOffset(0), leaderEpoch: -1 };
    batch = await firstBatch(log, { topic: binlog, partition, from }, { ...lookOptions, signal });
  } catch (error) {
    if (failureCode(error) === 'OFFSET_OUT_OF_RANGE') return undefined;
    throw error;
  }
  if (batch === undefined) return 'stopped';
  const first = batch.records[0];
  if (first === undefined)
    return (
      `partition ${partition} of ${binlog} is empty, it must begin with the Genesis of ${namespace}: it is not made ` +
      'yet, or was deleted and created again, then restore it from a backup'
    );
  // Somebody wrote over the key, and compaction took the first one: then it cannot be compared any more.
  if (first.offset !== 0) return undefined;
  const found = isReserved(first) ? readControlRecord(first, place) : { kind: 'none' as const };
  if (found.kind === 'foreign') return `partition ${partition} of ${binlog}: ${found.message}`;
  if (found.kind !== 'genesis')
    return `the first record of ${binlog} partition ${partition} is no Genesis: the log is not ours`;
  return genesisProblem(found.genesis, place);
}

const isReserved = ({ key }: StoredRecord): boolean => key !== null && isReservedKey(key);

/** Why the log does not hold all that replicas of it had, in words; `undefined` when it begins at 0 and is ours. */
export async function binlogLossOf(
  log: Log,
  { binlog, sourceTopicId }: Pick<BinlogPlace, 'binlog' | 'sourceTopicId'>,
  feeds: ReadonlyMap<Partition, { checkGenesisAnew(): Promise<string | undefined> }>,
): Promise<string | undefined> {
  const bounds = await log.offsets(binlog);
  const cut = bounds.find(({ partition, startOffset }) => startOffset > 0 && feeds.has(partition));
  // What is below the start of a topic of others, its owners have let go.
  if (cut !== undefined && sourceTopicId === undefined)
    return `partition ${cut.partition} of ${binlog} begins at ${cut.startOffset}: restore the topic, or reclaim the unit`;
  for (const feed of feeds.values()) {
    const trouble = await feed.checkGenesisAnew();
    if (trouble !== undefined) return trouble;
  }
  return undefined;
}
