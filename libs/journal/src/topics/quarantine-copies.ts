import { decodeAs, encode } from '@levee/codec';
import type { Quarantined } from '@levee/events';
import { asOffset, asPartition, type Clock } from '@levee/kernel';
import type { Log } from '@levee/log';
import { readToEnd } from './read-topic';

/**
 * Hands the copies in the topic `quarantine` to `onCopy`, oldest first: all, or the newest `newestMax`, those that came since `sinceMs` (ms since 1970). What is no copy
 * is passed over. Fails with DEADLINE, and as the log does.
 */
export async function readCopies(
  log: Log,
  quarantine: string,
  options: {
    readonly clock: Clock;
    readonly deadlineMs: number;
    readonly newestMax?: number;
    readonly sinceMs?: number;
    readonly onCopy: (copy: Quarantined) => void;
  },
): Promise<void> {
  const { clock, deadlineMs, newestMax = Infinity, sinceMs, onCopy } = options;
  const bounds = (await log.offsets(quarantine))[0];
  if (bounds === undefined) return;
  const since = sinceMs === undefined ? 0 : await log.offsetAt(quarantine, asPartition(0), sinceMs);
  const from = asOffset(Math.max(bounds.startOffset, bounds.endOffset - newestMax, since));
  await readToEnd(log, quarantine, {
    clock,
    deadlineMs,
    from,
    onBatch: ({ records }) => {
      for (const { value } of records) {
        const copy = value === null ? undefined : copyIn(value);
        if (copy !== undefined) onCopy(copy);
      }
    },
  });
}

const newReasons: ReadonlySet<Quarantined['reason']> = new Set(['noKey', 'unreadableBatch', 'badExpiry']);

/** As the oldest version that knows the reason: processes that are not upgraded yet pass over others. */
export function encodeCopy(copy: Quarantined): Buffer {
  return encode('Quarantined', copy, newReasons.has(copy.reason) ? undefined : 1);
}

function copyIn(value: Buffer): Quarantined | undefined {
  try {
    return decodeAs('Quarantined', value);
  } catch {
    return undefined;
  }
}
