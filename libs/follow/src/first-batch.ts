import type { ReplicaIdentity } from '@levee/chunk-store';
import type { Partition } from '@levee/kernel';
import type { Log, LogBatch, LogPosition, TailOptions } from '@levee/log';

/** For a look at a few records. */
export const lookOptions = { bytesMax: 64 * 1024, idleMs: 50, unavailableMs: 10_000 } as const;

/** The same, at the very topic where it is one of others. */
export const lookOptionsOf = ({ sourceTopicId: topicId }: Pick<ReplicaIdentity, 'sourceTopicId'>): TailOptions =>
  topicId === undefined ? lookOptions : { ...lookOptions, topicId };

interface FirstBatchAt {
  readonly topic: string;
  readonly partition: Partition;
  readonly from: LogPosition;
}

/**
 * What a log gives first to who reads from there, if only that it ends there; `undefined` when the log closes or the
 * signal is given before. Fails as `Log.tail` does.
 */
export async function firstBatch(
  log: Log,
  { topic, partition, from }: FirstBatchAt,
  options: TailOptions,
): Promise<LogBatch | undefined> {
  const done = new AbortController();
  const signal = options.signal === undefined ? done.signal : AbortSignal.any([options.signal, done.signal]);
  try {
    for await (const batch of log.tail(topic, partition, from, { ...options, signal })) return batch;
    return undefined;
  } finally {
    done.abort();
  }
}
