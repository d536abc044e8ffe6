import { firstBatch, followLimits, type LogClock } from '@levee/follow';
import type { HeartbeatLoop } from '@levee/journal';
import { asPartition, type Clock, type Logger, messageOf, pause, type Timers } from '@levee/kernel';
import type { Log } from '@levee/log';
import { nodeLimits } from '../node-limits';

export interface LogTimeOptions {
  readonly log: Log;
  /** Topic of the heartbeats. */
  readonly topic: string;
  readonly heartbeats: Pick<HeartbeatLoop, 'send' | 'lastOffset'>;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly logger: Logger;
}

/** Keeps a log clock right by the append times of own heartbeats: the log's own time, whatever this machine's clock says. */
export class LogTime {
  private readonly stopping = new AbortController();

  constructor(
    private readonly logClock: LogClock,
    private readonly options: LogTimeOptions,
  ) {}

  /** Resolves when the log has told its time, or after `stop`. */
  async known(): Promise<void> {
    const { heartbeats, timers } = this.options;
    const { signal } = this.stopping;
    while (!signal.aborted && this.logClock.nowMs() === undefined) {
      await heartbeats.send();
      await this.read();
      if (this.logClock.nowMs() === undefined) await pause(timers, followLimits.feedRetryMinMs * 4, signal);
    }
  }

  /**
   * Reads the time now and then, while heartbeats are sent, and at once when this machine seems to have slept: its
   * monotonic clock stands still then, and a tombstone may be gone that seems to have been written a moment ago.
   */
  async watch(): Promise<void> {
    const { signal } = this.stopping;
    const { clock, timers, heartbeats, logger } = this.options;
    const distance = (): number => clock.nowMs() - clock.monotonicMs();
    let apart = distance();
    let readAtMs = clock.monotonicMs();
    while (!signal.aborted) {
      await pause(timers, nodeLimits.sleepLookMs, signal);
      if (signal.aborted) return;
      const now = distance();
      if (Math.abs(now - apart) > nodeLimits.sleepMsMin) {
        logger.warn(
          { byMs: Math.round(now - apart) },
          'the clocks moved apart: did this machine sleep? asking the log',
        );
        this.logClock.doubt();
      }
      apart = now;
      if (this.logClock.doubted) {
        // One that is appended now: the last one may be from before.
        const before = heartbeats.lastOffset;
        await heartbeats.send();
        if (heartbeats.lastOffset !== before) await this.read((atMs) => this.logClock.settle(atMs));
      } else if (clock.monotonicMs() - readAtMs >= nodeLimits.logClockMs) {
        readAtMs = clock.monotonicMs();
        await this.read();
      }
    }
  }

  stop(): void {
    this.stopping.abort();
  }

  /** Tells the clock when the last heartbeat was appended, if the log says it. */
  private async read(tell = (atMs: number): void => this.logClock.observe(atMs)): Promise<void> {
    const { log, topic, heartbeats, logger } = this.options;
    const nextOffset = heartbeats.lastOffset;
    if (nextOffset === undefined) return;
    const at = { topic, partition: asPartition(0), from: { nextOffset, leaderEpoch: -1 } };
    const options = { signal: this.stopping.signal, bytesMax: 4096, idleMs: 100, unavailableMs: 2_000 };
    try {
      const record = (await firstBatch(log, at, options))?.records[0];
      if (record !== undefined) tell(record.timestampMs);
    } catch (error) {
      logger.debug({ error: messageOf(error) }, 'the time of the log could not be read');
    }
  }
}
