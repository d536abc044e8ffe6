import { readCopies } from '@levee/journal';
import type { Clock } from '@levee/kernel';
import type { Log } from '@levee/log';
import type { QuarantineCount } from './facts';
import { doctorLimits } from './limits';

/** What was put into quarantine in the last day, by binlog and reason: the newest `quarantineRecordsMax` copies. */
export async function quarantineCounts(log: Log, topic: string, clock: Clock): Promise<QuarantineCount[]> {
  // Each node that holds a replica puts its own copy there.
  const places = new Map<string, Set<string>>();
  await readCopies(log, topic, {
    clock,
    deadlineMs: doctorLimits.askMs,
    newestMax: doctorLimits.quarantineRecordsMax,
    sinceMs: clock.nowMs() - doctorLimits.quarantineWindowMs,
    onCopy: (copy) => {
      const key = `${copy.reason} ${copy.topic}`;
      const of = places.get(key) ?? new Set<string>();
      places.set(key, of.add(`${copy.partition}:${copy.offset}`));
    },
  });
  return [...places].map(([key, of]) => ({
    reason: key.slice(0, key.indexOf(' ')),
    topic: key.slice(key.indexOf(' ') + 1),
    count: of.size,
    newest: [...of].at(-1) ?? '',
  }));
}
