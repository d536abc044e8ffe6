import { Server, type CustomTransportStrategy } from '@nestjs/microservices';
import { lastValueFrom } from 'rxjs';
import {
  asPartition,
  Failure,
  failureCode,
  type Logger,
  messageOf,
  type Partition,
  pause,
  type Timers,
} from '@levee/kernel';
import type { Log, LogBatch, LogPosition } from '@levee/log';
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
 * when it throws, the same batch comes again, so methods are idempotent and nothing is skipped. Where a reader stands is
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
    const partitions = await this.retried(topic, async () => {
      const bounds = await this.log.offsets(topic);
      return bounds.map(({ partition }) => partition);
    });
    await Promise.all((partitions ?? [asPartition(0)]).map((partition) => this.follow(pattern, { topic, partition })));
  }

  private async follow(pattern: string, at: { topic: string; partition: Partition }): Promise<void> {
    let position = await this.retried(at.topic, () => this.options.from(at.topic, at.partition));
    while (position !== undefined && !this.stopping.signal.aborted) {
      const from: LogPosition = position;
      const done = await this.retried(
        at.topic,
        async () => {
          const options = { signal: this.stopping.signal, idleMs: logServerLimits.idleMs };
          for await (const batch of this.log.tail(at.topic, at.partition, position ?? from, options)) {
            if (batch.records.length > 0) await this.deliver(pattern, batch);
            position = { nextOffset: batch.nextOffset, leaderEpoch: batch.leaderEpoch };
          }
          // A log that was closed ends its tails without an error.
          if (!this.stopping.signal.aborted) await this.rest();
          return true;
        },
        async (error) => {
          if (failureCode(error) === 'OFFSET_OUT_OF_RANGE') position = await this.startOf(at);
        },
      );
      if (done === undefined) return;
    }
  }

  /** Retention has removed what we stood at: go on with what there is. */
  private async startOf(at: { topic: string; partition: Partition }): Promise<LogPosition> {
    const bounds = (await this.log.offsets(at.topic)).find(({ partition }) => partition === at.partition);
    if (bounds === undefined) throw new Failure('TOPIC_MISSING', `${at.topic} has no partition ${at.partition}`);
    this.options.logger.warn({ ...at, startOffset: bounds.startOffset }, 'reading on at the start of the partition');
    return { nextOffset: bounds.startOffset, leaderEpoch: -1 };
  }

  /** Hands the batch to the method until it succeeds. */
  private async deliver(pattern: string, batch: LogBatch): Promise<void> {
    const handler = this.getHandlerByPattern(pattern);
    if (handler === null) return;
    await this.retried(batch.topic, async () => {
      const result = this.transformToObservable(await handler(batch.records, new LogContext(batch)));
      await lastValueFrom(result, { defaultValue: undefined });
    });
  }

  /** `undefined` when the transport was closed first. */
  private async retried<T>(
    topic: string,
    attempt: () => Promise<T>,
    mend: (error: unknown) => Promise<void> = () => Promise.resolve(),
  ): Promise<T | undefined> {
    let last: string | undefined;
    let times = 0;
    while (!this.stopping.signal.aborted)
      try {
        return await attempt();
      } catch (error) {
        if (this.stopping.signal.aborted) return undefined;
        const level = failureCode(error) === 'TOPIC_MISSING' ? 'debug' : 'error';
        times = messageOf(error) === last ? times + 1 : 1;
        last = messageOf(error);
        if (times % logServerLimits.saidEvery === 1)
          this.options.logger[level](
            { error, topic, times },
            'a batch of the log could not be delivered; trying again',
          );
        await this.rest();
        await mend(error).catch(() => undefined);
      }
    return undefined;
  }

  private rest(): Promise<void> {
    return pause(this.options.timers, logServerLimits.retryMs, this.stopping.signal);
  }
}
