import { asPartition } from '@levee/kernel';
import type { Log, LogRecord } from '@levee/log';
import type { EmbeddedLog } from '@levee/log-embedded';
import { openLog, topics, world } from '../../master/test/control-plane';
import { compactedTopics, controlTopicSpecs } from '../src';
import { readToEnd } from '../src/topics/read-topic';

export const controlNames = [topics.commands, topics.heartbeats, topics.journal, ...compactedTopics(topics)];

export async function recordsOf(log: Log, topic: string): Promise<LogRecord[]> {
  const all: LogRecord[] = [];
  await readToEnd(log, topic, {
    clock: world.clock,
    deadlineMs: 10_000,
    onBatch: ({ records }) => {
      for (const { key, value, headers } of records)
        all.push({ key: key && Buffer.from(key), value: value && Buffer.from(value), headers: [...headers] });
    },
  });
  return all;
}

/** A log with the control topics of `log`, each as far as `keeps` says: what is left of one that lost its end. */
export async function cutCopy(log: Log, keeps: Readonly<Record<string, number>> = {}): Promise<EmbeddedLog> {
  const copy = await openLog();
  await copy.ensureTopics(controlTopicSpecs(topics));
  for (const topic of controlNames) {
    const records = (await recordsOf(log, topic)).slice(0, keeps[topic] ?? Infinity);
    if (records.length > 0) await copy.append(topic, asPartition(0), records);
  }
  return copy;
}

/** Stands before one log after another: whoever holds it does not know that the log beneath is another one now. */
export class SwitchedLog {
  private constructor(private beneath: EmbeddedLog) {}

  static over(first: EmbeddedLog): { log: Log; to: (next: EmbeddedLog) => Promise<void> } {
    const switched = new SwitchedLog(first);
    const log = new Proxy({} as Log, {
      get: (_target, name) => {
        const value = Reflect.get(switched.beneath, name, switched.beneath) as unknown;
        return typeof value === 'function' ? (value.bind(switched.beneath) as unknown) : value;
      },
    });
    const to = async (next: EmbeddedLog): Promise<void> => {
      const last = switched.beneath;
      switched.beneath = next;
      await last.close();
    };
    return { log, to };
  }
}
