import { acknowledgementOf } from '@levee/cluster';
import type { Acknowledgement, NamespaceState } from '@levee/events';
import { readCopies } from '@levee/journal';
import { type Clock, isoTime } from '@levee/kernel';
import type { Log } from '@levee/log';
import type { QuarantineCount } from './facts';
import type { Acknowledged } from './finding';
import { doctorLimits } from './limits';

export interface QuarantineCounts {
  /** What nobody has acknowledged, by binlog and reason. */
  readonly found: readonly QuarantineCount[];
  /** What people said is dealt with: no finding. */
  readonly acknowledged: readonly Acknowledged[];
}

/** What was put into quarantine in the last day: the newest `quarantineRecordsMax` copies. */
export async function quarantineCounts(
  log: Log,
  topic: string,
  { clock, namespaces }: { readonly clock: Clock; readonly namespaces: Iterable<NamespaceState> },
): Promise<QuarantineCounts> {
  const owners = new Map<string, NamespaceState>();
  for (const of of namespaces) if (of.state !== 'deleted') owners.set(of.binlog, of);
  // Each node that holds a replica puts its own copy there.
  const places = new Map<string, Group>();
  await readCopies(log, topic, {
    clock,
    deadlineMs: doctorLimits.askMs,
    newestMax: doctorLimits.quarantineRecordsMax,
    sinceMs: clock.nowMs() - doctorLimits.quarantineWindowMs,
    onCopy: (copy) => {
      const owner = owners.get(copy.topic);
      const by = owner && acknowledgementOf(owner, copy);
      const key = `${copy.reason} ${copy.topic} ${by === undefined ? '' : owner?.acknowledgements.indexOf(by)}`;
      const of = places.get(key) ?? { reason: copy.reason, topic: copy.topic, owner, by, at: new Set<string>() };
      of.at.add(`${copy.partition}:${copy.offset}`);
      places.set(key, of);
    },
  });
  const all = [...places.values()];
  return {
    found: all.flatMap(({ reason, topic: of, by, at }) =>
      by === undefined ? [{ reason, topic: of, count: at.size, newest: [...at].at(-1) ?? '' }] : [],
    ),
    acknowledged: all.flatMap(({ reason, owner, by, at }) =>
      by === undefined ? [] : [{ namespace: owner?.name ?? '', reason, count: at.size, ...saidBy(by) }],
    ),
  };
}

interface Group {
  readonly reason: string;
  readonly topic: string;
  readonly owner: NamespaceState | undefined;
  readonly by: Acknowledgement | undefined;
  /** `partition:offset`. */
  readonly at: Set<string>;
}

/** Who said so, when, and why. */
export const saidBy = ({
  by,
  principal,
  acknowledgedAtMs,
  why,
}: Acknowledgement): Pick<Acknowledged, 'by' | 'at' | 'why'> => ({
  by: by === null ? principal : `${by} (given as ${principal})`,
  at: isoTime(acknowledgedAtMs),
  why,
});
