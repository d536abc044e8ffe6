import { type NamespaceStore, StoreFailure } from '@levee/client';
import type { Timers } from '@levee/kernel';
import type { Log } from '@levee/log';
import type { Change, KeyFilter } from './change';
import { PartitionChanges } from './partition-changes';
import type { WatchedLog } from './watched-log';

export interface ChangeQuery {
  readonly namespace: NamespaceStore;
  /** What the positions are of. */
  readonly watched: WatchedLog;
  /** Next offset of each partition; one that is absent is not watched. */
  readonly positions: ReadonlyMap<number, number>;
  readonly filter: { readonly kind: 'all' | 'prefix' | 'key'; readonly bytes: Buffer };
  readonly mayMiss: boolean;
  readonly count: number;
  readonly blockMs: number;
}

export interface ChangePage {
  readonly changes: readonly (Change & { readonly partition: number })[];
  /** As asked for, moved behind what is told. */
  readonly positions: ReadonlyMap<number, number>;
}

/** Of all partitions of one watch: fetched and not told yet. */
const heldBytesMax = 4 * 1024 * 1024;
const partitionBytesMin = 64 * 1024;
const pageBytesMax = 1024 * 1024;

/**
 * The changes of a namespace for one connection, page by page. Tails stay open between pages, each at most one batch
 * ahead, so the pace of who asks is the pace of reading. A page that asks for other positions begins anew there.
 */
export class ChangeFeed {
  private feeds = new Map<number, PartitionChanges>();
  private asked: string | undefined;
  private wake: (() => void) | undefined;
  private turn = 0;
  private closed = false;

  constructor(
    private readonly log: Log,
    private readonly timers: Timers,
    /** Gives its place back. */
    private readonly leave: () => void,
  ) {}

  /** At least one change, or none after `blockMs`. Rejects with LVHISTORY where the log does not hold them all. */
  async page(query: ChangeQuery): Promise<ChangePage> {
    this.follow(query);
    const untilOver = this.waitFor(query.blockMs);
    try {
      for (;;) {
        const page = this.gathered(query);
        if (page.changes.length > 0 || untilOver.over) return page;
        if (this.closed) throw new StoreFailure('LVSTOPPING', 'nobody waits for these changes any more');
        await new Promise<void>((resolve) => {
          this.wake = resolve;
          untilOver.then(resolve);
        });
      }
    } finally {
      untilOver.cancel();
    }
  }

  close(): void {
    this.closed = true;
    for (const feed of this.feeds.values()) feed.close();
    this.feeds.clear();
    this.wake?.();
    this.leave();
  }

  private waitFor(ms: number): { over: boolean; then(action: () => void): void; cancel(): void } {
    let action = (): void => undefined;
    const state = {
      over: ms <= 0,
      then: (next: () => void) => {
        action = next;
        if (state.over) next();
      },
      cancel: () => cancel(),
    };
    const cancel = this.timers.after(ms, () => {
      state.over = true;
      action();
    });
    return state;
  }

  private gathered({ positions, count }: ChangeQuery): ChangePage {
    const changes: (Change & { readonly partition: number })[] = [];
    let bytes = 0;
    const partitions = [...this.feeds.keys()];
    // Each page begins with another partition, so that a busy one does not hold the others up.
    this.turn++;
    for (let i = 0; i < partitions.length; i++) {
      const partition = partitions[(i + this.turn) % partitions.length] as number;
      const feed = this.feeds.get(partition) as PartitionChanges;
      while (feed.hasMore && changes.length < count && bytes < pageBytesMax) {
        const change = feed.take();
        bytes += change.key.length + (change.value?.length ?? 0);
        changes.push({ ...change, partition });
      }
    }
    if (changes.length === 0) for (const { failure } of this.feeds.values()) if (failure) throw failure;
    const next = new Map<number, number>();
    for (const [partition, asked] of positions) {
      const feed = this.feeds.get(partition);
      if (feed) feed.told = feed.position;
      next.set(partition, feed?.told ?? asked);
    }
    return { changes, positions: next };
  }

  private follow({ namespace, watched, positions, filter, mayMiss }: ChangeQuery): void {
    const { topic, topicId } = watched;
    const asked = `${topic}@${topicId}|${filter.kind}|${filter.bytes.toString('latin1')}|${mayMiss}`;
    if (asked !== this.asked) for (const feed of this.feeds.values()) feed.close();
    if (asked !== this.asked) this.feeds.clear();
    this.asked = asked;
    const wanted = wantedBy(filter);
    const bytesMax = Math.max(partitionBytesMin, Math.floor(heldBytesMax / Math.max(1, positions.size)));
    for (const [partition, feed] of this.feeds) {
      if (positions.get(partition) === feed.told && !feed.failure) continue;
      feed.close();
      this.feeds.delete(partition);
    }
    for (const [partition, from] of positions) {
      if (this.feeds.has(partition)) continue;
      const { partitions, hashAlgorithm, recordFormat, hiddenAfterMs } = namespace.state;
      const place = { partition, partitions, hashAlgorithm, recordFormat, hiddenAfterMs };
      const watch = { log: this.log, topic, topicId, place, wanted, mayMiss, bytesMax };
      const onMore = (): void => this.wake?.();
      this.feeds.set(partition, new PartitionChanges({ ...watch, onMore }, from));
    }
  }
}

function wantedBy({ kind, bytes }: ChangeQuery['filter']): KeyFilter {
  if (kind === 'key') return (key) => key.equals(bytes);
  if (kind === 'prefix')
    return (key) => key.length >= bytes.length && key.compare(bytes, 0, bytes.length, 0, bytes.length) === 0;
  return () => true;
}
