import type { Log } from '@levee/log';

/** A log whose readers hear of a topic's records late, by as much as `delayMs` says for each batch. */
export function lateLog(log: Log, delayMs: (topic: string) => number): Log {
  return heldBack(log, async (topic) => {
    const lateMs = delayMs(topic);
    if (lateMs > 0) await new Promise((resolve) => setTimeout(resolve, lateMs));
  });
}

/** Lets nobody behind it hear of a binlog's records while it is closed; what they write goes through. */
export class Gate {
  private opened: Promise<void> = Promise.resolve();
  open: () => void = () => undefined;

  close(): void {
    this.opened = new Promise((resolve) => (this.open = resolve));
  }

  before(log: Log): Log {
    return heldBack(log, (topic) => (topic.includes('.binlog.') ? this.opened : Promise.resolve()));
  }
}

/** `passed`: when a batch with records of the topic may go on to its reader. */
function heldBack(log: Log, passed: (topic: string) => Promise<void>): Log {
  const tail: Log['tail'] = async function* (topic, ...rest) {
    for await (const batch of log.tail(topic, ...rest)) {
      if (batch.records.length > 0) await passed(topic);
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
