import type { Log } from '@levee/log';

/** A log whose readers hear of a topic's records late, by as much as `delayMs` says for each batch. */
export function lateLog(log: Log, delayMs: (topic: string) => number): Log {
  const tail: Log['tail'] = async function* (topic, ...rest) {
    for await (const batch of log.tail(topic, ...rest)) {
      const lateMs = delayMs(topic);
      if (lateMs > 0 && batch.records.length > 0) await new Promise((resolve) => setTimeout(resolve, lateMs));
      yield batch;
    }
  };
  return new Proxy(log, {
    get: (target, name) => {
      if (name === 'tail') return tail;
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === 'function' ? (value.bind(target) as unknown) : value;
    },
  });
}
