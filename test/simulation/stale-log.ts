import type { Partition } from '@levee/kernel';
import type { Log, LogBatch, LogPosition, TailOptions } from '@levee/log';
import type { VirtualTime } from './virtual-time';

const idleMs = 200;

/**
 * The log as a process has it whose broker was deposed and does not know: it goes on answering with the ends it had,
 * and calls them the end; what is appended through it waits until the process finds the leader. Its port promises no
 * more of an end that somebody tells.
 */
export class StaleLog {
  /** Where each partition ended when its broker was cut off; `undefined` = the leader answers. */
  private ends: ReadonlyMap<string, number> | undefined;
  private waiting: (() => void)[] = [];

  constructor(
    private readonly log: Log,
    private readonly time: VirtualTime,
  ) {}

  async depose(topics: readonly string[]): Promise<void> {
    const ends = new Map<string, number>();
    for (const topic of topics)
      for (const { partition, endOffset } of await this.log.offsets(topic))
        ends.set(`${topic} ${partition}`, endOffset);
    this.ends = ends;
  }

  /** The process finds the leader. */
  heal(): void {
    this.ends = undefined;
    for (const go of this.waiting.splice(0)) go();
  }

  /** Everything of the log that passes through that broker. */
  get door(): Log {
    const { log } = this;
    const replaced: Partial<Log> = {
      tail: (...of) => this.tail(...of),
      offsets: async (topic) =>
        (await log.offsets(topic)).map((of) => {
          const end = this.endOf(topic, of.partition);
          return end === undefined || end >= of.endOffset ? of : { ...of, endOffset: end as typeof of.endOffset };
        }),
      append: async (topic, partition, records) => {
        await this.leader(topic, partition);
        return log.append(topic, partition, records);
      },
    };
    return new Proxy(log, {
      get: (target, name) => {
        const value: unknown = Reflect.get(replaced, name) ?? Reflect.get(target, name);
        return typeof value === 'function' ? (value.bind(target) as unknown) : value;
      },
    });
  }

  private endOf(topic: string, partition: Partition): number | undefined {
    return this.ends?.get(`${topic} ${partition}`);
  }

  private leader(topic: string, partition: Partition): Promise<void> {
    if (this.endOf(topic, partition) === undefined) return Promise.resolve();
    return new Promise((resolve) => this.waiting.push(resolve));
  }

  private async *tail(
    topic: string,
    partition: Partition,
    from: LogPosition,
    options?: TailOptions,
  ): AsyncGenerator<LogBatch> {
    const inner = this.log.tail(topic, partition, from, options)[Symbol.asyncIterator]();
    let { nextOffset, leaderEpoch } = from;
    let pending: Promise<IteratorResult<LogBatch>> | undefined;
    try {
      for (;;) {
        pending ??= inner.next();
        const end = this.endOf(topic, partition);
        const step = end === undefined ? await pending : await Promise.race([pending, this.pause()]);
        const stale = this.endOf(topic, partition);
        if (step?.done === true) return;
        if (stale !== undefined && (step === undefined || step.value.nextOffset > stale)) {
          // It stands at what its broker calls the end, and is told so again and again.
          if (step !== undefined) await this.pause();
          const at = { firstOffset: nextOffset, nextOffset, endOffset: nextOffset, leaderEpoch };
          yield { topic, partition, ...at, records: [] };
          continue;
        }
        if (step === undefined) continue;
        pending = undefined;
        ({ nextOffset, leaderEpoch } = step.value);
        yield step.value;
      }
    } finally {
      void inner.return?.();
    }
  }

  private pause(): Promise<undefined> {
    return this.time.sleep(idleMs).then(() => undefined);
  }
}
