import { asPartition, failureCode, type Logger, messageOf, pause, type Timers } from '@levee/kernel';
import type { Log, LogRecord } from '@levee/log';
import { nodeLimits } from '../node-limits';

/**
 * Records that a node would like to have in a topic, but never waits for: copies of bad records, digests. Bounded; an
 * append that fails is tried again, since a copy twice is harmless. What is too large together goes in parts; a record
 * that is too large alone is dropped, or it would hold back all behind it for ever.
 */
export class RecordOutbox {
  private waiting: LogRecord[] = [];
  private running = false;
  private readonly closing = new AbortController();
  /** Records of the next append. */
  private atOnce: number = recordsAtOnce;
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
    if (this.closing.signal.aborted || this.waiting.length >= nodeLimits.outboxRecordsMax) {
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
    this.waiting = [];
    this.closing.abort();
  }

  private async run(): Promise<void> {
    const { timers, logger } = this.options;
    this.running = true;
    while (this.waiting.length > 0) {
      const some = this.waiting.slice(0, this.atOnce);
      try {
        await this.log.append(this.topic, asPartition(0), some);
        this.waiting.splice(0, some.length);
        this.counts.appended += some.length;
        this.atOnce = recordsAtOnce;
      } catch (error) {
        this.counts.failures++;
        if (failureCode(error) === 'TOO_LARGE') {
          this.divide(some, error);
          continue;
        }
        logger.debug({ topic: this.topic, error: messageOf(error) }, 'copies of records wait');
        await pause(timers, nodeLimits.outboxRetryMs, this.closing.signal);
      }
    }
    this.running = false;
  }

  private divide(some: readonly LogRecord[], error: unknown): void {
    const [first] = some;
    if (some.length > 1 || first === undefined) {
      this.atOnce = Math.ceil(some.length / 2);
      return;
    }
    // It may have been closed meanwhile.
    if (this.waiting[0] === first) this.waiting.shift();
    this.counts.dropped++;
    this.atOnce = recordsAtOnce;
    this.options.logger.error(
      {
        topic: this.topic,
        key: first.key?.toString('latin1'),
        bytes: first.value?.length ?? 0,
        error: messageOf(error),
      },
      'a record is larger than its topic takes and is not copied; raise max.message.bytes of the topic',
    );
  }
}

const recordsAtOnce = 16;
