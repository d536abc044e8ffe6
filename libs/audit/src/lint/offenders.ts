import type { FindingReason } from '@levee/cluster';
import type { Acknowledged } from '../doctor/finding';

/**
 * As the quarantine says it; `producerTime` and `noCrc` are applied and stand in no quarantine. `addedPartition`: in a
 * partition that the namespace does not have, whose records nobody applies.
 */
export type LintReason = FindingReason;

/** lost: its key looks as if nothing was written. unreadable: its key cannot be read. advice: it is read as it is meant. */
export type LintHarm = 'lost' | 'unreadable' | 'advice';

/** The most harmful first. */
export const harms: readonly LintHarm[] = ['lost', 'unreadable', 'advice'];

export const harmOf = {
  wrongPartition: 'lost',
  noKey: 'lost',
  tooLarge: 'lost',
  reservedKey: 'lost',
  unreadableBatch: 'lost',
  addedPartition: 'lost',
  garbage: 'unreadable',
  badCrc: 'unreadable',
  unknownSchema: 'unreadable',
  badExpiry: 'advice',
  producerTime: 'advice',
  noCrc: 'advice',
} as const satisfies Record<LintReason, LintHarm>;

/** What is told apart: by harm, and what people said is dealt with by itself. */
export type LintGroup = LintHarm | 'acknowledged';

/** Records of one producer that have one thing wrong. */
export interface Offenders {
  readonly reason: LintReason;
  readonly harm: LintHarm;
  /** The idempotent producer's id in the log; -1 where the log does not say who wrote them. */
  readonly producerId: number;
  readonly count: number;
  readonly oldestAtMs: number | undefined;
  readonly newestAtMs: number | undefined;
  /** The first ones. */
  readonly examples: readonly {
    readonly partition: number;
    readonly offset: number;
    readonly key: Buffer | null | undefined;
    readonly why: string;
  }[];
  /** Who said that they are dealt with, so that they are no finding; absent: nobody did. */
  readonly acknowledged?: Pick<Acknowledged, 'by' | 'at' | 'why'>;
  /** In words: which setting of the producer to change. */
  readonly setting: string;
}
