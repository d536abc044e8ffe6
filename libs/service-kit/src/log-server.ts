import { Server, type CustomTransportStrategy } from '@nestjs/microservices';
import { lastValueFrom } from 'rxjs';
import { Failure, failureCode, type Logger, type Partition, pause, type Timers } from '@levee/kernel';
import {
  type AfterFailure,
  boundsOf,
  type FollowedPlace,
  followTopic,
  type Log,
  type LogBatch,
  type LogPosition,
} from '@levee/log';
import { LogContext } from './log-context';

export interface LogServerOptions {
  /** The topic that `@EventPattern(pattern)` or `@MessagePattern(pattern)` means. */
  readonly topicOf: (pattern: string) => string;
  /** Where reading begins; may wait until that is known. */
  readonly from: (topic: string, partition: Partition) => Promise<LogPosition>;
  readonly logger: Logger;
  readonly timers: Timers;
}

export const logServerLimits = {
  retryMs: 250,
  idleMs: 500,
  /** What fails again in the same way is said once in so many attempts: about every 10 s. */
  saidEvery: 40,
} as const;

/**
 * The log as a Nest microservice transport. A method gets whole batches, in order, one at a time per partition: the
 * records first, a `LogContext` second. Its promise is waited for before the next batch, which is the back-pressure;
 * when it throws, the same records come again, so methods are idempotent and nothing is skipped. Where a reader stands is
 * not kept here: what a batch led to knows it.
 */
export class LogServer extends Server implements CustomTransportStrategy {
  override transportId = Symbol('LEVEE_LOG');
  private readonly stopping = new AbortController();
  private readonly loops: Promise<void>[] = [];

  constructor(
    private readonly log: Log,
    private readonly options: LogServerOptions,
  ) {
    super();
  }

  listen(callback: (error?: unknown) => void): void {
    for (const pattern of this.messageHandlers.keys()) this.loops.push(this.serve(pattern));
    callback();
  }

  async close(): Promise<void> {
    this.stopping.abort();
    await Promise.all(this.loops);
  }

  on(): never {
    throw new Failure('NOT_SUPPORTED', 'the log transport has no events of its own');
  }

  unwrap<T>(): T {
    return this.log as T;
  }

  private async serve(pattern: string): Promise<void> {
    const topic = this.options.topicOf(pattern);
    const partitions = await this.partitionsOf(topic);
    await Promise.all(partitions.map((partition) => this.follow(pattern, { topic, partition })));
  }

  /** Waits for the topic, however long; none when the transport was closed first. */
  private async partitionsOf(topic: string): Promise<readonly Partition[]> {
    for (let times = 1; !this.stopping.signal.aborted; times++)
      try {
        return (await this.log.offsets(topic)).map(({ partition }) => partition);
      } catch (error) {
        this.say(topic, error, times);
        await pause(this.options.timers, logServerLimits.retryMs, this.stopping.signal);
      }
    return [];
  }

  private follow(pattern: string, at: FollowedPlace): Promise<void> {
    return followTopic(this.log, at, {
      signal: this.stopping.signal,
      timers: this.options.timers,
      tail: () => ({ idleMs: logServerLimits.idleMs }),
      retryMs: () => logServerLimits.retryMs,
      start: (reached) => reached ?? this.options.from(at.topic, at.partition),
      onBatch: (batch) => (batch.records.length === 0 ? undefined : this.deliver(pattern, batch)),
      onFailure: ({ error, of, times }) => {
        this.say(at.topic, error, times);
        return of === 'log' && failureCode(error) === 'OFFSET_OUT_OF_RANGE' ? this.startOf(at) : 'again';
      },
    });
  }

  /** Retention has removed what we stood at: go on with what there is. */
  private async startOf(at: FollowedPlace): Promise<AfterFailure> {
    try {
      const { startOffset } = await boundsOf(this.log, at);
      this.options.logger.warn({ ...at, startOffset }, 'reading on at the start of the partition');
      return { nextOffset: startOffset, leaderEpoch: -1 };
    } catch {
      return 'again';
    }
  }

  private async deliver(pattern: string, batch: LogBatch): Promise<void> {
    const handler = this.getHandlerByPattern(pattern);
    if (handler === null) return;
    const result = this.transformToObservable(await handler(batch.records, new LogContext(batch)));
    await lastValueFrom(result, { defaultValue: undefined });
  }

  private say(topic: string, error: unknown, times: number): void {
    if (times % logServerLimits.saidEvery !== 1) return;
    const level = failureCode(error) === 'TOPIC_MISSING' ? 'debug' : 'error';
    this.options.logger[level]({ error, topic, times }, 'a batch of the log could not be delivered; trying again');
  }
}
