import { asOffset } from '@levee/kernel';
import type { BatchWriter, PartitionLog } from './partition-log';
import type { Mark } from './position-record';
import type { ReplicaPosition } from './replica-types';

/** What a position and its journal key take, roughly. */
export const bytesOfPosition = 128;

/** A partition of an open replica. */
export class PartitionPlace {
  /** Read by everybody: as of the last finished write. */
  current: Mark;
  readonly unreadableBelow: number;
  /** As of the last span handed in; runs ahead of the persisted position by batches that hold nothing of this chunk. */
  stagedNext: number;
  /** Leader epoch that belongs to `stagedNext`. Together they name what was read: neither may come from elsewhere. */
  stagedEpoch: number;
  lastPersistMs: number;

  constructor(readonly log: PartitionLog) {
    const { nextOffset, leaderEpoch, completeAtMs, unreadableBelow } = log.stagedPosition;
    this.current = { nextOffset, leaderEpoch, completeAtMs };
    this.unreadableBelow = unreadableBelow;
    this.stagedNext = nextOffset;
    this.stagedEpoch = leaderEpoch;
    this.lastPersistMs = completeAtMs;
  }

  /** Adds what was handed in and is not written yet: where it stands, and when it was last complete. */
  stage(writer: BatchWriter): void {
    const { current, log, stagedNext: nextOffset, stagedEpoch: leaderEpoch } = this;
    const completeAtMs = Math.max(current.completeAtMs, log.stagedPosition.completeAtMs);
    if (nextOffset > log.stagedPosition.nextOffset)
      log.stage(writer, { nextOffset, leaderEpoch, completeAtMs }, bytesOfPosition);
    else log.stageCompleteAt(writer, completeAtMs);
  }

  get position(): ReplicaPosition {
    const { current, unreadableBelow } = this;
    return {
      nextOffset: asOffset(current.nextOffset),
      leaderEpoch: current.leaderEpoch,
      completeAtMs: current.completeAtMs,
      unreadableBelow: asOffset(unreadableBelow),
    };
  }

  /** It has not yet seen again what it had seen before it was rewound (I13). */
  get rewound(): boolean {
    return this.current.nextOffset < this.unreadableBelow;
  }

  /** Nothing of the partition was ever seen here. One that was rewound to offset 0 still holds what it had seen. */
  get fresh(): boolean {
    return this.current.nextOffset === 0 && this.unreadableBelow === 0;
  }
}
