import type { Settled, StrayProducer } from '@levee/audit';
import type { NamespaceState } from '@levee/events';
import { Failure, isoTime } from '@levee/kernel';
import { systemClock } from '@levee/log';
import { settledInWords } from './settled-in-words';
import type { WorkLine } from './told-work';

const shownLimits = {
  /** Who wrote strays within this time is taken to write on. */
  activeMs: 5 * 60_000,
  /** Producers that a message names. */
  producersShown: 5,
} as const;

export const activeProducers = (producers: readonly StrayProducer[]): StrayProducer[] =>
  producers.filter(({ newestMs }) => newestMs > systemClock.nowMs() - shownLimits.activeMs);

const producerInWords = ({ producerId, count, newest, newestMs }: StrayProducer): string =>
  `${producerId < 0 ? 'producers that the log does not name' : `producer ${producerId}`}: ${count} records in wrong ` +
  `partitions, the newest at ${newest}, ${isoTime(newestMs)}`;

function producersInWords(producers: readonly StrayProducer[]): string {
  const { producersShown } = shownLimits;
  const more = producers.length > producersShown ? `; and ${producers.length - producersShown} more` : '';
  return producers.slice(0, producersShown).map(producerInWords).join('; ') + more;
}

/** [safety] A producer that goes on writes the next record of a key while an older one is brought home. */
export function refuseActive(name: string, active: readonly StrayProducer[]): void {
  if (active.length === 0) return;
  throw new Failure(
    'PRODUCERS_ACTIVE',
    `in the last five minutes records of ${name} were written into wrong partitions: ${producersInWords(active)}. Set them ` +
      `right (levee lint ${name} names the setting) and wait, or say --producers-stopped once they are; nothing was written`,
  );
}

/** What became of it, or would: for programs, and in words. */
export function repartitionedLine(
  { name, binlog }: NamespaceState,
  found: Settled & {
    readonly records: number;
    readonly active: readonly StrayProducer[];
    /** Records that came into wrong partitions meanwhile. */
    readonly strayed?: number;
    readonly isDry: boolean;
  },
): WorkLine {
  const { isDry, active, strayed = 0, ...counts } = found;
  const producers = active.map(({ newestMs, ...of }) => ({ ...of, newest: isoTime(newestMs), newestAt: of.newest }));
  const race = active.length === 0 ? '' : `; still writing: ${producersInWords(active)}`;
  return {
    event: 'done',
    ...{ name, binlog, dryRun: isDry, ...counts, strayed, activeProducers: producers },
    message: settledInWords(name, { ...found, strayed }) + race,
  };
}
