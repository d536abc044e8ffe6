import { isoTime } from '@levee/kernel';

/**
 * [safety] What a compacted log proves about the past of one key.
 *
 * A cleaner removes records, so "the newest record of the key below the cut" need not be what the key held there. What
 * may be concluded rests on how cleaners work: of a key they keep the last record below their bound, unless that is a
 * tombstone older than `delete.retention.ms`; nothing stamped within `min.compaction.lag.ms` is below that bound; and
 * whatever removes a record of a key removes every earlier one with it, or has done so before.
 *
 * `c` is where records begin that no cleaner can have touched: those stamped at or after W, the end of the reading less
 * the lag, plus a margin for clocks; or the very bound, where the log tells it. Three rules, the first that applies:
 *
 * 1. contiguity: no offset is missing between the candidate (or the start) and the cut. Needs no policy.
 * 2. window: nothing below `c` was stamped after the cut's time. The last record of the key below the cut is then
 *    still there, or it is a tombstone and everything before it is gone too.
 * 3. value: the candidate is there, and no record of the key lies from the cut to `c`. Had anything followed it below
 *    `c`, it would be gone.
 *
 * Anything else is not provable, and says why. A batch that compaction has emptied proves nothing about its offsets.
 */

/** The state asked for: everything stamped up to `timeMs`, or everything below `nextOffset`. */
export type Cut = { readonly timeMs: number } | { readonly nextOffset: number };

/** `[fromOffset, toOffset)`. */
export interface Stretch {
  readonly fromOffset: number;
  readonly toOffset: number;
}

/**
 * What one reading of a partition, from its start to its end, showed of one key and one cut. Times of offsets are
 * running maxima of stamps, since stamps may fall when the leader changes.
 */
export interface Evidence {
  readonly startOffset: number;
  /** Everything below was read. */
  readonly endOffset: number;
  /** Clock of the log when the reading ended, ms since 1970: no cleaner that it met was ahead of it by the margin. */
  readonly readEndMs: number;
  /** The newest record of the key below the cut. */
  readonly candidate: Candidate | undefined;
  /** First surviving offset behind the cut; `endOffset` when there is none. */
  readonly cutOffset: number;
  /** Something behind the cut was read. */
  readonly cutPassed: boolean;
  /** A first stretch of missing offsets between the candidate (or the start) and the cut. */
  readonly missing: Stretch | undefined;
  /** First record of the key at or behind the cut. */
  readonly later: { readonly offset: number; readonly timeMs: number } | undefined;
  /** Time of the last surviving offset before the cut; -Infinity when there is none. */
  readonly timeBeforeCutMs: number;
  /** Time of `cutOffset`, where that is exactly what was asked for. */
  readonly timeAtCutMs: number | undefined;
  /** The last stretch of missing offsets. */
  readonly lastGap: (Stretch & { readonly timeBeforeMs: number; readonly timeAfterMs: number | undefined }) | undefined;
  /** Some batch carries its producer's time instead of the log's. */
  readonly createTime: boolean;
  /** Another leader answered for a part of what was read from the candidate (or the start) on. */
  readonly leaderChanged: boolean;
  /** From reading the candidate (or the start) to the end of the reading, by a monotonic clock. */
  readonly readingMs: number;
  /** Highest stamp below {@link CompactionRules.cleanedBelow}, of removed records too. */
  readonly cleanedToMs: number;
}

export interface Candidate {
  readonly offset: number;
  /** When it was appended: at this time, or by {@link latestMs} where a removed record may have carried a later one. */
  readonly timeMs: number;
  readonly latestMs: number;
}

/** How the topic is cleaned. */
export interface CompactionRules {
  /** `min.compaction.lag.ms`; `undefined`: nothing is known to be spared, such as when the policy also deletes. */
  readonly lagMs: number | undefined;
  readonly deleteRetentionMs: number;
  /** Rules that were in force until some time, right or wrong: what they let the cleaner take is gone. */
  readonly earlier: readonly { readonly untilMs: number; readonly lagMs: number }[];
  /** Where the log itself says how far its cleaner may have been; `undefined`: it does not. */
  readonly cleanedBelow: number | undefined;
  /** By how much the clocks of brokers, and ours, may differ. */
  readonly clockMarginMs: number;
}

type ProofReason =
  | 'before-window'
  | 'unexplained-gap'
  | 'log-start'
  | 'leader-change'
  | 'slow-read'
  | 'create-time'
  | 'policy'
  | 'too-recent'
  | 'other-binlog'
  | 'beyond-end';

export type Proof =
  | {
      readonly verdict: 'proved';
      readonly by: 'contiguity' | 'window' | 'value';
      /** Offset of the record that the key held; `undefined`: it was absent. */
      readonly offset: number | undefined;
      /** The record came into force at an unknown time in here, and the time asked for lies in it too. */
      readonly between: { readonly fromMs: number; readonly toMs: number } | undefined;
    }
  | {
      readonly verdict: 'not provable';
      readonly reason: ProofReason;
      readonly message: string;
      /** From this time on such a question would be answered; `undefined`: no time helps. */
      readonly provableFromMs: number | undefined;
    };

export function prove(cut: Cut, evidence: Evidence, rules: CompactionRules): Proof {
  const { candidate, startOffset, endOffset, readEndMs, missing } = evidence;
  const { clockMarginMs } = rules;
  if ('nextOffset' in cut && cut.nextOffset > endOffset)
    return no('beyond-end', `the partition ends at offset ${endOffset}`, undefined);
  if ('timeMs' in cut && !evidence.cutPassed && (evidence.createTime || cut.timeMs >= readEndMs - clockMarginMs))
    return no('too-recent', tooRecent(evidence, rules), undefined);
  const anchored = candidate !== undefined || startOffset === 0;

  if (missing === undefined && anchored) {
    if (evidence.createTime && 'timeMs' in cut && (candidate?.latestMs ?? -Infinity) > cut.timeMs)
      return no('create-time', 'a record that is gone may have carried a later time: ask for a position', undefined);
    return proved('contiguity', cut, candidate);
  }
  if (evidence.createTime)
    return no('create-time', `offsets are missing, and times are the producers': ${rangeOf(missing)}`, undefined);
  if (rules.lagMs === undefined)
    return no('policy', `offsets are missing, and nothing is known to be kept: ${rangeOf(missing)}`, undefined);
  if (evidence.leaderChanged) return no('leader-change', 'the leader changed while it was read: ask again', undefined);
  if (evidence.readingMs * 2 > rules.deleteRetentionMs)
    return no('slow-read', `reading took ${Math.round(evidence.readingMs)} ms: ask again`, undefined);

  const untouched = windowOf(evidence, rules);
  const inside = 'timeMs' in cut ? cut.timeMs >= untouched.fromMs : isBehind(cut.nextOffset, evidence, untouched);
  const from = untouched.fromMs === Infinity ? undefined : untouched.fromMs;
  if (candidate === undefined && startOffset > 0)
    return no('log-start', `the partition begins at offset ${startOffset}: what was below is not known`, undefined);
  if (inside) return proved('window', cut, candidate);
  if (candidate === undefined)
    return no('before-window', `a record that compaction removed may have been in ${rangeOf(missing)}`, from);
  if (untouched.alarm !== undefined)
    return no('unexplained-gap', `${rangeOf(untouched.alarm)} are missing where no cleaner may have been`, from);
  const { later } = evidence;
  if (later !== undefined && !holds(untouched, later.offset, later.timeMs))
    return no(
      'before-window',
      `between offsets ${candidate.offset} and ${later.offset} a record that compaction removed may have been`,
      from,
    );
  return proved('value', cut, candidate);
}

function tooRecent({ createTime, readEndMs, endOffset }: Evidence, { clockMarginMs }: CompactionRules): string {
  const until =
    createTime || readEndMs === -Infinity ? '' : `, which it tells until ${isoTime(readEndMs - clockMarginMs)}`;
  return `the log may hold or get records of that time that were not read${until}: ask for the position ${endOffset}`;
}

/** From where on records are as they were appended: from this time, and where it is known from this offset. */
export interface Bound {
  readonly fromMs: number;
  readonly fromOffset: number | undefined;
  /** Records are missing behind where a cleaner may have been: something else removes them too. */
  readonly alarm?: Stretch;
}

const holds = ({ fromMs, fromOffset }: Bound, offset: number, timeMs: number): boolean =>
  fromOffset === undefined ? timeMs >= fromMs : offset >= fromOffset;

/** [safety] A gap behind the bound shows that somebody has removed records further on: then it begins behind that. */
export function windowOf(
  { readEndMs, lastGap, cleanedToMs }: Evidence,
  { lagMs, earlier, cleanedBelow, clockMarginMs }: CompactionRules,
): Bound {
  const cleanedMs = [{ untilMs: readEndMs, lagMs: lagMs ?? 0 }, ...earlier].map((r) => r.untilMs - r.lagMs);
  const bound: Bound =
    cleanedBelow === undefined
      ? { fromMs: Math.max(...cleanedMs) + clockMarginMs, fromOffset: undefined }
      : { fromMs: cleanedToMs, fromOffset: cleanedBelow };
  return lastGap !== undefined && holds(bound, lastGap.fromOffset, lastGap.timeBeforeMs)
    ? { fromMs: lastGap.timeAfterMs ?? Infinity, fromOffset: lastGap.toOffset, alarm: lastGap }
    : bound;
}

/** Whether no offset from the cut on can have been cleaned. */
function isBehind(cutOffset: number, evidence: Evidence, bound: Bound): boolean {
  if (cutOffset === evidence.endOffset) return true;
  if (bound.fromOffset !== undefined) return cutOffset >= bound.fromOffset;
  return Math.max(evidence.timeBeforeCutMs, evidence.timeAtCutMs ?? -Infinity) >= bound.fromMs;
}

function proved(by: 'contiguity' | 'window' | 'value', cut: Cut, candidate: Candidate | undefined): Proof {
  const unsure = by !== 'window' && candidate !== undefined && 'timeMs' in cut && cut.timeMs < candidate.latestMs;
  const between = unsure ? { fromMs: candidate.timeMs, toMs: candidate.latestMs } : undefined;
  return { verdict: 'proved', by, offset: candidate?.offset, between };
}

const no = (reason: ProofReason, message: string, provableFromMs: number | undefined): Proof => ({
  verdict: 'not provable',
  reason,
  message,
  provableFromMs,
});

const rangeOf = (missing: Stretch | undefined): string =>
  missing === undefined ? 'what is below the start' : `offsets ${missing.fromOffset} to ${missing.toOffset - 1}`;
