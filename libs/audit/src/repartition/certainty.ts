import { binlogLimits } from '@levee/journal';
import { doubtMs } from './judge-key';
import type { ReadSoFar } from './read-on';

/** How the binlog was cleaned, now and before. */
export interface Cleaning {
  /** `delete.retention.ms` of the topic. */
  readonly deleteRetentionMs: number;
  /** History windows that were in force until some time. */
  readonly earlier: readonly { readonly untilMs: number; readonly lagMs: number }[];
  /** By how much the clocks of brokers, and ours, may differ. */
  readonly clockMarginMs: number;
}

/**
 * [safety] Up to when deletions were written that may have been taken since. Of a key that a partition holds, no later record
 * was taken there: compaction keeps at least the last one, and takes a deletion only with all before it. It leaves deletions
 * for a time; whoever deletes the beginning of a partition (`cleanup.policy` with `delete`, a command) does not.
 */
export class Certainty {
  /** By partition, the latest first; those of which something may be missing. */
  private readonly takenUntil: readonly { readonly partition: number; readonly untilMs: number }[];

  constructor(progress: readonly ReadSoFar[], { deleteRetentionMs, earlier, clockMarginMs }: Cleaning, nowMs: number) {
    const regimes = [
      nowMs - deleteRetentionMs,
      ...earlier.map(({ untilMs, lagMs }) => untilMs - Math.max(binlogLimits.deleteRetentionMsMin, lagMs)),
    ];
    const windowMs = Math.max(...regimes) + clockMarginMs;
    const untilMs = ({ removedUntilMs, lostBeginning, hasProducerTimes }: ReadSoFar): number => {
      if (removedUntilMs === -Infinity) return -Infinity;
      if (hasProducerTimes) return Infinity;
      return lostBeginning ? removedUntilMs + clockMarginMs : Math.min(removedUntilMs + clockMarginMs, windowMs);
    };
    this.takenUntil = progress
      .map((so, partition) => ({ partition, untilMs: untilMs(so) }))
      .filter((of) => of.untilMs > -Infinity)
      .sort((a, b) => b.untilMs - a.untilMs);
  }

  /** No deletion of the key that came later than this time is gone. `held`: partitions that hold a record of it. */
  isCertain(timeMs: number, held: readonly number[]): boolean {
    const first = this.takenUntil.find(({ partition }) => !held.includes(partition));
    return first === undefined || timeMs - doubtMs >= first.untilMs;
  }
}
