import { absentNamespace } from '@levee/client';
import type { ClusterEvent, ClusterState } from '@levee/cluster';
import { Failure, failureCode, type Clock, type Timers } from '@levee/kernel';
import { feedKey, RouteFeed } from './route-feed';
import { RouteWatch, type WatchReader } from './route-watch';
import { serverEvent } from './server-event';
import { checkWatchLimits, watchLimits, type WatchLimits } from './watch-limits';

/** What watches need of `ClusterView`. */
export interface WatchedView {
  readonly state: ClusterState;
  onDecision(listener: (adopted: { readonly events: readonly ClusterEvent[] }) => void): () => void;
  until<T>(look: () => T | undefined, deadlineMs: number, what: string): Promise<T>;
}

/**
 * Everybody who watches routes at this portal, as server-sent events: `metaChange` (its id is the version), and one
 * of `deleted`, `slow`, `stopping` as the last one.
 */
export class RouteWatches {
  private readonly feeds = new Map<string, RouteFeed>();
  private readonly limits: WatchLimits;
  private readonly unsubscribe: () => void;
  private watchers = 0;
  private cut = 0;
  private lookScheduled = false;
  private cancelAlive: (() => void) | undefined;
  /** Of those who got their last event and have not hung up yet. */
  private readonly hangUps = new Map<RouteWatch, () => void>();
  private closed = false;

  constructor(
    private readonly view: WatchedView,
    private readonly world: { readonly clock: Clock; readonly timers: Timers },
    limits: Partial<WatchLimits> = {},
  ) {
    this.limits = { ...watchLimits, ...limits };
    checkWatchLimits(this.limits);
    this.unsubscribe = view.onDecision(({ events }) => this.decided(events));
  }

  stats(): Readonly<Record<string, number>> {
    return { watchers: this.watchers, slowCut: this.cut };
  }

  /**
   * Watches a namespace for a reader that knows `known` (`undefined`: nothing). Whoever knows less than is in force
   * gets the whole table first; whoever knows the newest only what comes. Nothing is written to the reader before the
   * promise resolves with `leave`, to be called when it hangs up, except by what it returns.
   * Fails with LVNAMESPACE, LIMIT, STOPPING, VERSION_FROM_FUTURE.
   */
  async open(namespace: string, known: number | undefined): Promise<(reader: WatchReader) => () => void> {
    this.refuseIfFull();
    const feed = this.feedOf(namespace);
    if (known !== undefined && known > feed.version) await this.untilKnown(feed, known);
    return (reader) => this.begin(feed, reader, known);
  }

  /** Ends every stream with `stopping`. */
  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.unsubscribe();
    this.cancelAlive?.();
    const message = 'this portal is stopping: go on at another one, with the last id';
    for (const feed of this.feeds.values()) this.finishAll(feed, serverEvent('stopping', { message }));
  }

  private refuseIfFull(): void {
    if (this.closed) throw new Failure('STOPPING', 'this portal is stopping: watch at another one');
    const { watchersMax } = this.limits;
    if (this.watchers < watchersMax) return;
    const message = `${this.watchers} watchers are connected, at most ${watchersMax} may: watch at another portal`;
    throw new Failure('LIMIT', message);
  }

  private begin(found: RouteFeed, reader: WatchReader, known: number | undefined): () => void {
    this.refuseIfFull();
    // Another watcher may have begun the same feed meanwhile.
    const feed = this.feeds.get(found.key) ?? found;
    // Less than the newest is as good as nothing: what was missed comes as a whole.
    const from = known !== undefined && known >= feed.version ? known : 0;
    const watch = new RouteWatch(reader, feed, () => this.world.clock.monotonicMs(), from);
    this.feeds.set(feed.key, feed);
    feed.watches.add(watch);
    this.watchers++;
    watch.write(Buffer.from('retry: 1000\n\n'));
    watch.catchUp();
    this.aliveLater();
    return () => this.leave(feed, watch);
  }

  private leave(feed: RouteFeed, watch: RouteWatch): void {
    this.hangUps.get(watch)?.();
    this.hangUps.delete(watch);
    if (!feed.watches.delete(watch)) return;
    this.watchers--;
    if (feed.watches.size === 0) this.feeds.delete(feed.key);
  }

  /** Fails with LVNAMESPACE. */
  private feedOf(name: string): RouteFeed {
    const namespace = this.view.state.namespace(name);
    const feed =
      namespace &&
      (this.feeds.get(feedKey(name, namespace.number)) ?? new RouteFeed(name, namespace.number, () => this.view.state));
    if (feed?.exists) return feed;
    throw absentNamespace(this.view.state, name.slice(0, 200));
  }

  /** Another portal may be ahead by a moment. */
  private async untilKnown(feed: RouteFeed, known: number): Promise<void> {
    const look = (): true | undefined => {
      feed.look();
      return feed.version >= known ? true : undefined;
    };
    try {
      await this.view.until(look, this.limits.futureMs, `version ${known} of ${feed.namespace}`);
    } catch (error) {
      if (failureCode(error) !== 'DEADLINE') throw error;
      throw new Failure(
        'VERSION_FROM_FUTURE',
        `version ${known} of ${feed.namespace} is above ${feed.version}, the highest known here: this portal lags, or ` +
          'the version is of another cluster; watch without one',
      );
    }
  }

  private decided(events: readonly ClusterEvent[]): void {
    if (this.feeds.size === 0 || this.lookScheduled || !events.some(touchesRoutes)) return;
    this.lookScheduled = true;
    setImmediate(() => {
      this.lookScheduled = false;
      if (!this.closed) this.lookAll();
    });
  }

  private lookAll(): void {
    for (const feed of [...this.feeds.values()]) {
      if (feed.exists) feed.look();
      else this.finishAll(feed, serverEvent('deleted', { change: 'deleted', namespace: feed.namespace }));
    }
  }

  private finishAll(feed: RouteFeed, event: Buffer): void {
    for (const watch of [...feed.watches]) this.finish(feed, watch, event);
  }

  private finish(feed: RouteFeed, watch: RouteWatch, event: Buffer): void {
    this.leave(feed, watch);
    watch.finish(event);
    this.hangUps.set(
      watch,
      this.world.timers.after(this.limits.lastEventMs, () => watch.hangUp()),
    );
  }

  private aliveLater(): void {
    if (this.cancelAlive !== undefined || this.closed) return;
    this.cancelAlive = this.world.timers.after(this.limits.aliveMs, () => {
      this.cancelAlive = undefined;
      this.lookForSlow();
      if (this.watchers > 0) this.aliveLater();
    });
  }

  private lookForSlow(): void {
    const { slowMs } = this.limits;
    const nowMs = this.world.clock.monotonicMs();
    const message = `nothing was read for ${slowMs} ms: connect again, with the last id`;
    for (const feed of [...this.feeds.values()])
      for (const watch of [...feed.watches]) {
        const { blockedSinceMs } = watch;
        if (blockedSinceMs === undefined || nowMs - blockedSinceMs < slowMs) watch.alive();
        else {
          this.cut++;
          this.finish(feed, watch, serverEvent('slow', { message }));
        }
      }
  }
}

function touchesRoutes(event: ClusterEvent): boolean {
  if (event.kind === 'removed') return ['namespace', 'node', 'route'].includes(event.entity.entity);
  return event.kind === 'namespace' || event.kind === 'node' || event.kind === 'route';
}
