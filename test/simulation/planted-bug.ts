import { asOffset, type Partition } from '@levee/kernel';
import type { Appended, FencedWriter, Log, LogBatch, LogPosition, LogRecord, TailOptions } from '@levee/log';
import type { Decide } from '@levee/master';

/**
 * What is wrong with a simulated world, so that a test can see whether the judge finds it: each part stands in for
 * something that a process gets, says or does. Nothing of the system knows of it.
 */
export interface PlantedBug {
  /** What a process is handed of the log. */
  handed?(to: string, batch: LogBatch): LogBatch;
  /** What a process appends; of nothing it is told that it is in the log. */
  appended?(by: string, topic: string, records: readonly LogRecord[]): readonly LogRecord[];
  /** What a portal answers to a read. */
  answered?(by: string, key: string, found: string | null): string | null;
  /** True of a unit that is said to be cleared, and is not. */
  keeps?(process: string, place: string): boolean;
  /** True of a process whose disk never looks at its files. */
  unchecked?(process: string): boolean;
  /** The masters' rules. */
  readonly decide?: Decide;
}

/** The log as `process` has it, with what is wrong with that. */
export function buggyLog(log: Log, process: string, { handed, appended }: PlantedBug): Log {
  if (handed === undefined && appended === undefined) return log;
  const append =
    (to: Pick<FencedWriter, 'append'>) =>
    (topic: string, partition: Partition, records: readonly LogRecord[]): Promise<Appended> => {
      const kept = appended?.(process, topic, records) ?? records;
      return kept.length === 0 ? Promise.resolve({ baseOffset: asOffset(0) }) : to.append(topic, partition, kept);
    };
  async function* tail(topic: string, partition: Partition, from: LogPosition, options?: TailOptions) {
    for await (const batch of log.tail(topic, partition, from, options)) yield handed?.(process, batch) ?? batch;
  }
  const replaced: Partial<Log> = {
    append: append(log),
    tail,
    fencedWriter: async (id) => {
      const writer = await log.fencedWriter(id);
      return { ...writer, append: append(writer), close: () => writer.close() };
    },
  };
  return new Proxy(log, {
    get: (target, name) => {
      const value: unknown = Reflect.get(replaced, name) ?? Reflect.get(target, name);
      return typeof value === 'function' ? (value.bind(target) as unknown) : value;
    },
  });
}
