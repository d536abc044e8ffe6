import { asOffset, type Offset, type Partition } from '@levee/kernel';
import {
  type Appended,
  type FencedWriter,
  type Log,
  type LogBatch,
  LogFailure,
  type LogPosition,
  type TailOptions,
} from '@levee/log';

/** Records `[at, at + count)` are gone, and what is appended afterwards has their offsets. */
interface Cut {
  readonly at: number;
  readonly count: number;
}

/** Leader epochs after the loss are above all before, which begin with the time of the log's opening; 32 bits in all. */
const epochsLater = 1_000_000_000;

/**
 * A log that loses the ends of partitions, as one does after an unclean election or when an older copy of its files is
 * brought back: it says nothing of it, and offsets are given again. Each partition loses its end once.
 */
export class CutLog {
  private readonly cuts = new Map<string, Cut>();

  constructor(private readonly log: Log) {}

  /** The last `count` records of the partition are gone. */
  async cut(topic: string, partition: Partition, count: number): Promise<void> {
    const end = (await this.log.offsets(topic)).find((of) => of.partition === partition)?.endOffset ?? 0;
    this.cuts.set(`${topic} ${partition}`, { at: end - count, count });
  }

  get door(): Log {
    const { log } = this;
    const writing =
      (to: Pick<FencedWriter, 'append'>): FencedWriter['append'] =>
      async (topic, partition, records) => {
        const { baseOffset } = await to.append(topic, partition, records);
        return { baseOffset: this.told(topic, partition, baseOffset) } satisfies Appended;
      };
    const replaced: Partial<Log> = {
      append: writing(log),
      tail: (...of) => this.tail(...of),
      offsets: async (topic) =>
        (await log.offsets(topic)).map((of) => ({ ...of, endOffset: this.told(topic, of.partition, of.endOffset) })),
      offsetAt: async (topic, partition, timeMs) =>
        this.told(topic, partition, await log.offsetAt(topic, partition, timeMs)),
      fencedWriter: async (id) => {
        const writer = await log.fencedWriter(id);
        return { ...writer, append: writing(writer), close: () => writer.close() };
      },
    };
    return new Proxy(log, {
      get: (target, name) => {
        const value: unknown = Reflect.get(replaced, name) ?? Reflect.get(target, name);
        return typeof value === 'function' ? (value.bind(target) as unknown) : value;
      },
    });
  }

  private cutOf(topic: string, partition: Partition): Cut {
    return this.cuts.get(`${topic} ${partition}`) ?? { at: Infinity, count: 0 };
  }

  /** What readers are told of an offset that the log below has. */
  private told(topic: string, partition: Partition, offset: number): Offset {
    const { at, count } = this.cutOf(topic, partition);
    return asOffset(offset < at ? offset : Math.max(at, offset - count));
  }

  private async *tail(
    topic: string,
    partition: Partition,
    from: LogPosition,
    options?: TailOptions,
  ): AsyncGenerator<LogBatch> {
    let { nextOffset, leaderEpoch }: { nextOffset: number; leaderEpoch: number } = from;
    const begun = this.cutOf(topic, partition);
    await this.demandHeld(topic, partition, { nextOffset, leaderEpoch });
    const below = nextOffset < begun.at ? nextOffset : nextOffset + begun.count;
    const epochBelow = leaderEpoch >= epochsLater ? leaderEpoch - epochsLater : leaderEpoch;
    const inner = this.log.tail(topic, partition, { nextOffset: asOffset(below), leaderEpoch: epochBelow }, options);
    for await (const batch of inner) {
      const cut = this.cutOf(topic, partition);
      if (cut !== begun && nextOffset > cut.at) throw truncated(topic, partition, nextOffset, cut.at);
      const { at, count } = cut;
      if (at === Infinity) {
        ({ nextOffset, leaderEpoch } = batch);
        yield batch;
        continue;
      }
      const records = batch.records.flatMap((record) => {
        if (record.offset >= at && record.offset < at + count) return [];
        return [{ ...record, offset: this.told(topic, partition, record.offset) }];
      });
      const first = nextOffset;
      nextOffset = Math.max(nextOffset, this.told(topic, partition, batch.nextOffset));
      leaderEpoch = batch.nextOffset > at + count ? batch.leaderEpoch + epochsLater : batch.leaderEpoch;
      const endOffset = this.told(topic, partition, batch.endOffset);
      yield {
        ...batch,
        firstOffset: asOffset(first),
        nextOffset: asOffset(nextOffset),
        endOffset,
        leaderEpoch,
        records,
      };
    }
  }

  /** As a broker is asked where the reader's last leader epoch ended. */
  private async demandHeld(
    topic: string,
    partition: Partition,
    { nextOffset, leaderEpoch }: { nextOffset: number; leaderEpoch: number },
  ): Promise<void> {
    const { at } = this.cutOf(topic, partition);
    if (nextOffset <= at) return;
    if (leaderEpoch >= 0 && leaderEpoch < epochsLater) throw truncated(topic, partition, nextOffset, at);
    const end = (await this.log.offsets(topic)).find((of) => of.partition === partition)?.endOffset ?? 0;
    if (nextOffset > this.told(topic, partition, end))
      throw new LogFailure('OFFSET_OUT_OF_RANGE', `${topic}/${partition} ends below offset ${nextOffset}`);
  }
}

function truncated(topic: string, partition: Partition, offset: number, end: number): LogFailure {
  return new LogFailure('LOG_TRUNCATED', `${topic}/${partition} no longer holds what was seen below offset ${offset}`, {
    details: { topic, partition, offset, endOffset: end },
  });
}
