import type { NodeDisk } from '@levee/chunk-store';
import { ByteRate, type Clock, type Logger, messageOf, type Timers } from '@levee/kernel';
import type { IoScheduler } from '../io/io-scheduler';
import type { ReplicaCounts } from '../replica/replica-load';

export const scrubLimits = {
  /** New tables are looked at so soon. */
  everyMs: 10_000,
  /** What was looked at longer ago is looked at again; with what the look takes, each file about once an hour. */
  againMs: 30 * 60_000,
  /** Most bytes a second that it reads. */
  bytesPerSecond: 32 << 20,
  /** Tables in one request to the disk. */
  tablesAtOnce: 16,
} as const;

/** Whose files are looked at. */
export interface ScrubbedReplica {
  readonly chunkId: string;
  readonly identity: { readonly unitId: string; readonly generation: number };
  readonly rebuilds: number;
  readonly counts: Pick<ReplicaCounts, 'recordsApplied'>;
  /** The look met `error` in it; true when that is damage. */
  damagedBy(error: unknown): boolean;
}

export interface ScrubWorld {
  readonly disk: NodeDisk;
  readonly all: () => Iterable<ScrubbedReplica>;
  readonly io: IoScheduler;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly logger: Logger;
}

/**
 * Looks for damage without being asked: at every table soon after LevelDB made it, and at all files of every replica
 * again and again, since what nobody reads goes bad as well (I19).
 */
export class Scrub {
  readonly counts = { tables: 0, bytes: 0, damaged: 0 };
  private readonly stopping = new AbortController();
  private readonly rate: ByteRate;
  /** What a replica had applied when it was last looked at. */
  private readonly seenAt = new WeakMap<ScrubbedReplica, string>();
  /** All files of these are looked at in the next round, however lately they were. */
  private readonly wanted = new WeakSet<ScrubbedReplica>();
  private running: Promise<void> = Promise.resolve();
  private cancel: () => void = () => undefined;

  constructor(private readonly world: ScrubWorld) {
    this.rate = new ByteRate(scrubLimits.bytesPerSecond, world.clock, world.timers);
  }

  start(): void {
    if (this.stopping.signal.aborted) return;
    this.cancel = this.world.timers.after(scrubLimits.everyMs, () => {
      this.running = this.round().finally(() => this.start());
    });
  }

  async stop(): Promise<void> {
    this.stopping.abort();
    this.cancel();
    await this.running;
  }

  /** What the replica holds is being compared: its files are to be looked at as well, in the next round. */
  soon(hosted: ScrubbedReplica): void {
    this.wanted.add(hosted);
  }

  /** Milliseconds since the file was looked at that waits longest for the next look; 0 when there is none. */
  get oldestMs(): number {
    const { all, clock } = this.world;
    const nowMs = clock.monotonicMs();
    let oldest = nowMs;
    for (const hosted of all()) oldest = Math.min(oldest, this.checkedAtMs(hosted) ?? nowMs);
    return Math.round(nowMs - oldest);
  }

  /** One look at everything that is new or due. */
  async round(): Promise<void> {
    for (const hosted of [...this.world.all()]) {
      if (this.stopping.signal.aborted) return;
      const againMs = this.wanted.delete(hosted) ? 0 : scrubLimits.againMs;
      const dueMs = this.world.clock.monotonicMs() - againMs;
      const checkedAtMs = this.checkedAtMs(hosted);
      if (checkedAtMs === undefined) continue;
      const at = `${hosted.rebuilds}/${hosted.counts.recordsApplied}`;
      if (this.seenAt.get(hosted) === at && checkedAtMs >= dueMs) continue;
      await this.look(hosted, dueMs);
      this.seenAt.set(hosted, at);
    }
  }

  private async look(hosted: ScrubbedReplica, sinceMs: number): Promise<void> {
    const { disk, io, logger } = this.world;
    const { unitId, generation } = hosted.identity;
    const { signal } = this.stopping;
    const { rate } = this;
    const turns = io.pace('sweep');
    const pace = {
      ...turns,
      giveWay: async (bytes: number): Promise<void> => {
        await rate.pass(bytes, signal);
        await turns.giveWay?.(bytes);
      },
    };
    try {
      for (let left = true; left && !signal.aborted;) {
        const found = await disk.scrub(unitId, generation, { sinceMs, tablesMax: scrubLimits.tablesAtOnce, pace });
        this.counts.tables += found?.checked.length ?? 0;
        this.counts.bytes += found?.bytes ?? 0;
        left = found?.checked.length === scrubLimits.tablesAtOnce;
      }
    } catch (error) {
      if (signal.aborted) return;
      const { chunkId } = hosted;
      if (hosted.damagedBy(error)) this.counts.damaged++;
      else logger.warn({ chunkId, unitId, error: messageOf(error) }, 'the files of a replica could not be looked at');
    }
  }

  private checkedAtMs({ identity: { unitId, generation } }: ScrubbedReplica): number | undefined {
    return this.world.disk.oldestCheckMs(unitId, generation);
  }
}
