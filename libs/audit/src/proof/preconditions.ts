import { isoTime } from '@levee/kernel';
import { type CompactionRules, type Evidence, windowOf } from './provability';

/** One thing that a proof rests on. */
export interface Precondition {
  readonly name: string;
  /** `assumed`: no log shows it. */
  readonly state: 'holds' | 'fails' | 'assumed';
  readonly what: string;
}

/** What every answer that is no plain contiguity rests on, and how it stands. */
export function preconditions(evidence: Evidence, rules: CompactionRules): readonly Precondition[] {
  const of = (name: string, holds: boolean, what: string): Precondition => {
    return { name, state: holds ? 'holds' : 'fails', what };
  };
  const { startOffset, createTime, leaderChanged, readingMs } = evidence;
  const { fromMs, alarm } = windowOf(evidence, rules);
  const { cleanedBelow, deleteRetentionMs, lagMs, earlier, clockMarginMs } = rules;
  const since = Number.isFinite(fromMs) ? isoTime(fromMs) : fromMs > 0 ? 'nothing' : 'the start';
  const window: Precondition =
    cleanedBelow === undefined
      ? {
          name: 'window',
          state: 'assumed',
          what:
            `nothing stamped since ${since} was removed: min.compaction.lag.ms is ${lagMs ?? 'not in force'}` +
            (earlier.length > 0 ? `, and ${earlier.length} earlier windows of the journal are counted in` : '') +
            '; that nobody changed the topic meanwhile and changed it back, no log shows',
        }
      : of(
          'window',
          true,
          `the log's own cleaner was never beyond offset ${cleanedBelow}: nothing since ${since} was removed`,
        );
  return [
    of('log start', startOffset === 0, `the partition begins at offset ${startOffset}`),
    of('append time', !createTime, createTime ? 'some times are the producers’' : 'all times are the log’s'),
    of(
      'one leader',
      !leaderChanged,
      leaderChanged ? 'the leader changed while it was read' : 'one leader answered all of it',
    ),
    of(
      'quick reading',
      readingMs * 2 <= deleteRetentionMs,
      `read within ${Math.round(readingMs)} ms, half of delete.retention.ms (${deleteRetentionMs}) is the most`,
    ),
    window,
    ...(cleanedBelow === undefined
      ? [
          {
            name: 'clocks',
            state: 'assumed' as const,
            what: `clocks of brokers and of this machine differ by at most ${clockMarginMs} ms`,
          },
        ]
      : []),
    of(
      'no other gaps',
      alarm === undefined,
      alarm === undefined
        ? 'no offset is missing where no cleaner may have been'
        : `offsets ${alarm.fromOffset} to ${alarm.toOffset - 1} are missing where no cleaner may have been`,
    ),
  ];
}
