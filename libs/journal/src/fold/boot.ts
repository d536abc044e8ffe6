import type { Checkpoint } from '@levee/events';
import { asOffset, type Clock, Failure, messageOf, type Offset, type RareWarning } from '@levee/kernel';
import { type Log, type LogBatch, LogFailure } from '@levee/log';
import { foreignRecord, keepForeign, type ForeignRecord } from '../record/foreign-record';
import { compactedTopics, type ControlTopics } from '../topics/control-topics';
import { readToEnd } from '../topics/read-topic';
import { CatchUp, entitiesOf, positionOf, ProjectionMismatch } from './catch-up';
import { type Adopted, JournalFold } from './journal-fold';
import { holeIn, holeWords, type JournalHole, readAcross } from './journal-holes';
import { ProjectedTopic } from './projection-records';
import {
  furthestAhead,
  holeSentence,
  missingFrom,
  seenBy,
  shortAdvice,
  shortSentence,
  witnessesIn,
  type Witness,
} from './witness';

/** How a fold came to be, for status pages and for the master, which rewrites projections that were wrong. */
export interface BootReport {
  readonly source: 'checkpoint' | 'journal';
  /** Why the compacted topics could not be used. */
  readonly reason: string | undefined;
  readonly journalRecords: number;
  /** Why the journal has lost its end, in words; `undefined` when everything that was seen of it is there. */
  readonly short: string | undefined;
  /** Who has seen what the journal lacks. */
  readonly witness: Witness | undefined;
  /** The stretch of the journal for which it is short: it cannot be read. */
  readonly hole: JournalHole | undefined;
  /** The fold stands at a decision that the journal does not hold. */
  readonly detached: boolean;
}

export interface Booted {
  readonly fold: JournalFold;
  readonly report: BootReport;
  /** The last ones that were passed over, oldest first. */
  readonly foreign: ForeignRecord[];
}

export const bootLimits = { readDeadlineMs: 120_000, holesMax: 1_000 } as const;

/**
 * Builds the fold: from the compacted topics up to their checkpoint and the journal after it, or, when the topics
 * have none, are damaged, or disagree with the journal's digest (I8), from the journal's start.
 *
 * When the topics have seen decisions that the journal does not hold, it has lost its end. Then the fold is what the
 * topics say, if they are of one moment, or else what is left of the journal; the report says so, and nobody may decide
 * anything on top of it (decision record 0022). A caller that retries keeps its `warning` over all attempts.
 */
export async function bootFold(
  log: Log,
  topics: ControlTopics,
  options: { readonly clock: Clock; readonly warning: RareWarning },
): Promise<Booted> {
  const { clock, warning } = options;
  const all = await readProjections(log, topics, clock);
  const attempt = await fromCheckpoint(log, topics, { all, clock });
  if ('fold' in attempt) return attempt;
  const fresh = all[0]?.entities.size === 0;
  const doubt = fresh ? undefined : attempt.reason;
  if (doubt !== undefined)
    warning.warn(doubt, { reason: doubt }, 'folding the journal: the compacted topics cannot be used');
  const { startOffset = 0 } = (await log.offsets(topics.journal))[0] ?? {};
  if (startOffset > 0)
    throw new Failure(
      'JOURNAL_SHORT',
      `JOURNAL_SHORT: ${topics.journal} begins at offset ${startOffset}, not at 0, and no checkpoint can be used ` +
        `(${attempt.reason}): its first decisions are gone. Restore it from a backup`,
    );
  const { fold, foreign, journalRecords, holes } = await foldJournal(log, topics, { clock, holes: 'stop' });
  const [hole] = holes;
  const witness = furthestAhead(witnessesOf(topics, all), fold.position);
  const what = witness === undefined ? attempt.missing : seenBy(witness);
  const alarm = { log, journal: topics.journal };
  const short =
    hole === undefined
      ? what && shortSentence(alarm, fold.position, what)
      : holeSentence(alarm, fold.position, holeWords(topics.journal, hole));
  return {
    fold,
    report: { source: 'journal', reason: doubt, journalRecords, short, hole, witness, detached: false },
    foreign,
  };
}

export interface FoldedJournal extends Pick<Booted, 'fold' | 'foreign'> {
  readonly journalRecords: number;
  /** Stretches that the log cannot read. */
  readonly holes: readonly JournalHole[];
}

/**
 * The whole journal, from its start. At a stretch that cannot be read it fails, or with `stop` it ends, or with `cross`
 * it goes on behind it, as readers do once the log passes over it.
 */
export async function foldJournal(
  log: Log,
  topics: Pick<ControlTopics, 'journal'>,
  options: {
    readonly clock: Clock;
    readonly holes?: 'fail' | 'stop' | 'cross';
    readonly onAdopted?: (adopted: Adopted) => void;
  },
): Promise<FoldedJournal> {
  const { clock, onAdopted = () => undefined } = options;
  const fold = new JournalFold();
  const foreign: ForeignRecord[] = [];
  const holes: JournalHole[] = [];
  let journalRecords = 0;
  const reading = {
    clock,
    deadlineMs: bootLimits.readDeadlineMs,
    onBatch: (batch: LogBatch) => {
      for (const record of batch.records) {
        const folded = fold.apply(record);
        if (folded.kind === 'foreign') keepForeign(foreign, foreignRecord(record, folded.why));
        if (folded.kind === 'adopted') onAdopted(folded.adopted);
      }
      fold.chain.passTo(batch.nextOffset);
      journalRecords += batch.records.length;
    },
  };
  try {
    if (options.holes !== 'cross') await readToEnd(log, topics.journal, reading);
    else await readAcross(log, topics.journal, { ...reading, onHole: (hole) => void holes.push(hole) });
  } catch (error) {
    const hole = options.holes === 'stop' ? holeIn(error) : undefined;
    if (hole === undefined) throw error;
    holes.push(hole);
  }
  return { fold, foreign, journalRecords, holes };
}

/** What the compacted topics say, in the order of `compactedTopics`. */
export async function readProjections(log: Log, topics: ControlTopics, clock: Clock): Promise<ProjectedTopic[]> {
  const all: ProjectedTopic[] = [];
  for (const topic of compactedTopics(topics)) all.push(await readProjection(log, topic, clock));
  return all;
}

/** Everything that the compacted topics have seen of the journal. */
export function* witnessesOf(topics: ControlTopics, all: readonly ProjectedTopic[]): Generator<Witness> {
  for (const [i, name] of compactedTopics(topics).entries()) {
    const topic = all[i];
    if (topic !== undefined) yield* witnessesIn(name, topic);
  }
}

async function readProjection(log: Log, topic: string, clock: Clock): Promise<ProjectedTopic> {
  const projected = new ProjectedTopic();
  let from: Offset | undefined;
  do {
    from = await readUpToHole(log, topic, { projected, from, clock });
  } while (from !== undefined && projected.holes.length < bootLimits.holesMax);
  return projected;
}

/** Where reading goes on behind a stretch that the log cannot read; `undefined` = it has come to the end, or nowhere. */
async function readUpToHole(
  log: Log,
  topic: string,
  at: { readonly projected: ProjectedTopic; readonly from: Offset | undefined; readonly clock: Clock },
): Promise<Offset | undefined> {
  const { projected, from, clock } = at;
  try {
    await readToEnd(log, topic, {
      clock,
      deadlineMs: bootLimits.readDeadlineMs,
      ...(from === undefined ? {} : { from }),
      onBatch: (batch) => {
        for (const record of batch.records) projected.add(record);
      },
    });
    return undefined;
  } catch (error) {
    if (!(error instanceof LogFailure) || error.code !== 'RECORD_CORRUPT') throw error;
    projected.holes.push(messageOf(error));
    const behind = Number(error.details?.['to']);
    return behind > (from ?? -1) ? asOffset(behind) : undefined;
  }
}

interface Projections {
  readonly all: readonly ProjectedTopic[];
  readonly clock: Clock;
}

type Attempt = Booted | { readonly reason: string; readonly missing?: string };

/**
 * The topics are written one after another, so they may stand at different decisions, and hold entities newer than
 * their checkpoints. The journal is read from the older checkpoint; an event older than what a topic already says of
 * its entity is left out; where the newest thing seen was decided, everything agrees and the digest is compared.
 */
async function fromCheckpoint(log: Log, topics: ControlTopics, projections: Projections): Promise<Attempt> {
  const { all, clock } = projections;
  const damaged = all.find((topic) => topic.damaged !== undefined)?.damaged;
  if (damaged !== undefined) return { reason: `a record cannot be read: ${damaged}` };
  const checkpoints = all.flatMap(({ checkpoint }) => checkpoint ?? []).sort((a, b) => a.seq - b.seq);
  const [base] = checkpoints;
  const newest = checkpoints.at(-1);
  if (base === undefined || newest === undefined || checkpoints.length < all.length)
    return { reason: 'there is no checkpoint' };
  const clusterId = clusterIdIn(all);
  if (clusterId === undefined) return { reason: 'they do not name the cluster' };
  const position = positionOf(base, clusterId);
  let journalRecords = 0;
  const moment = { all, checkpoint: newest, clusterId };
  try {
    const missing = await missingFrom(log, topics.journal, { position, clock });
    if (missing !== undefined) return await ofOneMoment(log, topics, { ...moment, missing });
    const catchUp = new CatchUp(base, all, { checkpointSeqMax: newest.seq, clusterId });
    await readToEnd(log, topics.journal, {
      clock,
      deadlineMs: bootLimits.readDeadlineMs,
      from: position.nextOffset,
      onBatch: (batch) => {
        for (const record of batch.records) catchUp.add(record);
        catchUp.passTo(batch.nextOffset);
        journalRecords += batch.records.length;
      },
    });
    if (catchUp.missing !== undefined) return await ofOneMoment(log, topics, { ...moment, missing: catchUp.missing });
    const fold = catchUp.finish();
    recallClaim(fold, all);
    const witness = furthestAhead(witnessesOf(topics, all), fold.position);
    const short = witness && shortSentence({ log, journal: topics.journal }, fold.position, seenBy(witness));
    const report = {
      source: 'checkpoint',
      reason: undefined,
      journalRecords,
      short,
      hole: undefined,
      witness,
      detached: false,
    } as const;
    return { fold, report, foreign: catchUp.foreign };
  } catch (error) {
    if (error instanceof ProjectionMismatch) return { reason: error.message };
    const hole = holeIn(error);
    if (hole === undefined) throw error;
    return ofOneMoment(log, topics, { ...moment, missing: holeWords(topics.journal, hole), hole });
  }
}

/** The state as the compacted topics have it, whatever the journal holds; only when their digest shows it whole. */
async function ofOneMoment(
  log: Log,
  topics: ControlTopics,
  of: {
    readonly all: readonly ProjectedTopic[];
    readonly checkpoint: Checkpoint;
    readonly clusterId: string;
    readonly missing: string;
    readonly hole?: JournalHole;
  },
): Promise<Attempt> {
  const { all, checkpoint, clusterId, missing, hole } = of;
  const { table, events } = entitiesOf(all);
  if (table.digest !== checkpoint.digest) return { reason: missing, missing };
  const { endOffset = 0 } = (await log.offsets(topics.journal))[0] ?? {};
  const fold = new JournalFold({ position: positionOf(checkpoint, clusterId), table, events: [...events.values()] });
  recallClaim(fold, all);
  const { seq, term } = checkpoint;
  const witness = { seq, term, who: 'the checkpoint of the compacted topics' };
  const short =
    hole === undefined
      ? `JOURNAL_SHORT: ${topics.journal}, which ends at offset ${endOffset}, has lost its end: ${seenBy(witness)}, ` +
        `${missing}. ${shortAdvice(log)}`
      : holeSentence({ log, journal: topics.journal }, fold.position, missing);
  const report = {
    source: 'checkpoint',
    reason: undefined,
    journalRecords: 0,
    short,
    hole,
    witness,
    detached: true,
  } as const;
  return { fold, report, foreign: [] };
}

function recallClaim(fold: JournalFold, all: readonly ProjectedTopic[]): void {
  const claim = all[0]?.claim;
  if (claim !== undefined) fold.recall(claim);
}

/** Claims are judged by it: without it a fold from here could differ from one of the whole journal. */
function clusterIdIn(topics: readonly ProjectedTopic[]): string | undefined {
  for (const { entities } of topics)
    for (const { event } of entities.values()) if (event?.kind === 'cluster') return event.entity.clusterId;
  return undefined;
}
