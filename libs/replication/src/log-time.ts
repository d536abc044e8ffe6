import { asPartition, type Logger, messageOf, type Timers } from '@levee/kernel';
import type { Log } from '@levee/log';
import { pause } from './copy/byte-rate';
import type { HeartbeatLoop } from './heartbeat-loop';
import type { LogClock } from './log-clock';
import { nodeLimits } from './node-limits';

export interface LogTimeOptions {
  readonly log: Log;
  /** Topic of the heartbeats. */
  readonly topic: string;
  readonly heartbeats: HeartbeatLoop;
  readonly timers: Timers;
  readonly logger: Logger;
}

/** Keeps a log clock right by the append times of own heartbeats: the log's own time, whatever this machine's clock says. */
export class LogTime {
  private readonly stopping = new AbortController();

  constructor(
    private readonly clock: LogClock,
    private readonly options: LogTimeOptions,
  ) {}

  /** Resolves when the log has told its time, or after `stop`. */
  async known(): Promise<void> {
    const { heartbeats, timers } = this.options;
    const { signal } = this.stopping;
    while (!signal.aborted && this.clock.nowMs() === undefined) {
      await heartbeats.send();
      await this.read();
      if (this.clock.nowMs() === undefined) await pause(timers, nodeLimits.feedRetryMinMs * 4, signal);
    }
  }

  /** Reads the time now and then, while heartbeats are sent. */
  async watch(): Promise<void> {
    const { signal } = this.stopping;
    while (!signal.aborted) {
      await pause(this.options.timers, nodeLimits.logClockMs, signal);
      if (!signal.aborted) await this.read();
    }
  }

  stop(): void {
    this.stopping.abort();
  }

  private async read(): Promise<void> {
    const { log, topic, heartbeats, logger } = this.options;
    const nextOffset = heartbeats.lastOffset;
    if (nextOffset === undefined) return;
    const done = new AbortController();
    const signal = AbortSignal.any([done.signal, this.stopping.signal]);
    const options = { signal, bytesMax: 4096, idleMs: 100, unavailableMs: 2_000 };
    try {
      for await (const { records } of log.tail(topic, asPartition(0), { nextOffset, leaderEpoch: -1 }, options)) {
        const record = records[0];
        if (record !== undefined) this.clock.observe(record.timestampMs);
        return;
      }
    } catch (error) {
      logger.debug({ error: messageOf(error) }, 'the time of the log could not be read');
    } finally {
      done.abort();
    }
  }
}
