import type { NamespaceState } from '@levee/events';
import { type ClusterView, type HeartbeatView, ownPartitions } from '@levee/journal';
import {
  type Clock,
  type Histogram,
  type Logger,
  messageOf,
  type Offset,
  type Partition,
  Pause,
  type Timers,
} from '@levee/kernel';
import type { Log } from '@levee/log';
import type { Reign } from '../reign';
import { BarrierTrail, type BarrierTrailStats } from './barrier-trail';
import { writeBarriers, type BarrierNumbers } from './barriers';

export const barrierLimits = {
  /** Default time between two barriers of a partition that is written to, in ms. */
  everyMs: 5_000,
  /** Namespaces looked at together. */
  namespacesAtOnce: 8,
} as const;

export interface BarrierRhythmOptions {
  readonly reign: Pick<Reign, 'isOver'>;
  readonly heartbeats: HeartbeatView;
  readonly numbers: BarrierNumbers;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly logger: Logger;
  readonly everyMs: number;
}

export interface BarrierStats extends BarrierTrailStats {
  /** How often all namespaces were looked at. */
  readonly looks: number;
  readonly written: number;
  readonly failed: number;
}

/**
 * While its master reigns, puts a barrier into every partition that was written to since the last one: the log's clock
 * for replicas, and a heartbeat through the whole data plane. A partition at rest gets none, or they alone would keep
 * compaction and every replica busy.
 */
export class BarrierRhythm {
  private readonly stopping = new AbortController();
  private readonly pause: Pause;
  private readonly trail: BarrierTrail;
  /** By binlog: where each partition ended when it was last looked at, behind our own barrier. */
  private readonly seen = new Map<string, Map<Partition, Offset>>();
  private readonly counts = { looks: 0, written: 0, failed: 0 };
  private number = 0;

  constructor(
    private readonly log: Log,
    private readonly view: ClusterView,
    private readonly options: BarrierRhythmOptions,
  ) {
    this.pause = new Pause(options.timers, this.stopping.signal);
    this.trail = new BarrierTrail(view, options.heartbeats, options.clock);
  }

  start(): void {
    void this.run();
  }

  /** An append that hangs is not waited for: it ends with the log. */
  stop(): void {
    this.stopping.abort();
    this.trail.close();
  }

  get times(): Histogram {
    return this.trail.times;
  }

  stats(): BarrierStats {
    return { ...this.counts, ...this.trail.stats() };
  }

  private get isOver(): boolean {
    return this.stopping.signal.aborted || this.options.reign.isOver;
  }

  private async run(): Promise<void> {
    const { clock, everyMs } = this.options;
    while (!this.isOver) {
      const beganAtMs = clock.monotonicMs();
      await this.pass();
      await this.pause.for(Math.max(1, everyMs - (clock.monotonicMs() - beganAtMs)));
    }
  }

  private async pass(): Promise<void> {
    const active = [...this.view.state.namespaces()].filter(
      // Nothing is written into topics of others (I23).
      ({ state, sourceTopic }) => state === 'active' && sourceTopic === null,
    );
    const binlogs = new Set(active.map(({ binlog }) => binlog));
    for (const binlog of this.seen.keys()) if (!binlogs.has(binlog)) this.seen.delete(binlog);
    this.number = this.options.numbers.next();
    for (let at = 0; at < active.length && !this.isOver; at += barrierLimits.namespacesAtOnce)
      await Promise.all(active.slice(at, at + barrierLimits.namespacesAtOnce).map((each) => this.passOne(each)));
    this.counts.looks++;
    this.trail.look();
  }

  private async passOne(namespace: NamespaceState): Promise<void> {
    const { clusterId } = this.view;
    if (clusterId === undefined) return;
    try {
      const bounds = await ownPartitions(this.log, namespace);
      const before = this.seen.get(namespace.binlog);
      const ends = new Map(bounds.map(({ partition, endOffset }) => [partition, endOffset]));
      this.seen.set(namespace.binlog, ends);
      // What was written before this reign is not news; in a namespace made since, all is but the Genesis record.
      if (before === undefined && this.counts.looks === 0) return;
      const partitions = [...ends].flatMap(([partition, end]) =>
        end > (before?.get(partition) ?? 1) ? partition : [],
      );
      if (partitions.length === 0 || this.isOver) return;
      const request = { clusterId, namespace, partitions, number: this.number, nowMs: this.options.clock.nowMs() };
      const beganAtMs = this.options.clock.monotonicMs();
      const written = await writeBarriers(this.log, request);
      for (const [partition, offset] of written) {
        // Whatever was written between the look and the barrier belongs before it.
        ends.set(partition, (offset + 1) as Offset);
        this.trail.add({
          namespace: namespace.name,
          number: namespace.number,
          partition,
          offset,
          writtenMonotonicMs: beganAtMs,
        });
      }
      this.counts.written += written.size;
    } catch (error) {
      this.counts.failed++;
      const { name } = namespace;
      this.options.logger.debug({ namespace: name, error: messageOf(error) }, 'a barrier was not written');
    }
  }
}
