import { creationOfChunk } from '@levee/cluster';
import type { ReplicaIdentity } from '@levee/chunk-store';
import { type ApplyPace, type BadRecord, followLimits, type LogClock, PartitionFeed } from '@levee/follow';
import { encodeCopy } from '@levee/journal';
import { Histogram, type Clock, type Logger, type Partition, type Timers } from '@levee/kernel';
import type { Log, StoredRecord } from '@levee/log';
import { nodeLimits } from '../node-limits';
import type { RecordOutbox } from './record-outbox';

export interface NodeFeedsOptions {
  readonly clusterId: string;
  readonly nodeId: string;
  readonly log: Log;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly logger: Logger;
  readonly logClock: LogClock;
  readonly pace: ApplyPace;
  /** Where copies of bad records go. */
  readonly quarantine: RecordOutbox;
  /** How old an answer of the namespace may be. */
  /** Of a creation of a namespace, such as `shop.orders#1`. */
  readonly maxStalenessMs: (creation: string) => number;
}

export interface FeedNumbers {
  records: number;
  bytes: number;
  batches: number;
  badRecords: number;
  restarts: number;
  feeds: number;
}

/** The feeds of a node: one for each partition of a binlog that a replica here has needed. */
export class NodeFeeds {
  readonly applyTimes = new Histogram();
  private readonly feeds = new Map<string, PartitionFeed>();

  constructor(private readonly options: NodeFeedsOptions) {}

  of(identity: ReplicaIdentity, partition: Partition): PartitionFeed {
    // A topic of others may be served by one creation of a namespace after the other, each by its own rules.
    const creation = creationOfChunk(identity.chunkId);
    const key = `${creation} ${identity.binlog}/${partition}`;
    const known = this.feeds.get(key);
    if (known !== undefined) return known;
    const { log, clock, timers, logger, logClock, pace, clusterId } = this.options;
    const { namespace, binlog, partitions, hashAlgorithm, recordFormat, sourceTopicId, hiddenAfterMs } = identity;
    const place = { clusterId, namespace, binlog, partitions, partition, sourceTopicId };
    const copied = new Map<string, number>();
    const onBadRecord = (record: StoredRecord, problem: BadRecord): void => {
      // A topic of others may be full of records that belong nowhere: the feed counts them all.
      const times = (copied.get(problem.reason) ?? 0) + 1;
      copied.set(problem.reason, times);
      if (sourceTopicId !== undefined && times > nodeLimits.copiesOfSourceMax) return;
      this.quarantine(record, { topic: binlog, partition, ...problem });
    };
    const idleMs = (): number => this.idleMs(creation);
    const reading = { place, hashAlgorithm, recordFormat, hiddenAfterMs, partition };
    const { applyTimes } = this;
    const shared = { ...reading, clock, timers, logger, logClock, pace, applyTimes, idleMs, onBadRecord };
    const feed = new PartitionFeed(log, shared);
    this.feeds.set(key, feed);
    return feed;
  }

  counts(): FeedNumbers {
    const sum = { records: 0, bytes: 0, batches: 0, badRecords: 0, restarts: 0, feeds: this.feeds.size };
    for (const { counts } of this.feeds.values())
      for (const name of ['records', 'bytes', 'batches', 'badRecords', 'restarts'] as const) sum[name] += counts[name];
    return sum;
  }

  close(): void {
    for (const feed of this.feeds.values()) feed.close();
  }

  /** A replica at rest must prove that it stands at the end more often than its namespace lets it be stale. */
  private idleMs(creation: string): number {
    const staleMs = this.options.maxStalenessMs(creation);
    return Math.max(followLimits.feedIdleMsMin, Math.min(followLimits.feedIdleMs, Math.floor(staleMs / 4)));
  }

  private quarantine(record: StoredRecord, place: { topic: string; partition: Partition } & BadRecord): void {
    const { nodeId, clock, quarantine, logger } = this.options;
    const valueMax = nodeLimits.quarantinedValueBytesMax;
    logger.warn({ ...place, offset: record.offset }, 'a record of a binlog goes to quarantine');
    quarantine.add({
      key: Buffer.from(`${place.topic}/${place.partition}/${record.offset}`),
      value: encodeCopy({
        ...place,
        offset: record.offset,
        toOffset: place.toOffset ?? null,
        nodeId,
        key: record.key === null ? null : Buffer.from(record.key.subarray(0, valueMax)),
        value: record.value === null ? null : Buffer.from(record.value.subarray(0, valueMax)),
        quarantinedAtMs: clock.nowMs(),
      }),
    });
  }
}
