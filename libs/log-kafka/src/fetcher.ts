import { asOffset, type Clock, type Logger, messageOf, type Partition, type Timers } from '@levee/kernel';
import type { LogBatch, LogPosition, TailOptions } from '@levee/log';
import { type Address, BrokerConnection } from './broker-connection';
import { missingTopic, type ClusterMetadata, type Leader } from './cluster-metadata';
import { FetchLane, type LaneHost } from './fetch-lane';
import type { ConnectionFactory } from './kafkajs-client';
import type { KafkaLogLimits } from './limits';
import { PartitionTail, type TailHost } from './partition-tail';
import { kafkaError, kafkaErrorName } from './protocol/error-codes';
import {
  apis,
  decodeListOffsets,
  decodeOffsetsForLeaderEpoch,
  encodeListOffsets,
  encodeOffsetsForLeaderEpoch,
} from './protocol/requests';

export interface FetcherParts {
  readonly metadata: ClusterMetadata;
  readonly connection: ConnectionFactory;
  readonly limits: KafkaLogLimits;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly logger: Logger;
}

/** A deposed leader may answer from an old log: only after so many equal answers is a log called truncated. */
const truncationProofs = 3;

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
  private closed = false;

  constructor(private readonly parts: FetcherParts) {
    this.limits = parts.limits;
  }

  tail(topic: string, partition: Partition, from: LogPosition, options: TailOptions = {}): AsyncIterable<LogBatch> {
    return {
      [Symbol.asyncIterator]: () => {
        const tail = new PartitionTail(topic, partition, from, options, this, this.limits.corruptRereads);
        if (this.closed) tail.end();
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
    this.closed = true;
    for (const tail of [...this.tails]) tail.end();
    for (const lanes of this.lanes.values()) for (const lane of lanes) lane.close();
  }

  connection(address: Address): BrokerConnection {
    return new BrokerConnection(this.parts.connection, address, this.limits.requestMs);
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
    tail.strugglingSinceMs ??= sinceMs;
    const why = errorCode === kafkaError.none ? reason : kafkaErrorName(errorCode);
    this.parts.logger.debug(
      { topic: tail.topic, partition: tail.partition, reason: why },
      'a tail looks for its leader',
    );
    const outOfRange = errorCode === kafkaError.offsetOutOfRange;
    const next = outOfRange ? this.examineRange(tail) : this.pause(tail, why).then(() => this.placeAfresh(tail));
    next.catch((error: unknown) => tail.fail('LOG_UNAVAILABLE', messageOf(error), error));
  }

  private async placeAfresh(tail: PartitionTail): Promise<void> {
    await this.parts.metadata.refresh();
    await this.place(tail);
  }

  private async place(tail: PartitionTail): Promise<void> {
    while (!tail.finished) {
      const leader = await this.leaderOf(tail);
      if (leader === undefined) continue;
      const { nodeId, epoch } = leader;
      const address = this.parts.metadata.addressOf(nodeId);
      if (address === undefined || !(await this.isWhole(tail, leader, address))) continue;
      if (!tail.finished) this.assign(tail, nodeId, address, epoch);
      return;
    }
  }

  /** The leader, or `undefined` after a pause or when the tail has failed. */
  private async leaderOf(tail: PartitionTail): Promise<Leader | undefined> {
    const { metadata } = this.parts;
    if (metadata.topic(tail.topic) === undefined) {
      metadata.watch(tail.topic);
      await metadata.refresh();
    }
    const known = metadata.topic(tail.topic);
    const leader = known?.leaders[tail.partition];
    if (known !== undefined && leader !== undefined) {
      if (tail.topicId === '') tail.topicId = known.topicId;
      if (tail.topicId === known.topicId) return leader;
      tail.fail('LOG_TRUNCATED', 'the topic was deleted and created again: rebuild what was derived from it');
      return undefined;
    }
    const count = known?.leaders.length ?? 0;
    if (metadata.isMissing(tail.topic)) {
      metadata.forget(tail.topic);
      tail.fail('TOPIC_MISSING', missingTopic);
    } else if (count > 0 && tail.partition >= count) {
      tail.fail('TOPIC_MISSING', `the topic has ${count} partitions, 0 to ${count - 1}`);
    } else {
      await this.pause(tail, 'the partition has no leader');
      await metadata.refresh();
    }
    return undefined;
  }

  /**
   * KIP-320: the log is whole up to our position when the epoch we last saw does not end below it. Asked at the start
   * and for each new leader epoch. False when it has to be asked again, or the tail has failed.
   */
  private async isWhole(tail: PartitionTail, leader: Leader, address: Address): Promise<boolean> {
    if (tail.leaderEpoch < 0 || tail.position === 0 || tail.validatedEpoch === leader.epoch) return true;
    const query = { partition: tail.partition, currentLeaderEpoch: leader.epoch, leaderEpoch: tail.leaderEpoch };
    let proofs = 0;
    for (;;) {
      const request = encodeOffsetsForLeaderEpoch(tail.topic, query);
      let reason: string;
      try {
        const control = this.parts.metadata.control(address);
        const end = decodeOffsetsForLeaderEpoch(await control.send(apis.offsetsForLeaderEpoch, request));
        if (end.errorCode !== kafkaError.none) {
          reason = kafkaErrorName(end.errorCode);
        } else if (end.endOffset >= tail.position) {
          tail.validatedEpoch = leader.epoch;
          return true;
        } else {
          const ends = end.endOffset < 0 ? 'is not known to it any more' : `ends at ${end.endOffset}`;
          const what = `the log was cut: the leader epoch ${tail.leaderEpoch} that we have seen ${ends}`;
          if (++proofs >= truncationProofs) {
            tail.fail('LOG_TRUNCATED', `${what}: rebuild what was derived from it`);
            return false;
          }
          reason = what;
        }
      } catch (error) {
        reason = messageOf(error);
      }
      await this.pause(tail, reason);
      await this.parts.metadata.refresh();
      if (tail.finished) return false;
      const now = this.parts.metadata.leaderOf(tail.topic, tail.partition);
      if (now?.epoch !== leader.epoch || now.nodeId !== leader.nodeId) return false;
    }
  }

  /** The broker says that our offset is outside of its log: find out in which way before anything is said. */
  private async examineRange(tail: PartitionTail): Promise<void> {
    const { metadata } = this.parts;
    tail.validatedEpoch = -1;
    for (let proofs = 0; !tail.finished;) {
      await metadata.refresh();
      const leader = await this.leaderOf(tail);
      const address = leader === undefined ? undefined : metadata.addressOf(leader.nodeId);
      if (leader === undefined || address === undefined) continue;
      if (!(await this.isWhole(tail, leader, address))) continue;
      let reason = 'the offset is out of range';
      try {
        const ask = async (timestampMs: number): Promise<number> => {
          const queries = [{ partition: tail.partition, leaderEpoch: leader.epoch, timestampMs }];
          const request = encodeListOffsets(tail.topic, queries);
          const [answer] = decodeListOffsets(await metadata.control(address).send(apis.listOffsets, request));
          if (answer === undefined || answer.errorCode !== kafkaError.none)
            throw new Error(kafkaErrorName(answer?.errorCode ?? kafkaError.unknownServerError));
          return answer.offset;
        };
        const start = await ask(-2);
        const end = await ask(-1);
        const outside = tail.position < start || tail.position > end;
        if (outside && ++proofs >= truncationProofs) {
          const mend = tail.position < start ? 'records were removed by retention' : 'it was never that long';
          tail.fail('OFFSET_OUT_OF_RANGE', `the partition holds ${asOffset(start)} to ${end}: ${mend}`);
          return;
        }
        if (!outside) {
          await this.pause(tail, reason);
          await this.place(tail);
          return;
        }
      } catch (error) {
        reason = messageOf(error);
      }
      await this.pause(tail, reason);
    }
  }

  private assign(tail: PartitionTail, nodeId: number, address: Address, leaderEpoch: number): void {
    let lanes = this.lanes.get(nodeId);
    if (lanes === undefined || lanes.some((lane) => lane.address !== address)) {
      for (const lane of lanes ?? []) lane.close();
      this.lanes.set(nodeId, (lanes = []));
    }
    let lane = lanes.find((candidate) => !candidate.has(tail));
    if (lane === undefined) lanes.push((lane = new FetchLane(address, this)));
    this.laneOf.set(tail, lane);
    lane.add(tail, leaderEpoch);
  }

  /** Waits, longer each time; fails the tail when the log has been out of reach for longer than its reader bears. */
  private async pause(tail: PartitionTail, reason: string): Promise<void> {
    const { limits, timers } = this.parts;
    const nowMs = this.nowMs();
    tail.strugglingSinceMs ??= nowMs;
    const most = tail.options.unavailableMs;
    if (most !== undefined && nowMs - tail.strugglingSinceMs >= most) {
      tail.fail('LOG_UNAVAILABLE', `out of reach for ${most} ms: ${reason}`);
      return;
    }
    const pauseMs = Math.min(limits.retryMs * 2 ** Math.min(tail.attempts++, 10), limits.retryMsMax);
    await new Promise<void>((resolve) => timers.after(pauseMs, resolve));
  }
}
