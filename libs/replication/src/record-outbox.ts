import { asPartition, type Logger, messageOf, type Timers } from '@levee/kernel';
import type { Log, LogRecord } from '@levee/log';
import { nodeLimits } from './node-limits';

/**
 * Records that a node would like to have in a topic, but never waits for: copies of bad records, digests. Bounded; an
 * append that fails is tried again, since a copy twice is harmless.
 */
export class RecordOutbox {
  private waiting: LogRecord[] = [];
  private running = false;
  private closed = false;
  private cancelPause: () => void = () => undefined;
  private counts = { appended: 0, dropped: 0, failures: 0 };

  constructor(
    private readonly log: Log,
    private readonly topic: string,
    private readonly options: { readonly timers: Timers; readonly logger: Logger },
  ) {}

  get stats(): { readonly appended: number; readonly dropped: number; readonly failures: number; waiting: number } {
    return { ...this.counts, waiting: this.waiting.length };
  }

  add(record: LogRecord): void {
    if (this.closed || this.waiting.length >= nodeLimits.outboxRecordsMax) {
      if (this.counts.dropped++ === 0)
        this.options.logger.warn(
          { topic: this.topic, waitingMax: nodeLimits.outboxRecordsMax },
          'too many records wait to be copied: dropping the newest; the binlog still has them',
        );
      return;
    }
    this.waiting.push(record);
    if (!this.running) void this.run();
  }

  /** Drops what is not under way. */
  close(): void {
    this.closed = true;
    this.waiting = [];
    this.cancelPause();
  }

  private async run(): Promise<void> {
    this.running = true;
    while (this.waiting.length > 0) {
      const some = this.waiting.slice(0, 16);
      try {
        await this.log.append(this.topic, asPartition(0), some);
        this.waiting.splice(0, some.length);
        this.counts.appended += some.length;
      } catch (error) {
        this.counts.failures++;
        this.options.logger.debug({ topic: this.topic, error: messageOf(error) }, 'copies of records wait');
        await new Promise<void>((resolve) => {
          const cancel = this.options.timers.after(nodeLimits.outboxRetryMs, resolve);
          this.cancelPause = () => {
            cancel();
            resolve();
          };
        });
      }
    }
    this.running = false;
  }
}
