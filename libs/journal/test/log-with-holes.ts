import { asPartition, type Offset } from '@levee/kernel';
import { type Log, LogFailure, type LogPosition, type TailOptions } from '@levee/log';

export interface Hole {
  readonly from: Offset;
  readonly to: Offset;
}

/**
 * A log that cannot read these stretches of a topic, as damaged files of the embedded log leave it.
 */
export function withHoles(
  log: Log,
  topic: string,
  holes: readonly Hole[],
  /** As Kafka: a broker that cannot read a batch does not say what comes behind it. */
  { brokers = '' }: { readonly brokers?: string } = {},
): { log: Log; struck: () => number; passed: () => number; strike: (hole: Hole) => void; mend: () => void } {
  let struck = 0;
  const left = new Set(holes);
  const failure = (hole: Hole): LogFailure => {
    struck++;
    const what = `offsets ${hole.from} to ${hole.to} of ${topic} are damaged`;
    const details = brokers === '' ? { topic, partition: 0, ...hole } : { offset: hole.from };
    return new LogFailure('RECORD_CORRUPT', what, { details });
  };
  async function* tail(from: LogPosition, options?: TailOptions) {
    for await (const batch of log.tail(topic, asPartition(0), from, options)) {
      const holeOf = ({ offset }: { offset: Offset }): Hole | undefined =>
        [...left].find((hole) => offset >= hole.from && offset < hole.to);
      const at = batch.records.findIndex((record) => holeOf(record) !== undefined);
      const first = batch.records[at];
      const hole = first && holeOf(first);
      const readable = batch.records.filter(
        ({ offset }) => !passed.some((each) => offset >= each.from && offset < each.to),
      );
      if (hole === undefined) yield { ...batch, records: readable };
      else {
        const before = readable.filter(({ offset }) => offset < hole.from);
        if (before.length > 0) yield { ...batch, records: before, nextOffset: hole.from };
        throw failure(hole);
      }
    }
  }
  const passed: Hole[] = [];
  const bent: Partial<Log> = {
    ...(brokers === '' ? {} : { description: `kafka ${brokers}` }),
    tail: (of, partition, from, options) =>
      of === topic ? tail(from, options) : log.tail(of, partition, from, options),
    examine: async (of) => {
      const damage = [...left].map(({ from: fromOffset, to: toOffset }) => ({
        ...{ topic, partition: asPartition(0), fromOffset, toOffset, what: 'damaged' },
      }));
      return { ...(await log.examine(of)), damage: of.includes(topic) ? damage : [] };
    },
    passOver: async (of, _partition, { fromOffset, toOffset }) => {
      expect(of).toBe(topic);
      for (const hole of left) {
        if (fromOffset > hole.from || toOffset < hole.to) continue;
        left.delete(hole);
        passed.push(hole);
      }
    },
  };
  const handler = (_target: Log, name: string): unknown => {
    const own = bent[name as keyof Log];
    if (own !== undefined) return own;
    const value = Reflect.get(log, name, log) as unknown;
    return typeof value === 'function' ? (value.bind(log) as unknown) : value;
  };
  return {
    log: new Proxy({} as Log, { get: handler as never }),
    struck: () => struck,
    passed: () => passed.length,
    strike: (hole) => void left.add(hole),
    mend: () => left.clear(),
  };
}
