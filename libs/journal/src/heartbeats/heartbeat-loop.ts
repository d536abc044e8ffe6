import { encode } from '@levee/codec';
import type { Heartbeat } from '@levee/events';
import { asPartition, type Clock, type Logger, messageOf, type Offset, type Timers } from '@levee/kernel';
import type { Log, LogHeader } from '@levee/log';
import { type JournalSeen, seenHeaders } from './heartbeat-known';

export interface HeartbeatOptions {
  readonly log: Log;
  readonly topic: string;
  readonly everyMs: number;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly logger: Logger;
  /** What this process has seen of the journal, told beside each heartbeat. */
  readonly seen?: () => JournalSeen;
  /** What it says besides. */
  readonly word?: () => LogHeader;
  /** One that was composed at these times of the own clocks is in the log. */
  readonly onLogged?: (composedAt: ComposedAt) => void;
}

export interface ComposedAt {
  readonly monotonicMs: number;
  readonly wallMs: number;
}

/** Failures in a row, and time without an answer, from which on the log counts as taking nothing. */
const trouble = { failures: 2, silentMs: 5_000 } as const;

/**
 * Says every `everyMs` that this process lives. One heartbeat is under way at a time: a slow log makes fewer of them,
 * never a queue.
 */
export class HeartbeatLoop {
  private stopped = false;
  private cancel: () => void = () => undefined;
  private under: Promise<void> = Promise.resolve();
  readonly counts = { sent: 0, failed: 0 };
  /** Where the last one stands in the log. */
  lastOffset: Offset | undefined;
  private failures = 0;
  private why = '';
  /** Since when the one under way waits, by the monotonic clock. */
  private sentAtMs: number | undefined;

  constructor(
    private readonly options: HeartbeatOptions,
    private readonly compose: () => Heartbeat,
  ) {}

  /** Why the log takes no heartbeats, and so nothing else of this process either; `undefined` while it takes them. */
  get problem(): string | undefined {
    if (this.failures >= trouble.failures) return this.why;
    if (this.sentAtMs === undefined) return undefined;
    const silentMs = Math.round(this.options.clock.monotonicMs() - this.sentAtMs);
    return silentMs > trouble.silentMs ? `it has not confirmed a heartbeat for ${silentMs} ms` : undefined;
  }

  start(): void {
    if (this.stopped) return;
    const startedMs = this.options.clock.monotonicMs();
    this.under = this.send().finally(() => {
      const tookMs = this.options.clock.monotonicMs() - startedMs;
      if (!this.stopped)
        this.cancel = this.options.timers.after(Math.max(1, this.options.everyMs - tookMs), () => this.start());
    });
  }

  /** One heartbeat; a failure is counted, the next one follows anyway. */
  async send(): Promise<void> {
    try {
      const beat = this.compose();
      const { seen, word, onLogged, clock } = this.options;
      const composedAt = { monotonicMs: clock.monotonicMs(), wallMs: clock.nowMs() };
      const headers = seen === undefined ? [] : seenHeaders(seen());
      if (word !== undefined) headers.push(word());
      const record = { key: Buffer.from(`${beat.kind}/${beat.id}`), value: encode('Heartbeat', beat), headers };
      this.sentAtMs = this.options.clock.monotonicMs();
      const { baseOffset } = await this.options.log.append(this.options.topic, asPartition(0), [record]);
      this.lastOffset = baseOffset;
      this.counts.sent++;
      this.failures = 0;
      onLogged?.(composedAt);
    } catch (error) {
      this.failures++;
      this.why = messageOf(error);
      if (this.counts.failed++ % 100 === 0)
        this.options.logger.warn({ error: messageOf(error) }, 'a heartbeat could not be sent');
    } finally {
      this.sentAtMs = undefined;
    }
  }

  async stop(): Promise<void> {
    this.stopped = true;
    this.cancel();
    await this.under;
    this.cancel();
  }
}
