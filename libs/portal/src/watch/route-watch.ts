import type { RouteFeed } from './route-feed';
import { aliveComment } from './server-event';

/** Where the events of one watcher go: a socket, or a test. */
export interface WatchReader {
  /** Never copies nor blocks. False: more waits than the reader takes now; `drained` is called once it has taken it. */
  write(bytes: Buffer): boolean;
  onDrain(drained: () => void): void;
  /** Nothing more is written; what was written is still sent. */
  end(): void;
  /** Hangs up at once. Harmless when it hung up before. */
  destroy(): void;
}

/**
 * One watcher of a feed. What it has not taken yet is never more than one event: while its reader is slow, changes
 * are not queued but looked up when it goes on, so that memory is bounded by the size of a table.
 */
export class RouteWatch {
  /** Version of the last event written. */
  private sent: number;
  private blockedAtMs: number | undefined;
  private over = false;

  constructor(
    private readonly reader: WatchReader,
    private readonly feed: RouteFeed,
    private readonly nowMs: () => number,
    known: number,
  ) {
    this.sent = known;
    reader.onDrain(() => {
      this.blockedAtMs = undefined;
      this.catchUp();
    });
  }

  /** Monotonic ms since which the reader takes nothing, `undefined` while it does. */
  get blockedSinceMs(): number | undefined {
    return this.blockedAtMs;
  }

  /** Writes what has changed since the last event, as one event, unless the reader is slow. */
  catchUp(): void {
    if (this.over || this.blockedAtMs !== undefined || this.sent >= this.feed.version) return;
    const event = this.feed.since(this.sent);
    this.sent = this.feed.version;
    this.write(event);
  }

  alive(): void {
    if (!this.over && this.blockedAtMs === undefined) this.write(aliveComment);
  }

  /** The last event, then nothing. */
  finish(event: Buffer): void {
    if (this.over) return;
    this.over = true;
    this.reader.write(event);
    this.reader.end();
  }

  hangUp(): void {
    this.over = true;
    this.reader.destroy();
  }

  write(bytes: Buffer): void {
    if (!this.reader.write(bytes)) this.blockedAtMs = this.nowMs();
  }
}
