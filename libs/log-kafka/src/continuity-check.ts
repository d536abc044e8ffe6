import { asOffset, type Clock, messageOf, pause, type Timers } from '@levee/kernel';
import type { Address } from './broker-connection';
import type { ClusterMetadata, Leader } from './cluster-metadata';
import type { KafkaLogLimits } from './limits';
import type { PartitionTail } from './partition-tail';
import { kafkaError, kafkaErrorName } from './protocol/error-codes';
import {
  apis,
  decodeListOffsets,
  decodeOffsetsForLeaderEpoch,
  encodeListOffsets,
  encodeOffsetsForLeaderEpoch,
} from './protocol/requests';
import { isProven, nextProof, noProof, type ProofRule } from './truncation-proof';

export interface ContinuityParts {
  readonly metadata: ClusterMetadata;
  readonly limits: KafkaLogLimits;
  readonly clock: Clock;
  readonly timers: Timers;
}

/** What a leader has against our place in its log. */
interface LeaderDenial {
  readonly why: string;
  /** Below it its log is the one that was read; -1: it cannot say. */
  readonly cutOffset: number;
}

/** Denials that are believed. */
const proofsNeeded = 3;

/** Is the log that a leader offers the one that a tail has read so far? Asks until it is known, or says why not. */
export class ContinuityCheck {
  constructor(private readonly parts: ContinuityParts) {}

  /**
   * KIP-320: the log is whole up to our position when it knows the epoch of the last record that we read, and that epoch
   * does not end below our position. Asked at the start and for each new leader epoch. False when it has to be asked
   * again with fresh metadata, or the tail has failed.
   */
  async isWhole(tail: PartitionTail, leader: Leader, address: Address): Promise<boolean> {
    if (tail.leaderEpoch < 0 || tail.position === 0 || tail.validatedEpoch === leader.epoch) return true;
    if (leader.epoch < tail.leaderEpoch) return this.isBehind(tail, leader);
    tail.behindSinceMs = undefined;
    const rule = this.rule(tail);
    for (;;) {
      const atMs = this.parts.clock.monotonicMs();
      let reason: string;
      try {
        const denial = await this.denial(tail, leader, address);
        if (denial === undefined) {
          tail.proof = noProof;
          tail.validatedEpoch = leader.epoch;
          return true;
        }
        reason = denial.why;
        tail.proof = nextProof(tail.proof, { atMs, leaderEpoch: leader.epoch, confirmedMs: leader.confirmedMs }, rule);
        if (isProven(tail.proof, rule)) {
          const { why, cutOffset } = denial;
          tail.fail('LOG_TRUNCATED', `${why}: it is not what was read before`, undefined, { cutOffset });
          return false;
        }
      } catch (error) {
        reason = messageOf(error);
      }
      await this.pause(tail, reason);
      await this.parts.metadata.refresh();
      if (tail.finished) return false;
      const now = this.parts.metadata.leaderOf(tail.topic, tail.partition);
      if (now?.epoch !== leader.epoch || now.nodeId !== leader.nodeId) return false;
      leader = now;
    }
  }

  /** One look at where the leader's log begins and ends, when it has called our offset out of range. */
  async isOutside(tail: PartitionTail, leader: Leader, address: Address): Promise<'inside' | 'again' | 'failed'> {
    const rule = this.rule(tail);
    const atMs = this.parts.clock.monotonicMs();
    const start = await this.ask(tail, leader, address, -2);
    const end = await this.ask(tail, leader, address, -1);
    if (tail.position >= start && tail.position <= end) {
      tail.proof = noProof;
      return 'inside';
    }
    tail.proof = nextProof(tail.proof, { atMs, leaderEpoch: leader.epoch, confirmedMs: leader.confirmedMs }, rule);
    if (!isProven(tail.proof, rule)) return 'again';
    const mend = tail.position < start ? 'records were removed by retention' : 'it was never that long';
    tail.fail('OFFSET_OUT_OF_RANGE', `the partition holds ${asOffset(start)} to ${end}: ${mend}`);
    return 'failed';
  }

  /** Waits, longer each time; fails the tail when the log has been out of reach for longer than its reader bears. */
  async pause(tail: PartitionTail, reason: string): Promise<void> {
    const { limits, timers, clock } = this.parts;
    const nowMs = clock.monotonicMs();
    tail.strugglingSinceMs ??= nowMs;
    const most = tail.options.unavailableMs;
    if (most !== undefined && nowMs - tail.strugglingSinceMs >= most) {
      tail.fail('LOG_UNAVAILABLE', `out of reach for ${most} ms: ${reason}`);
      return;
    }
    const pauseMs = Math.min(limits.retryMs * 2 ** Math.min(tail.attempts++, 10), limits.retryMsMax);
    await pause(timers, pauseMs);
  }

  /**
   * Whoever speaks of an epoch below one that was read is behind: that proves nothing about the log. When it does not
   * change, people have to look: the cluster may have been restored from an older copy.
   */
  private async isBehind(tail: PartitionTail, leader: Leader): Promise<false> {
    const { clock, limits, metadata } = this.parts;
    const nowMs = clock.monotonicMs();
    tail.behindSinceMs ??= nowMs;
    const reason = `the brokers know leader epoch ${leader.epoch}, but records of epoch ${tail.leaderEpoch} were read`;
    if (nowMs - tail.behindSinceMs >= limits.staleEpochMs) {
      const mend = 'the brokers in reach are behind, or cluster or topic come from an older copy';
      tail.fail('LOG_UNAVAILABLE', `${reason}, for ${limits.staleEpochMs} ms: ${mend}`);
      return false;
    }
    metadata.distrustLeader(tail.topic, tail.partition);
    await this.pause(tail, reason);
    await metadata.refresh();
    return false;
  }

  private rule(tail: PartitionTail): ProofRule {
    return { needed: proofsNeeded, apartMs: this.parts.limits.denialsApartMs, readEpoch: tail.leaderEpoch };
  }

  /** What the leader has against our place in its log; throws when it does not answer the question. */
  private async denial(tail: PartitionTail, leader: Leader, address: Address): Promise<LeaderDenial | undefined> {
    const query = { partition: tail.partition, currentLeaderEpoch: leader.epoch, leaderEpoch: tail.leaderEpoch };
    const control = this.parts.metadata.control(address);
    const answer = await control.send(apis.offsetsForLeaderEpoch, encodeOffsetsForLeaderEpoch(tail.topic, query));
    const { errorCode, leaderEpoch, endOffset } = decodeOffsetsForLeaderEpoch(answer);
    if (errorCode !== kafkaError.none) throw new Error(kafkaErrorName(errorCode));
    const what = `the log was cut: the leader epoch ${tail.leaderEpoch} that we have seen`;
    // A lower epoch than the one asked for: its log has no record of ours, however long it is (unclean election).
    // The epoch that it does have ends where its log stopped being the one that we read.
    if (endOffset < 0 || leaderEpoch < tail.leaderEpoch)
      return { why: `${what} is not known to it any more`, cutOffset: endOffset };
    return endOffset < tail.position ? { why: `${what} ends at ${endOffset}`, cutOffset: endOffset } : undefined;
  }

  private async ask(tail: PartitionTail, leader: Leader, address: Address, timestampMs: number): Promise<number> {
    const queries = [{ partition: tail.partition, leaderEpoch: leader.epoch, timestampMs }];
    const control = this.parts.metadata.control(address);
    const [answer] = decodeListOffsets(await control.send(apis.listOffsets, encodeListOffsets(tail.topic, queries)));
    if (answer === undefined || answer.errorCode !== kafkaError.none)
      throw new Error(kafkaErrorName(answer?.errorCode ?? kafkaError.unknownServerError));
    return answer.offset;
  }
}
