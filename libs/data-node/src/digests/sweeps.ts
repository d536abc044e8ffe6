import { type Replica, sweepExpired } from '@levee/chunk-store';
import type { LogClock } from '@levee/follow';
import { type Clock, type Logger, messageOf, type Partition, type Timers } from '@levee/kernel';
import type { IoScheduler } from '../io/io-scheduler';
import { nodeLimits } from '../node-limits';
import type { Swept } from '../replica/replica-load';
import type { Retentions } from '../replica/retentions';

/** Whose keys are counted. */
export interface SweptReplica {
  readonly chunkId: string;
  readonly identity: { readonly binlog: string };
  readonly readable: boolean;
  readonly partitions: readonly Partition[];
  /** While it is open; another one after each rebuild. */
  readonly current: Replica | undefined;
  /** Fails while it is not open. */
  readonly replica: Replica;
  /** What the last sweep found. */
  swept: Swept;
  nextOffset(partition: number): number;
  /** The sweep met `error` in it; true when that is damage. */
  damagedBy(error: unknown): boolean;
}

export interface SweepsOptions {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly logger: Logger;
  readonly logClock: LogClock;
  readonly io: IoScheduler;
  readonly retentions: Retentions;
  readonly all: () => Iterable<SweptReplica>;
}

/** Counts the live keys of replicas and removes long expired ones: one replica after another, all of them in turns. */
export class Sweeps {
  /** Those whose database is new: what is told of them was counted in another one. */
  private readonly uncounted = new Set<SweptReplica>();
  private turn: Promise<void> = Promise.resolve();
  private cancelAll: () => void = () => undefined;
  private cancelSoon: () => void = () => undefined;
  private stopped = false;

  constructor(private readonly options: SweepsOptions) {}

  start(): void {
    this.allAfter(nodeLimits.sweepMs / 5);
  }

  stop(): void {
    this.stopped = true;
    this.cancelAll();
    this.cancelSoon();
  }

  /** The replica has become readable with a database that was never swept. */
  soon(hosted: SweptReplica): void {
    if (this.stopped) return;
    if (this.uncounted.size === 0)
      this.cancelSoon = this.options.timers.after(nodeLimits.sweepSoonMs, () => {
        const some = [...this.uncounted];
        this.uncounted.clear();
        void this.sweep(some);
      });
    this.uncounted.add(hosted);
  }

  /** Sweeps every replica where something happened since the last time. */
  sweepAll(): Promise<void> {
    return this.sweep([...this.options.all()]);
  }

  private allAfter(delayMs: number): void {
    if (this.stopped) return;
    this.cancelAll = this.options.timers.after(delayMs, () => {
      const startedMs = this.options.clock.monotonicMs();
      void this.sweepAll().finally(() => {
        const tookMs = this.options.clock.monotonicMs() - startedMs;
        this.allAfter(Math.max(nodeLimits.sweepMs, tookMs * nodeLimits.sweepShare));
      });
    });
  }

  private sweep(some: readonly SweptReplica[]): Promise<void> {
    this.turn = this.turn.then(async () => {
      for (const hosted of some) await this.sweepOne(hosted);
    });
    return this.turn;
  }

  private async sweepOne(hosted: SweptReplica): Promise<void> {
    const { logClock, logger, retentions, io } = this.options;
    const logNowMs = logClock.nowMs();
    if (this.stopped || logNowMs === undefined) return;
    await retentions.learn(hosted.identity.binlog).catch(() => undefined);
    if (!hosted.readable) return;
    const position = hosted.partitions.reduce((sum, partition) => sum + hosted.nextOffset(partition), 0);
    if (position === hosted.swept.atPosition && !hosted.swept.mayExpire) return;
    try {
      const { replica } = hosted;
      const { appliedBytes } = replica.space;
      const { liveKeys, expiringKeys, liveBytes, expiring } = await sweepExpired(replica, logNowMs, io.pace('sweep'));
      replica.space.swept(liveBytes, appliedBytes);
      // What was counted in a database that is closed says nothing of the one that came after it.
      if (hosted.current === replica)
        hosted.swept = { liveKeys, expiringKeys, liveBytes, atPosition: position, mayExpire: expiring > 0 };
    } catch (error) {
      if (this.stopped) return;
      logger.warn({ chunkId: hosted.chunkId, error: messageOf(error) }, 'a sweep failed');
      hosted.damagedBy(error);
    }
  }
}
