import { type Clock, type Logger, messageOf, type Partition, pause, type Timers } from '@levee/kernel';
import type { LogBatch, LogPosition, TailOptions } from '@levee/log';
import { type Address, BrokerConnection } from './broker-connection';
import {
  forbiddenTopic,
  goneTopic,
  missingTopic,
  unreadableTopic,
  type ClusterMetadata,
  type Leader,
} from './cluster-metadata';
import { ContinuityCheck } from './continuity-check';
import { FetchLane, type LaneHost } from './fetch-lane';
import type { ConnectionFactory } from './kafkajs-client';
import type { KafkaLogLimits } from './limits';
import { PartitionTail, type TailHost } from './partition-tail';
import { kafkaError, kafkaErrorName } from './protocol/error-codes';

export interface FetcherParts {
  readonly metadata: ClusterMetadata;
  readonly connection: ConnectionFactory;
  readonly limits: KafkaLogLimits;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly logger: Logger;
}

/** So many other brokers are asked about a leader that only it speaks for, before a tail begins there in doubt. */
const confirmingLooks = 2;

/**
 * All tails of a log: finds each one's leader, checks that the log was not cut behind its back, and gives it to a
 * lane of that broker. Several tails of one partition go to different lanes, since a request names each one once.
 */
export class Fetcher implements LaneHost, TailHost {
  readonly limits: KafkaLogLimits;
  readonly buffered = { bytes: 0 };
  private readonly tails = new Set<PartitionTail>();
  private readonly lanes = new Map<number, FetchLane[]>();
  private readonly laneOf = new Map<PartitionTail, FetchLane>();
  private readonly check: ContinuityCheck;
  private stopLooking: (() => void) | undefined;
  private doubting = false;
  private readonly closing = new AbortController();

  constructor(private readonly parts: FetcherParts) {
    this.limits = parts.limits;
    this.check = new ContinuityCheck(parts);
  }

  tail(topic: string, partition: Partition, from: LogPosition, options: TailOptions = {}): AsyncIterable<LogBatch> {
    return {
      [Symbol.asyncIterator]: () => {
        const tail = new PartitionTail(topic, partition, from, options, this);
        if (this.closing.signal.aborted) tail.end();
        if (tail.finished) return tail;
        this.tails.add(tail);
        this.place(tail).catch((error: unknown) => tail.fail('LOG_UNAVAILABLE', messageOf(error), error));
        return tail;
      },
    };
  }

  get tailCount(): number {
    return this.tails.size;
  }

  close(): void {
    this.closing.abort();
    this.stopLooking?.();
    for (const tail of [...this.tails]) tail.end();
    for (const lanes of this.lanes.values()) for (const lane of lanes) lane.close();
  }

  connection(address: Address): BrokerConnection {
    return new BrokerConnection(this.parts.connection, address, this.limits.requestMs);
  }

  pause(ms: number): Promise<void> {
    return pause(this.parts.timers, ms, this.closing.signal);
  }

  nowMs(): number {
    return this.parts.clock.monotonicMs();
  }

  wake(tail: PartitionTail): void {
    this.laneOf.get(tail)?.wake();
  }

  ended(tail: PartitionTail): void {
    this.tails.delete(tail);
    this.laneOf.get(tail)?.remove(tail);
    this.laneOf.delete(tail);
  }

  lost(
    tail: PartitionTail,
    { errorCode, reason, sinceMs }: { errorCode: number; reason: string; sinceMs: number },
  ): void {
    this.laneOf.delete(tail);
    if (tail.finished) return;
    // No broker will answer otherwise before a person gives the right: whoever reads has to hear of it.
    if (errorCode === kafkaError.topicAuthorizationFailed)
      return tail.fail('LOG_UNAVAILABLE', `${kafkaErrorName(errorCode)}: ${unreadableTopic}`);
    tail.strugglingSinceMs ??= sinceMs;
    const why = errorCode === kafkaError.none ? reason : kafkaErrorName(errorCode);
    this.parts.logger.debug(
      { topic: tail.topic, partition: tail.partition, reason: why },
      'a tail looks for its leader',
    );
    const outOfRange = errorCode === kafkaError.offsetOutOfRange;
    const next = outOfRange ? this.examineRange(tail) : this.check.pause(tail, why).then(() => this.placeAfresh(tail));
    next.catch((error: unknown) => tail.fail('LOG_UNAVAILABLE', messageOf(error), error));
  }

  private async placeAfresh(tail: PartitionTail): Promise<void> {
    await this.parts.metadata.refresh();
    await this.place(tail);
  }

  private async place(tail: PartitionTail): Promise<void> {
    while (!tail.finished) {
      const found = await this.leaderOf(tail);
      if (found === undefined) continue;
      const { leader, address } = found;
      if (!(await this.check.isWhole(tail, leader, address))) continue;
      if (!tail.finished) this.assign(tail, leader, address);
      return;
    }
  }

  /** The leader, or `undefined` after a pause or when the tail has failed. */
  private async leaderOf(tail: PartitionTail): Promise<{ leader: Leader; address: Address } | undefined> {
    const { metadata } = this.parts;
    if (metadata.topic(tail.topic) === undefined) {
      metadata.watch(tail.topic);
      await metadata.refresh();
    }
    await this.seekConfirmation(tail);
    const known = metadata.topic(tail.topic);
    const leader = known?.leaders[tail.partition];
    const address = leader === undefined ? undefined : metadata.addressOf(leader.nodeId);
    if (known !== undefined && leader !== undefined) {
      if (tail.topicId === '') tail.topicId = known.topicId;
      if (tail.topicId !== known.topicId) {
        if (tail.options.topicId === undefined) tail.fail('LOG_TRUNCATED', recreated);
        else tail.fail('TOPIC_MISSING', `its name belongs to topic ${known.topicId}, not to ${tail.topicId} any more`);
        return undefined;
      }
      if (address !== undefined) return { leader, address };
    }
    const count = known?.leaders.length ?? 0;
    if (metadata.isMissing(tail.topic)) {
      metadata.forget(tail.topic);
      tail.fail('TOPIC_MISSING', tail.options.topicId === undefined ? missingTopic : goneTopic);
    } else if (count > 0 && tail.partition >= count) {
      tail.fail('TOPIC_MISSING', `the topic has ${count} partitions, 0 to ${count - 1}`);
    } else if (leader === undefined && metadata.isForbidden(tail.topic)) {
      tail.fail('LOG_UNAVAILABLE', forbiddenTopic);
    } else {
      const lacks = leader === undefined ? 'the partition has no leader' : `no address of its leader ${leader.nodeId}`;
      await this.check.pause(tail, lacks);
      await metadata.refresh();
    }
    return undefined;
  }

  /** A leader that is known only by its own word may be deposed: others are asked, if they answer. */
  private async seekConfirmation({ topic, partition }: PartitionTail): Promise<void> {
    const { metadata } = this.parts;
    for (let looks = 0; looks < confirmingLooks; looks++) {
      if (metadata.leaderOf(topic, partition)?.confirmedMs !== -Infinity) return;
      await metadata.refresh();
    }
  }

  /** The broker says that our offset is outside of its log: find out in which way before anything is said. */
  private async examineRange(tail: PartitionTail): Promise<void> {
    tail.validatedEpoch = -1;
    while (!tail.finished) {
      await this.parts.metadata.refresh();
      const found = await this.leaderOf(tail);
      if (found === undefined) continue;
      const { leader, address } = found;
      if (!(await this.check.isWhole(tail, leader, address))) continue;
      let reason = 'the offset is out of range';
      try {
        const place = await this.check.isOutside(tail, leader, address);
        if (place === 'failed') return;
        if (place === 'inside') {
          await this.check.pause(tail, reason);
          return await this.place(tail);
        }
      } catch (error) {
        reason = messageOf(error);
      }
      await this.check.pause(tail, reason);
    }
  }

  /**
   * Fetches go on succeeding at a leader that was deposed and does not know it, so nothing else would tell: every few
   * seconds another broker is asked. Tails whose partition has a newer leader go there.
   */
  private lookLater(): void {
    if (this.stopLooking !== undefined || this.closing.signal.aborted) return;
    this.stopLooking = this.parts.timers.after(this.limits.leaderLookMs, () => {
      void this.parts.metadata.refresh().then(() => {
        this.stopLooking = undefined;
        if (this.tails.size > 0) this.lookLater();
        for (const [tail, lane] of this.laneOf) this.lookAt(tail, lane);
        this.tellDoubt();
      });
    });
  }

  private lookAt(tail: PartitionTail, lane: FetchLane): void {
    const known = this.parts.metadata.topic(tail.topic);
    const leader = known?.leaders[tail.partition];
    if (known === undefined || leader === undefined) return;
    if (known.topicId !== tail.topicId) lane.evict(tail, recreated);
    else if (leader.epoch > tail.placedEpoch) lane.evict(tail, `the leader of epoch ${tail.placedEpoch} was deposed`);
    else tail.confirmedMs = leader.confirmedMs;
  }

  /** Their readers hear nothing at the end, and their age grows: somebody who wonders finds the reason here. */
  private tellDoubt(): void {
    const doubted = [...this.laneOf.keys()].filter(
      (tail) => this.nowMs() - tail.confirmedMs > this.limits.leaderDoubtMs,
    );
    const [first] = doubted;
    if (first !== undefined && !this.doubting)
      this.parts.logger.warn(
        { tails: doubted.length, topic: first.topic, partition: first.partition },
        'no other broker confirms that the leaders of these partitions still lead: their end is not believed',
      );
    this.doubting = first !== undefined;
  }

  private assign(tail: PartitionTail, { nodeId, epoch, confirmedMs }: Leader, address: Address): void {
    let lanes = this.lanes.get(nodeId);
    if (lanes === undefined || lanes.some((lane) => lane.address !== address)) {
      for (const lane of lanes ?? []) lane.close();
      this.lanes.set(nodeId, (lanes = []));
    }
    const { gatherMs } = tail;
    let lane = lanes.find((candidate) => !candidate.has(tail) && candidate.gatherMs === gatherMs);
    if (lane === undefined) lanes.push((lane = new FetchLane(address, this, gatherMs)));
    this.laneOf.set(tail, lane);
    tail.placedEpoch = epoch;
    tail.confirmedMs = confirmedMs;
    lane.add(tail, epoch);
    this.lookLater();
  }
}

const recreated = 'the topic was deleted and created again: it is not what was read before';
