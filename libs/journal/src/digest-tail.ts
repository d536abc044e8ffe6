import { decodeAs } from '@levee/codec';
import type { DigestOrder, ReplicaDigest } from '@levee/events';
import { asPartition, Failure, failureCode, type Logger, type Offset, type Timers, Waits } from '@levee/kernel';
import { endOf, followTopic, type Log, type LogPosition, type StoredRecord } from '@levee/log';
import type { ControlTopics } from './topics/control-topics';
import { isDigestOrderKey } from './topics/digest-orders';

const digestTailLimits = { retryMs: 250, idleMs: 500 } as const;

interface DigestListener {
  readonly onDigest: (digest: ReplicaDigest) => void;
  readonly onOrder: ((order: DigestOrder, timeMs: number) => void) | undefined;
}

/**
 * One reader of the digests topic for everybody in this process who waits for digests. It reads only while somebody
 * waits, from the topic's end as of then.
 */
export class DigestTail {
  private readonly listeners = new Map<string, DigestListener>();
  private readonly waits: Waits;
  private readonly stopping = new AbortController();
  /** Of the reading under way. */
  private reading: AbortController | undefined;
  private running: Promise<void> = Promise.resolve();
  private nextOffset: Offset | undefined;

  constructor(
    private readonly log: Log,
    private readonly topics: Pick<ControlTopics, 'digests'>,
    private readonly options: { readonly timers: Timers; readonly logger: Logger },
  ) {
    this.waits = new Waits(options.timers);
  }

  /**
   * Resolves once every digest that will be published for the id `digestPlan` reaches `onDigest`; only then ask for
   * them. `onOrder` hears the order for them, where the topic is one of others, and its append time. The returned function
   * ends it. Fails with DEADLINE when the topic cannot be read, STOPPING after `close`.
   */
  async listen(
    digestPlan: string,
    onDigest: DigestListener['onDigest'],
    deadlineMs: number,
    onOrder?: DigestListener['onOrder'],
  ): Promise<() => void> {
    if (this.stopping.signal.aborted) throw stopped();
    this.listeners.set(digestPlan, { onDigest, onOrder });
    const end = (): void => {
      this.listeners.delete(digestPlan);
      if (this.listeners.size > 0) return;
      this.reading?.abort();
      this.reading = undefined;
      this.nextOffset = undefined;
    };
    if (this.reading === undefined) {
      const reading = new AbortController();
      this.reading = reading;
      this.running = this.running.then(() => this.read(reading.signal));
    }
    try {
      const reads = (): true | undefined => (this.nextOffset === undefined ? undefined : true);
      await this.waits.until(reads, deadlineMs, `reading the end of ${this.topics.digests}`);
    } catch (error) {
      end();
      throw error;
    }
    return end;
  }

  async close(): Promise<void> {
    this.stopping.abort();
    this.reading?.abort();
    this.waits.failAll(stopped());
    await this.running;
  }

  private async read(signal: AbortSignal): Promise<void> {
    const digests = { topic: this.topics.digests, partition: asPartition(0) };
    let begun: LogPosition | undefined;
    await followTopic(this.log, digests, {
      signal,
      timers: this.options.timers,
      tail: () => ({ idleMs: digestTailLimits.idleMs }),
      retryMs: () => digestTailLimits.retryMs,
      start: async (reached) => {
        begun = reached ?? begun ?? (await endOf(this.log, digests));
        if (signal.aborted) return undefined;
        this.nextOffset = begun.nextOffset;
        this.waits.poll();
        return begun;
      },
      onBatch: ({ records }) => {
        for (const record of records) this.hear(record);
      },
      onFailure: ({ error, times }) => {
        if (times === 1) this.options.logger.warn({ error }, 'the digests cannot be followed; trying again');
        const code = failureCode(error);
        if (code !== 'OFFSET_OUT_OF_RANGE' && code !== 'LOG_TRUNCATED') return 'again';
        // What was missed is asked for again by who waits for it.
        begun = undefined;
        return 'anew';
      },
    });
  }

  private hear({ key, value, timestampMs }: StoredRecord): void {
    if (value === null) return;
    try {
      if (isDigestOrderKey(key)) {
        const order = decodeAs('DigestOrder', value);
        this.listeners.get(order.digestPlan)?.onOrder?.(order, timestampMs);
        return;
      }
      const digest = decodeAs('ReplicaDigest', value);
      this.listeners.get(digest.digestPlan)?.onDigest(digest);
    } catch (error) {
      this.options.logger.debug({ error }, 'a digest cannot be read');
    }
  }
}

const stopped = (): Failure => new Failure('STOPPING', 'this process is stopping; ask another one');
