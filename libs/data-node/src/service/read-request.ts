import { Breather } from '@levee/chunk-store';
import type { NamespaceState } from '@levee/events';
import { messageOf } from '@levee/kernel';
import { partitionOfSlot } from '@levee/keyspace';
import {
  entryErrorText,
  type PartitionPosition,
  ReadReplyWriter,
  type ReadRequest,
  type Received,
  type ReplySlot,
} from '@levee/wire';
import { nodeLimits } from '../node-limits';
import type { HostedReplica } from '../replica/hosted-replica';
import { readProblem, type NodeCaller } from './node-callers';
import { PendingPositions } from './pending-positions';
import type { ServingContext } from './serving-context';
import type { UserWaits } from './user-waits';

/**
 * Answers LV.READ: at once when every key's replica stands far enough, else when the last wait ends or the deadline
 * comes. No promise and no object per key but the value itself; gives way after 2 ms.
 */
export class ReadAnswer {
  private readonly writer: ReadReplyWriter;
  private readonly positions = new Map<number, number>();
  private ageMs = 0;
  /** Partitions of the namespace's binlog. */
  private readonly partitions: number;
  private readonly ageMsMax: number;
  private readonly breather: Breather;

  constructor(
    private readonly context: ServingContext,
    private readonly request: Received<ReadRequest>,
    private readonly of: { readonly creation: string; readonly namespace: NamespaceState },
    private readonly reply: ReplySlot,
    private readonly who: NodeCaller['who'],
    private readonly userWaits: UserWaits,
  ) {
    this.partitions = of.namespace.partitions;
    this.ageMsMax = ageLimit(request.maxAgeMs, of.namespace);
    this.writer = new ReadReplyWriter(request.seal, 64 + request.entries.count * 128);
    this.breather = new Breather(context.clock);
  }

  start(): void {
    const waits = this.waits();
    if (waits === undefined) return this.step();
    const { deadlineMs } = this.request;
    if (this.who === 'cluster') return waits.whenOver(Math.min(deadlineMs, nodeLimits.waitMsMax), this.step);
    if (!this.userWaits.take()) return this.step();
    waits.whenOver(Math.min(deadlineMs, nodeLimits.userWaitMsMax), () => {
      this.userWaits.give();
      this.step();
    });
  }

  /** `undefined` when nothing has to be waited for. */
  private waits(): PendingPositions | undefined {
    const { entries, deadlineMs } = this.request;
    if (deadlineMs === 0) return undefined;
    let waits: PendingPositions | undefined;
    while (entries.next()) {
      if (entries.minOffset === 0) continue;
      const hosted = this.context.host.at(this.of.creation, entries.slot);
      if (hosted === undefined || !hosted.readable) continue;
      const partition = partitionOfSlot(entries.slot, this.partitions);
      if (hosted.nextOffset(partition) >= entries.minOffset) continue;
      waits ??= new PendingPositions(this.context.timers);
      waits.add(hosted, partition, entries.minOffset);
    }
    entries.rewind();
    return waits;
  }

  private readonly step = (): void => {
    const { entries } = this.request;
    const problem = readProblem(this.who, this.of.namespace.name);
    if (problem !== undefined) return this.reply.error(problem);
    while (entries.next()) {
      this.answerEntry();
      if (this.breather.tired()) {
        // What comes behind it on this connection would be answered later anyway, and hold its reply until then.
        this.reply.holdPipeline();
        void this.breather.breathe().then(this.step);
        return;
      }
    }
    const positions: PartitionPosition[] = [];
    for (const [partition, nextOffset] of this.positions) positions.push({ partition, nextOffset });
    const version = this.context.routeVersion(this.of.namespace.name);
    this.reply.bulk(this.writer.finish(this.ageMs, version, positions));
  };

  private answerEntry(): void {
    const { entries, nowMs } = this.request;
    const { name } = this.of.namespace;
    const { writer } = this;
    const { slot } = entries;
    const hosted = this.context.host.at(this.of.creation, slot);
    if (hosted === undefined) return writer.error(entryErrorText('LVMOVED', this.context.routeOf(name, slot)));
    if (!hosted.readable) return writer.error(entryErrorText('LVNOTREADY', hosted.reason));
    const partition = partitionOfSlot(slot, this.partitions);
    const ageMs = hosted.ageMs(partition, this.context.clock.monotonicMs());
    if (ageMs > this.ageMsMax) return writer.error(entryErrorText('LVSTALE', String(Math.ceil(ageMs))));
    const cut = hosted.cuts.refusal(partition, entries.minOffset);
    if (cut !== undefined) return writer.error(entryErrorText('LVSTOPPED', cut));
    const nextOffset = hosted.nextOffset(partition);
    if (nextOffset < entries.minOffset) return writer.error(entryErrorText('LVBEHIND', `${partition}:${nextOffset}`));
    if (writer.full) return writer.again();
    const limited = hosted.quota.refusal(hosted.assignment.namespace.chunkRequestsPerSecond);
    if (limited !== undefined) return writer.error(entryErrorText('LVLIMIT', limited));
    // The position is read before the key: what it names is in what follows.
    const known = this.positions.get(partition);
    if (known === undefined || nextOffset < known) this.positions.set(partition, nextOffset);
    if (ageMs > this.ageMs) this.ageMs = ageMs;
    this.answerKey(hosted, { key: entries.key(), partition, nowMs });
  }

  private answerKey(
    hosted: HostedReplica,
    { key, partition, nowMs }: { key: Buffer; partition: number; nowMs: number },
  ): void {
    const { writer } = this;
    try {
      const found = hosted.replica.get(key, nowMs);
      // What was handed in may be visible before it counts as applied: a deletion seen lies below this offset.
      if (found === undefined) writer.nil(hosted.replica.stagedNext(partition));
      else if (found.readable)
        writer.value(found.offset, found.expiresAtMs === 0 ? null : found.expiresAtMs, found.value);
      else writer.error(entryErrorText('LVUNREADABLE', `${found.partition}:${found.offset} ${found.reason}`));
    } catch (error) {
      // Whatever it is, here it must end: after a breath or a wait nobody else would catch it.
      writer.error(entryErrorText(hosted.damagedBy(error) ? 'LVDAMAGED' : 'LVNOTREADY', messageOf(error)));
    }
  }
}

/** Oldest replica that may answer: what the asker accepts, never more than the namespace does. */
export function ageLimit(maxAgeMs: number, namespace: Pick<NamespaceState, 'maxStalenessMs'> | undefined): number {
  return Math.min(maxAgeMs < 0 ? Infinity : maxAgeMs, namespace?.maxStalenessMs ?? Infinity);
}
