import type { Mark, PositionRecord } from '../position-record';

/** Where a source stood in a partition when a snapshot was taken. */
export interface CopyPosition extends Mark {
  readonly partition: number;
}

interface Span {
  readonly lowest: Mark;
  readonly highestOffset: number;
}

/**
 * The positions of all snapshots that a copy was put together from [safety]: the log is followed from the LOWEST of
 * them, and the replica is not readable before it is past the HIGHEST (I13), since until then a key may be older here
 * than it was in a snapshot.
 */
export class CopyPositions {
  private readonly spans = new Map<number, Span>();

  add(positions: readonly CopyPosition[]): void {
    for (const { partition, nextOffset, leaderEpoch, completeAtMs } of positions) {
      const known = this.spans.get(partition);
      const mark = { nextOffset, leaderEpoch, completeAtMs };
      if (known === undefined) {
        this.spans.set(partition, { lowest: mark, highestOffset: nextOffset });
        continue;
      }
      const lower = nextOffset < known.lowest.nextOffset ? mark : known.lowest;
      this.spans.set(partition, {
        // A deletion may be gone from the log since the earliest time at which any of them missed nothing.
        lowest: { ...lower, completeAtMs: Math.min(completeAtMs, known.lowest.completeAtMs) },
        highestOffset: Math.max(nextOffset, known.highestOffset),
      });
    }
  }

  /** `partition:nextOffset` of the lowest of them in each partition: from there on the log is followed. */
  get followedFrom(): string[] {
    return [...this.spans].map(([partition, { lowest }]) => `${partition}:${lowest.nextOffset}`);
  }

  /** Earliest log time (ms since 1970) at which a source missed nothing; `undefined` while there is no snapshot. */
  get completeAtMs(): number | undefined {
    let earliest: number | undefined;
    for (const { lowest } of this.spans.values())
      if (earliest === undefined || lowest.completeAtMs < earliest) earliest = lowest.completeAtMs;
    return earliest;
  }

  /** `undefined` for a partition that no snapshot touched. */
  positionOf(partition: number): PositionRecord | undefined {
    const span = this.spans.get(partition);
    return span && { ...span.lowest, chainFrom: span.lowest, unreadableBelow: span.highestOffset };
  }
}
