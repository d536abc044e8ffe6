import type { NamespaceState } from '@levee/events';
import {
  type ClusterView,
  type ControlTopics,
  encodeCopy,
  ownBinlogs,
  readCopies,
  withBinlogAtRest,
} from '@levee/journal';
import { asOffset, asPartition, type Clock, type Logger, messageOf, type Partition, type Timers } from '@levee/kernel';
import type { Log, LogRecord, PartitionOffsets, StoredRecord } from '@levee/log';
import type { Reign } from '../reign';
import { Rounds } from '../rounds';

const grownBinlogLimits = {
  lookMs: 10_000,
  /** For the copies of masters before, which tell how far they came; read once, and only when a binlog has grown. */
  copiesReadMs: 300_000,
  /** To read one added partition in one look. */
  readMs: 30_000,
  /** Keys and values copied in one look: a producer that floods does not fill the quarantine; what is left comes next. */
  bytesAtOnce: 16 * 1024 * 1024,
  /** As the schema of a copy says. */
  copiedBytesMax: 65_536,
  recordsPerAppend: 64,
} as const;

/**
 * While its master reigns, copies what producers write into partitions that somebody added to a binlog to quarantine:
 * no key belongs there, so no replica reads them, and yet the producers were told that they are written.
 */
export class GrownBinlogs {
  private readonly rounds: Rounds;
  /** Next offset to copy by `topic/partition`; absent until the copies of masters before were read. */
  private next: Map<string, number> | undefined;
  private copied = 0;

  constructor(
    private readonly log: Log,
    private readonly view: ClusterView,
    private readonly options: {
      readonly reign: Pick<Reign, 'isOver'>;
      readonly topics: Pick<ControlTopics, 'quarantine'>;
      readonly clock: Clock;
      readonly timers: Timers;
      readonly logger: Logger;
      readonly instance: string;
    },
  ) {
    this.rounds = new Rounds(options, grownBinlogLimits.lookMs, () => this.round());
  }

  start(): void {
    this.rounds.start();
  }

  stop(): Promise<void> {
    return this.rounds.stop();
  }

  stats(): { copied: number } {
    return { copied: this.copied };
  }

  private async round(): Promise<void> {
    try {
      await this.look();
    } catch (error) {
      this.options.logger.warn(
        { error: messageOf(error) },
        'what stands in partitions that were added to a binlog could not be copied to quarantine',
      );
    }
  }

  private async look(): Promise<void> {
    const active = ownBinlogs(withBinlogAtRest(this.view.state));
    const has = new Map((await this.log.describeTopics(active.map(({ binlog }) => binlog))).map((of) => [of.name, of]));
    let bytesLeft: number = grownBinlogLimits.bytesAtOnce;
    for (const namespace of active)
      if ((has.get(namespace.binlog)?.partitions ?? 0) > namespace.partitions)
        for (const bounds of await this.log.offsets(namespace.binlog)) {
          if (this.rounds.isOver || bytesLeft <= 0) return;
          if (bounds.partition >= namespace.partitions) bytesLeft -= await this.copy(namespace, bounds, bytesLeft);
        }
  }

  /** Bytes of keys and values that were copied. */
  private async copy(namespace: NamespaceState, bounds: PartitionOffsets, bytesMax: number): Promise<number> {
    const { binlog } = namespace;
    const { partition, startOffset, endOffset } = bounds;
    this.next ??= await this.copiesMade();
    const place = `${binlog}/${partition}`;
    let next = Math.max(startOffset, this.next.get(place) ?? 0);
    if (next >= endOffset) return 0;
    let bytes = 0;
    const done = new AbortController();
    const cancel = this.options.timers.after(grownBinlogLimits.readMs, () => done.abort());
    const signal = AbortSignal.any([done.signal, this.rounds.signal]);
    try {
      const from = { nextOffset: asOffset(next), leaderEpoch: -1 };
      for await (const batch of this.log.tail(binlog, partition, from, { signal, takesBadStretches: true })) {
        await this.append(namespace, partition, batch.records);
        for (const { key, value } of batch.records) bytes += (key?.length ?? 0) + (value?.length ?? 0);
        next = batch.nextOffset;
        this.next.set(place, next);
        if (next >= endOffset || bytes >= bytesMax || this.rounds.isOver) break;
      }
    } finally {
      cancel();
      done.abort();
    }
    return bytes;
  }

  private async append(
    { name, partitions, binlog }: NamespaceState,
    partition: Partition,
    records: readonly StoredRecord[],
  ): Promise<void> {
    const { clock, instance, topics } = this.options;
    const message = `partition ${partition} was added to the binlog of ${name}, which has ${partitions}: no key belongs there`;
    const copies = records.map(({ offset, key, value }): LogRecord => {
      const copy = encodeCopy({
        topic: binlog,
        partition,
        offset,
        toOffset: null,
        reason: 'wrongPartition',
        message,
        nodeId: instance,
        key: key && key.subarray(0, grownBinlogLimits.copiedBytesMax),
        value: value && value.subarray(0, grownBinlogLimits.copiedBytesMax),
        quarantinedAtMs: clock.nowMs(),
      });
      return { key: Buffer.from(binlog), value: copy };
    });
    for (let at = 0; at < copies.length; at += grownBinlogLimits.recordsPerAppend)
      await this.log.append(
        topics.quarantine,
        asPartition(0),
        copies.slice(at, at + grownBinlogLimits.recordsPerAppend),
      );
    this.copied += copies.length;
  }

  /** Copies of one partition are made in order, so the newest one says how far a master came. */
  private async copiesMade(): Promise<Map<string, number>> {
    const made = new Map<string, number>();
    await readCopies(this.log, this.options.topics.quarantine, {
      clock: this.options.clock,
      deadlineMs: grownBinlogLimits.copiesReadMs,
      onCopy: ({ topic, partition, offset }) => made.set(`${topic}/${partition}`, offset + 1),
    });
    return made;
  }
}
