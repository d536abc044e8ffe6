import { decodeAs } from '@levee/codec';
import type { Heartbeat } from '@levee/events';
import { asPartition, type Clock, type Logger, messageOf, type Timers } from '@levee/kernel';
import { endOf, followTopic, type Log, type LogBatch } from '@levee/log';
import type { ControlTopics } from '../topics/control-topics';
import { readSeen, type JournalSeen } from './heartbeat-known';

export type HeartbeatKind = Heartbeat['kind'];

/** What one process said last. */
export interface LatestHeartbeat {
  /** The newest heartbeat; its positions and loads are empty in nine of ten. */
  readonly beat: Heartbeat;
  /** When it was read, by this process's monotonic clock. */
  readonly receivedMonotonicMs: number;
  /** The newest positions of this run of the process; empty until the first were heard. */
  readonly positions: Heartbeat['positions'];
  /** Came with those positions. */
  readonly loads: Heartbeat['loads'];
  /** What the sender has seen of the journal; `undefined` = it does not say. */
  readonly seen: JournalSeen | undefined;
  /** When the positions were read; `undefined` = none of this run were. */
  readonly positionsMonotonicMs: number | undefined;
}

const heartbeatViewLimits = {
  retryMs: 250,
  idleMs: 200,
  /** Each process says something every 300 ms: asked for one by one, they would be a request each for every listener. */
  gatherMs: 100,
  /** More processes than this are not remembered: the ones silent longest are forgotten. */
  processesMax: 4_096,
  /** A process silent for so long is forgotten. */
  forgetMs: 600_000,
} as const;

/**
 * The last heartbeat of every process, from the moment of `start` on. Soft state: it says what was heard, not who
 * lives. Silence counts only up to `atEndMonotonicMs`: a reader that is behind, or cut off, has heard no silence.
 */
export class HeartbeatView {
  private readonly processes = new Map<string, LatestHeartbeat>();
  private readonly listeners = new Set<(beat: Heartbeat) => void>();
  private readonly stopping = new AbortController();
  private running: Promise<void> | undefined;
  private atEndMs: number | undefined;
  /** Since when it has stood at the end, again and again. */
  private listensSinceMs: number | undefined;
  private readonly kindHeardMs = new Map<HeartbeatKind, number>();
  private trouble: string | undefined = 'the heartbeats were not read yet';

  constructor(
    private readonly log: Log,
    private readonly topics: Pick<ControlTopics, 'heartbeats'>,
    private readonly options: { readonly clock: Clock; readonly timers: Timers; readonly logger: Logger },
  ) {}

  /** Begins to read at the topic's end; waits for the topic, however long, until `close`. */
  start(): void {
    this.running ??= this.run();
  }

  async close(): Promise<void> {
    this.stopping.abort();
    this.listeners.clear();
    await this.running;
  }

  /** `undefined`: not heard of since the start, or forgotten. */
  latest(kind: HeartbeatKind, id: string): LatestHeartbeat | undefined {
    return this.processes.get(keyOf(kind, id));
  }

  /** Every process heard of, or those of one kind; the one silent longest first. */
  *all(kind?: HeartbeatKind): IterableIterator<LatestHeartbeat> {
    for (const latest of this.processes.values()) if (kind === undefined || latest.beat.kind === kind) yield latest;
  }

  /**
   * For how long the process was silent while this view listened, in ms; `undefined`: never heard of, or this view does
   * not listen at the moment.
   */
  silentMs(kind: HeartbeatKind, id: string): number | undefined {
    const latest = this.latest(kind, id);
    if (latest === undefined || this.atEndMs === undefined) return undefined;
    return Math.max(0, this.atEndMs - latest.receivedMonotonicMs);
  }

  /** For how long no process of this kind was heard while this view listened, in ms; `undefined`: it does not listen. */
  kindSilentMs(kind: HeartbeatKind): number | undefined {
    if (this.atEndMs === undefined || this.listensSinceMs === undefined) return undefined;
    const lastMs = this.kindHeardMs.get(kind) ?? -Infinity;
    return Math.max(0, this.atEndMs - Math.max(this.listensSinceMs, lastMs));
  }

  /** When this view last stood at the topic's end, by the monotonic clock; `undefined` while it is behind. */
  get atEndMonotonicMs(): number | undefined {
    return this.atEndMs;
  }

  /** Why nothing is heard, in words. */
  get problem(): string | undefined {
    return this.trouble;
  }

  /** Called with each heartbeat after it was taken; the returned function ends it. A listener that throws is logged. */
  onHeartbeat(listener: (beat: Heartbeat) => void): () => void {
    this.listeners.add(listener);
    return () => void this.listeners.delete(listener);
  }

  private async run(): Promise<void> {
    const heartbeats = { topic: this.topics.heartbeats, partition: asPartition(0) };
    const { logger, timers } = this.options;
    await followTopic(this.log, heartbeats, {
      signal: this.stopping.signal,
      timers,
      tail: () => ({ idleMs: heartbeatViewLimits.idleMs, gatherMs: heartbeatViewLimits.gatherMs }),
      retryMs: () => heartbeatViewLimits.retryMs,
      start: () => endOf(this.log, heartbeats),
      onBatch: (batch) => this.take(batch),
      onFailure: ({ error }) => {
        this.notListening();
        this.trouble = `the heartbeats cannot be followed: ${messageOf(error)}`;
        logger.debug({ error }, 'the heartbeats cannot be followed; trying again');
        return 'again';
      },
    });
    this.notListening();
  }

  private notListening(): void {
    this.atEndMs = undefined;
    this.listensSinceMs = undefined;
  }

  private take(batch: LogBatch): void {
    const nowMs = this.options.clock.monotonicMs();
    this.trouble = undefined;
    for (const { value, headers } of batch.records) if (value !== null) this.hear(value, readSeen(headers), nowMs);
    this.atEndMs = batch.nextOffset >= batch.endOffset ? nowMs : undefined;
    this.listensSinceMs ??= this.atEndMs;
    for (const [key, { receivedMonotonicMs }] of this.processes) {
      const isOld = nowMs - receivedMonotonicMs > heartbeatViewLimits.forgetMs;
      if (!isOld && this.processes.size <= heartbeatViewLimits.processesMax) break;
      this.processes.delete(key);
    }
  }

  private hear(value: Buffer, seen: JournalSeen | undefined, nowMs: number): void {
    let beat: Heartbeat;
    try {
      beat = decodeAs('Heartbeat', value);
    } catch (error) {
      this.options.logger.debug({ error }, 'a heartbeat cannot be read');
      return;
    }
    const key = keyOf(beat.kind, beat.id);
    const before = this.processes.get(key);
    const same = before?.beat.incarnation === beat.incarnation ? before : undefined;
    const fresh = beat.positions.length > 0 || beat.loads.length > 0;
    this.kindHeardMs.set(beat.kind, nowMs);
    // Taken out first, so that the map stays ordered by time heard.
    this.processes.delete(key);
    this.processes.set(key, {
      beat,
      receivedMonotonicMs: nowMs,
      seen,
      positions: fresh ? beat.positions : (same?.positions ?? []),
      loads: fresh ? beat.loads : (same?.loads ?? []),
      positionsMonotonicMs: fresh ? nowMs : same?.positionsMonotonicMs,
    });
    for (const listener of this.listeners)
      try {
        listener(beat);
      } catch (error) {
        this.options.logger.error({ error }, 'a listener to heartbeats failed');
      }
  }
}

const keyOf = (kind: HeartbeatKind, id: string): string => `${kind}/${id}`;
