import type { Offset, Partition } from '@levee/kernel';
import type {
  Appended,
  FencedWriter,
  Log,
  LogBatch,
  LogCondition,
  LogPosition,
  LogRecord,
  PartitionOffsets,
  PassedStretch,
  TailOptions,
  TopicDescription,
  TopicSpec,
} from '@levee/log';
import { type Delay, Lane } from './lane';
import type { SimulatedProcess } from './simulated-process';

const toBroker: Delay = { minMs: 0.2, maxMs: 1.2 };
const fromBroker: Delay = { minMs: 0.2, maxMs: 1.2 };

/**
 * The one log of a simulated world as one process reaches it: every request and every answer takes its time, what a
 * killed process has sent may arrive, and no answer finds it.
 */
export class ProcessLog implements Log {
  readonly description: string;
  private readonly there: Lane;
  private readonly back: Lane;

  constructor(
    private readonly log: Log,
    private readonly process: SimulatedProcess,
    dice: () => number,
  ) {
    this.description = log.description;
    this.there = new Lane(process.time, dice, toBroker);
    this.back = new Lane(process.time, dice, fromBroker);
  }

  append(topic: string, partition: Partition, records: readonly LogRecord[]): Promise<Appended> {
    return this.acted(`append ${topic}`, contentOf(records), () => this.log.append(topic, partition, records));
  }

  tail(topic: string, partition: Partition, from: LogPosition, options: TailOptions = {}): AsyncIterable<LogBatch> {
    const { log, process } = this;
    return {
      [Symbol.asyncIterator]: (): AsyncIterator<LogBatch> => {
        const inner = log.tail(topic, partition, from, options)[Symbol.asyncIterator]();
        process.onDeath(() => void inner.return?.());
        return {
          next: () => this.answered(inner.next()),
          return: async () => {
            await inner.return?.();
            return { done: true, value: undefined };
          },
        };
      },
    };
  }

  ensureTopics(specs: readonly TopicSpec[]): Promise<void> {
    return this.acted('topics', specs.map(({ name }) => name).join(), () => this.log.ensureTopics(specs));
  }

  alterTopic(topic: string, settings: Readonly<Record<string, string>>): Promise<void> {
    return this.acted('topics', topic, () => this.log.alterTopic(topic, settings));
  }

  passOver(topic: string, partition: Partition, stretch: PassedStretch): Promise<void> {
    return this.acted('topics', topic, () => this.log.passOver(topic, partition, stretch));
  }

  deleteTopics(topics: readonly string[]): Promise<void> {
    return this.acted('topics', topics.join(), () => this.log.deleteTopics(topics));
  }

  describeTopics(names?: readonly string[]): Promise<TopicDescription[]> {
    return this.asked(() => this.log.describeTopics(names));
  }

  examine(topics: readonly string[]): Promise<LogCondition> {
    return this.asked(() => this.log.examine(topics));
  }

  offsets(topic: string): Promise<PartitionOffsets[]> {
    return this.asked(() => this.log.offsets(topic));
  }

  offsetAt(topic: string, partition: Partition, timeMs: number): Promise<Offset> {
    return this.asked(() => this.log.offsetAt(topic, partition, timeMs));
  }

  async fencedWriter(id: string): Promise<FencedWriter> {
    const writer = await this.acted(`writer ${id}`, '', () => this.log.fencedWriter(id));
    return {
      producerId: writer.producerId,
      epoch: writer.epoch,
      append: (topic, partition, records) =>
        this.acted(`append ${topic}`, contentOf(records), () => writer.append(topic, partition, records)),
      close: () => writer.close(),
    };
  }

  /** The log is the world's; a process only lets go of it. */
  close(): Promise<void> {
    return Promise.resolve();
  }

  private asked<T>(ask: () => Promise<T>): Promise<T> {
    return new Promise((resolve, reject) =>
      this.there.send(() => {
        if (this.process.alive) this.answered(ask()).then(resolve, reject);
      }),
    );
  }

  private acted<T>(kind: string, content: string | Uint8Array, ask: () => Promise<T>): Promise<T> {
    return new Promise((resolve, reject) =>
      this.process.act(kind, content, () =>
        // What was sent arrives, even if its sender is dead by then.
        this.there.send(() => void this.answered(ask()).then(resolve, reject)),
      ),
    );
  }

  private answered<T>(answer: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      answer.then(
        (value) => this.back.send(() => this.process.deliver(() => resolve(value))),
        (error: unknown) => this.back.send(() => this.process.deliver(() => reject(error as Error))),
      );
    });
  }
}

function contentOf(records: readonly LogRecord[]): Uint8Array {
  return Buffer.concat(records.flatMap(({ key, value }) => [key ?? Buffer.from('-'), value ?? Buffer.from('-')]));
}
