import { ApplyBudget, ApplyPace, LogClock } from '@levee/follow';
import { messageOf, pause, silentLogger, type SteadyClock } from '@levee/kernel';
import { partitionsOf, type SlotRange } from '@levee/keyspace';
import type { Log, TopicDescription } from '@levee/log';
import type { PortalClock } from '../direct/portal-clock';
import type { World } from '../world';
import { KeyOrder } from './key-order';
import { FollowedPartition } from './followed-partition';
import type { FollowedNamespace } from './followed-namespace';
import type { KeptPartitions } from './held-partition';
import { localLimits } from './local-limits';
import type { MemoryBudget } from './memory-budget';
import type { SharedLog } from './shared-log';

export interface ReplicaWorld {
  readonly world: World;
  readonly steady: SteadyClock;
  readonly clock: PortalClock;
  readonly budget: MemoryBudget;
  readonly log: SharedLog;
  readonly slots: SlotRange;
  readonly stalenessMs: () => number;
  readonly cutMs: number;
  readonly digests: boolean;
  readonly kept: KeptPartitions | undefined;
}

/** One creation of a namespace, or a range of its slots, in this process. */
export class LocalReplica {
  problem: string | undefined = 'the log is not open yet';
  /** By partition; there is none at those that are not followed. */
  readonly parts: (FollowedPartition | undefined)[] = [];
  /** Of all keys, for scans. */
  readonly order: KeyOrder;
  private readonly stopping = new AbortController();
  private looking = new AbortController();
  private lookedAtMs = -Infinity;
  private deletionsKeptMs = 0;
  private topicId: string | undefined;
  private readonly logClock: LogClock;
  private cancelSweep: () => void = () => undefined;

  constructor(
    readonly followed: FollowedNamespace,
    private readonly of: ReplicaWorld & { readonly name: string },
  ) {
    const { world, budget } = of;
    this.logClock = new LogClock(world.clock);
    this.order = new KeyOrder({
      clock: world.clock,
      budget,
      replicas: () => this.all.flatMap(({ memory }) => memory ?? []),
    });
  }

  /** Follows the log until it is closed. */
  async run(): Promise<void> {
    try {
      await this.follow();
    } catch (error) {
      this.close();
      this.problem = messageOf(error);
    }
  }

  private async follow(): Promise<void> {
    const { signal } = this.stopping;
    const log = await this.of.log.opened();
    if (log === undefined || signal.aborted) return;
    const [kind] = log.description.split(' ', 1);
    const { logKind } = this.followed;
    if (kind !== logKind) {
      this.problem =
        `the log of this cluster is ${logKind}, and ${kind} was to be followed: a log that one process has for itself ` +
        'cannot be followed from another one; portals answer';
      return;
    }
    this.problem = undefined;
    this.makeParts(log);
    this.sweepLater();
    while (!signal.aborted) {
      this.looking = new AbortController();
      this.problem = await this.look(log);
      if (this.isOff) return;
      const { topicMs, troubledTopicMs } = localLimits;
      const wake = AbortSignal.any([signal, this.looking.signal]);
      await pause(this.of.world.timers, this.problem === undefined ? topicMs : troubledTopicMs, wake);
    }
  }

  get all(): readonly FollowedPartition[] {
    return this.parts.filter((part) => part !== undefined);
  }

  /** Nothing is answered from it any more, and its memory is given back. */
  close(): void {
    this.stopping.abort();
    this.cancelSweep();
    this.order.close();
    for (const part of this.all) part.close();
  }

  /** It does not fit, or was closed. */
  get isOff(): boolean {
    return this.stopping.signal.aborted;
  }

  private makeParts(log: Log): void {
    const { followed, logClock } = this;
    const { slotStart, slotEnd } = this.of.slots;
    const { clusterId, bornAs: namespace, binlog, partitions, hashAlgorithm, recordFormat } = followed;
    const sourceTopicId = followed.sourceTopicId ?? undefined;
    const { clock, timers } = this.of.world;
    // In memory a write costs nothing: no records are gathered for one.
    const pace = new ApplyPace(new ApplyBudget(clock), timers, () => true);
    for (const partition of partitionsOf(slotStart, slotEnd, partitions))
      this.parts[partition] = new FollowedPartition(partition, {
        ...this.of,
        log,
        keptPlace: { name: this.of.name, followed },
        feed: {
          place: { clusterId, namespace, binlog, partitions, partition, sourceTopicId },
          hashAlgorithm,
          recordFormat,
          hiddenAfterMs: followed.hiddenAfterMs ?? undefined,
          clock,
          timers,
          logger: silentLogger,
          logClock,
          pace,
        },
        deletionsKeptMs: () => this.deletionsKeptMs,
        full: (problem) => {
          this.close();
          this.problem = problem;
        },
        ready: () => this.looking.abort(),
        doubtTopic: () => this.doubtTopic(),
      });
  }

  /** It is looked at again, soon. */
  private doubtTopic(): void {
    const { clock } = this.of.world;
    if (clock.monotonicMs() - this.lookedAtMs >= localLimits.troubledTopicMs) this.looking.abort();
  }

  /** Whether the topic is what it should be; then it is followed. Why not, in words. */
  private async look(log: Log): Promise<string | undefined> {
    const { binlog, partitions, sourceTopicId } = this.followed;
    this.lookedAtMs = this.of.world.clock.monotonicMs();
    let topic: TopicDescription | undefined;
    try {
      [topic] = await log.describeTopics([binlog]);
    } catch (error) {
      return `topic ${binlog} cannot be looked at: ${messageOf(error)}`;
    }
    if (this.isOff) return this.problem;
    if (topic === undefined) return `topic ${binlog} does not exist, or this client may not see it`;
    if (sourceTopicId !== null && topic.topicId !== sourceTopicId)
      return this.dropAll(`topic ${binlog} was bound as ${sourceTopicId}, and is ${topic.topicId}: it was made anew`);
    if (topic.partitions !== partitions)
      return this.dropAll(
        `topic ${binlog} has ${topic.partitions} partitions, the namespace ${partitions}: keys are not where they were`,
      );
    const deletionsKeptMs = Number(topic.settings['delete.retention.ms'] ?? NaN);
    if (!(deletionsKeptMs >= 0))
      return `how long topic ${binlog} keeps deletions cannot be read: this client needs DescribeConfigs of the topic`;
    this.deletionsKeptMs = Math.min(deletionsKeptMs, dayMs);
    // [safety] Another topic under the same name: nothing that was held is of it.
    if (this.topicId !== undefined && this.topicId !== topic.topicId)
      this.dropAll(`topic ${binlog} was deleted and made anew`);
    this.topicId = topic.topicId;
    for (const part of this.all) part.follow(topic.topicId);
    return undefined;
  }

  private dropAll(problem: string): string {
    for (const part of this.all) part.drop(problem);
    return problem;
  }

  private sweepLater(): void {
    const { clock, world } = this.of;
    const { sweepMs, expiredKeptMs } = localLimits;
    this.cancelSweep = world.timers.after(sweepMs, () => {
      this.order.tidy();
      // By a clock that is ahead of the log nothing is removed that may be asked for yet.
      const nowMs = Math.min(clock.nowMs(), this.logClock.nowMs() ?? Infinity);
      const swept = this.all.reduce(
        (before, part) => before.then(() => part.sweep(nowMs - expiredKeptMs)),
        Promise.resolve(),
      );
      const isOver = swept.catch(() => undefined);
      void isOver.then(() => {
        if (!this.isOff) this.sweepLater();
      });
    });
  }
}

/** As long as binlogs are made to keep them. */
const dayMs = 86_400_000;
