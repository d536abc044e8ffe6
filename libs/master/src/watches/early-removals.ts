import type { NamespaceState } from '@levee/events';
import type { Clock, Offset, Partition } from '@levee/kernel';
import type { Log, PartitionOffsets } from '@levee/log';

const earlyRemovalLimits = {
  /** Partitions of a topic of which one look asks what must stay; the others have their turn at the next. */
  askedMax: 16,
} as const;

interface Kept {
  /** Of a record that is too young to be removed. */
  readonly offset: Offset;
  /** Until then, ms since 1970; half of the margin for clocks is left. */
  readonly untilMs: number;
}

type Aging = NamespaceState & { readonly retentionMs: number; readonly hiddenAfterMs: number };

/**
 * Whether a topic that forgets by age has let go of a record before its time, as somebody who deletes records by hand makes
 * it: a record was there that is younger than the topic's retention, and now the topic begins behind it. Between two looks
 * at a partition it is not seen; nor of topics that are compacted too, whose cleaner may have taken that record before.
 */
export class EarlyRemovals {
  private readonly kept = new Map<Partition, Kept>();
  private turn = 0;
  private found: PartitionOffsets | undefined;

  constructor(
    private readonly log: Pick<Log, 'offsets' | 'offsetAt'>,
    private readonly clock: Pick<Clock, 'nowMs'>,
  ) {}

  /** The first partition of which that was seen, from then on at every look. Fails as the log does. */
  async look({ binlog, retentionMs, hiddenAfterMs }: Aging): Promise<PartitionOffsets | undefined> {
    const bounds = await this.log.offsets(binlog);
    const seenMs = this.clock.nowMs();
    this.found ??= bounds.find(({ partition, startOffset }) => {
      const kept = this.kept.get(partition);
      return kept !== undefined && seenMs <= kept.untilMs && startOffset > kept.offset;
    });
    if (this.found !== undefined) return this.found;
    const marginMs = retentionMs - hiddenAfterMs;
    for (let i = 0; i < Math.min(bounds.length, earlyRemovalLimits.askedMax); i++) {
      const { partition, endOffset } = bounds[this.turn++ % bounds.length] as PartitionOffsets;
      const nowMs = this.clock.nowMs();
      const offset = await this.log.offsetAt(binlog, partition, nowMs - hiddenAfterMs);
      // At the end nothing is known of what comes: it may be older than what was there.
      if (offset < endOffset) this.kept.set(partition, { offset, untilMs: nowMs + marginMs / 2 });
      else this.kept.delete(partition);
    }
    return undefined;
  }
}
