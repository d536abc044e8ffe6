import { decodeAs } from '@levee/codec';
import { asOffset, asPartition, type Clock } from '@levee/kernel';
import type { Log } from '@levee/log';
import { readToEnd } from '../read-topic';
import type { QuarantineCount } from './facts';
import { doctorLimits } from './limits';

/** What was put into quarantine in the last day, by binlog and reason: the newest `quarantineRecordsMax` copies. */
export async function quarantineCounts(log: Log, topic: string, clock: Clock): Promise<QuarantineCount[]> {
  const partition = asPartition(0);
  const bounds = (await log.offsets(topic))[0];
  if (bounds === undefined) return [];
  const since = await log.offsetAt(topic, partition, clock.nowMs() - doctorLimits.quarantineWindowMs);
  const from = asOffset(Math.max(since, bounds.startOffset, bounds.endOffset - doctorLimits.quarantineRecordsMax));
  // Each node that holds a replica puts its own copy there.
  const places = new Map<string, Set<string>>();
  await readToEnd(log, topic, {
    clock,
    deadlineMs: doctorLimits.askMs,
    from,
    onBatch: ({ records }) => {
      for (const { value } of records) {
        const copy = value === null ? undefined : read(value);
        if (copy === undefined) continue;
        const key = `${copy.reason} ${copy.topic}`;
        const of = places.get(key) ?? new Set<string>();
        places.set(key, of.add(`${copy.partition}:${copy.offset}`));
      }
    },
  });
  return [...places].map(([key, of]) => ({
    reason: key.slice(0, key.indexOf(' ')),
    topic: key.slice(key.indexOf(' ') + 1),
    count: of.size,
    newest: [...of].at(-1) ?? '',
  }));
}

function read(value: Buffer) {
  try {
    return decodeAs('Quarantined', value);
  } catch {
    return undefined;
  }
}
