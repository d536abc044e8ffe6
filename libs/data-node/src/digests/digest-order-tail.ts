import { decodeAs } from '@levee/codec';
import type { DigestOrder } from '@levee/events';
import { isDigestOrderKey } from '@levee/journal';
import { asPartition, failureCode, type Logger, messageOf, type Timers } from '@levee/kernel';
import { endOf, followTopic, type Log, type LogPosition, type StoredRecord } from '@levee/log';

const orderTailLimits = { retryMs: 250, idleMs: 1_000 } as const;

export interface DigestOrderTailOptions {
  /** Topic of digests, which has the orders for them too. */
  readonly topic: string;
  readonly clusterId: string;
  readonly timers: Timers;
  readonly logger: Logger;
  /** `timeMs`: append time of the order. */
  readonly take: (order: DigestOrder, timeMs: number) => void;
}

/**
 * Reads the orders for digests of topics that nobody writes barriers into, from where the topic ends when it starts: an
 * order that was missed is repeated by whoever waits for the digests.
 */
export class DigestOrderTail {
  private readonly stopping = new AbortController();
  private running: Promise<void> | undefined;

  constructor(
    private readonly log: Log,
    private readonly options: DigestOrderTailOptions,
  ) {}

  /** The node hosts a replica of such a topic. Idempotent. */
  start(): void {
    if (!this.stopping.signal.aborted) this.running ??= this.read();
  }

  async stop(): Promise<void> {
    this.stopping.abort();
    await this.running;
  }

  private read(): Promise<void> {
    const { topic, timers, logger } = this.options;
    const orders = { topic, partition: asPartition(0) };
    let begun: LogPosition | undefined;
    return followTopic(this.log, orders, {
      signal: this.stopping.signal,
      timers,
      tail: () => ({ idleMs: orderTailLimits.idleMs }),
      retryMs: () => orderTailLimits.retryMs,
      start: async (reached) => (begun = reached ?? begun ?? (await endOf(this.log, orders))),
      onBatch: ({ records }) => {
        for (const record of records) this.hear(record);
      },
      onFailure: ({ error, times }) => {
        if (times === 1) logger.warn({ error, topic }, 'orders for digests cannot be followed; trying again');
        const code = failureCode(error);
        if (code !== 'OFFSET_OUT_OF_RANGE' && code !== 'LOG_TRUNCATED') return 'again';
        begun = undefined;
        return 'anew';
      },
    });
  }

  private hear({ key, value, timestampMs }: StoredRecord): void {
    if (value === null || !isDigestOrderKey(key)) return;
    try {
      const order = decodeAs('DigestOrder', value);
      if (order.clusterId === this.options.clusterId) this.options.take(order, timestampMs);
    } catch (error) {
      this.options.logger.debug({ error: messageOf(error) }, 'an order for digests cannot be read');
    }
  }
}
