import type { Checkpoint } from '@levee/events';
import { asOffset, type Clock, Failure, type Logger, messageOf, type Offset } from '@levee/kernel';
import { type Log, LogFailure, type StoredRecord } from '@levee/log';
import { compactedTopics, type ControlTopics } from './control-topics';
import { EntityTable } from './entity-table';
import { foreignRecord, keepForeign, type ForeignRecord } from './foreign-record';
import { JournalChain, type ChainPosition } from './journal-chain';
import { type Adopted, JournalFold, putEvent } from './journal-fold';
import { ProjectedTopic } from './projection-records';
import { readToEnd } from './read-topic';
import {
  furthestAhead,
  isAhead,
  missingFrom,
  seenBy,
  shortAdvice,
  shortSentence,
  witnessesIn,
  type Witness,
} from './witness';
import { entityKey, type ClusterEvent } from '@levee/cluster';

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
 * anything on top of it (decision record 0022).
 */
export async function bootFold(
  log: Log,
  topics: ControlTopics,
  options: { readonly clock: Clock; readonly logger: Logger },
): Promise<Booted> {
  const { clock, logger } = options;
  const all = await readProjections(log, topics, clock);
  const attempt = await fromCheckpoint(log, topics, { all, clock });
  if ('fold' in attempt) return attempt;
  const fresh = all[0]?.entities.size === 0;
  if (!fresh) logger.warn({ reason: attempt.reason }, 'folding the journal: the compacted topics cannot be used');
  const { startOffset = 0 } = (await log.offsets(topics.journal))[0] ?? {};
  if (startOffset > 0)
    throw new Failure(
      'JOURNAL_SHORT',
      `JOURNAL_SHORT: ${topics.journal} begins at offset ${startOffset}, not at 0, and no checkpoint can be used ` +
        `(${attempt.reason}): its first decisions are gone. Restore it from a backup`,
    );
  const { fold, foreign, journalRecords } = await foldJournal(log, topics, clock);
  const witness = furthestAhead(witnessesOf(topics, all), fold.position);
  const what = witness === undefined ? attempt.missing : seenBy(witness);
  const short = what && shortSentence({ log, journal: topics.journal }, fold.position, what);
  const reason = fresh ? undefined : attempt.reason;
  return { fold, report: { source: 'journal', reason, journalRecords, short, witness, detached: false }, foreign };
}

/** The whole journal, from its start. */
export async function foldJournal(
  log: Log,
  topics: Pick<ControlTopics, 'journal'>,
  clock: Clock,
  onAdopted: (adopted: Adopted) => void = () => undefined,
): Promise<Pick<Booted, 'fold' | 'foreign'> & { readonly journalRecords: number }> {
  const fold = new JournalFold();
  const foreign: ForeignRecord[] = [];
  let journalRecords = 0;
  await readToEnd(log, topics.journal, {
    clock,
    deadlineMs: bootLimits.readDeadlineMs,
    onBatch: (batch) => {
      for (const record of batch.records) {
        const folded = fold.apply(record);
        if (folded.kind === 'foreign') keepForeign(foreign, foreignRecord(record, folded.why));
        if (folded.kind === 'adopted') onAdopted(folded.adopted);
      }
      fold.chain.passTo(batch.nextOffset);
      journalRecords += batch.records.length;
    },
  });
  return { fold, foreign, journalRecords };
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

export async function readProjection(log: Log, topic: string, clock: Clock): Promise<ProjectedTopic> {
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
  const missing = await missingFrom(log, topics.journal, { position, clock });
  if (missing !== undefined) return ofOneMoment(log, topics, { all, checkpoint: newest, clusterId, missing });
  let journalRecords = 0;
  try {
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
    if (catchUp.missing !== undefined)
      return ofOneMoment(log, topics, { all, checkpoint: newest, clusterId, missing: catchUp.missing });
    const fold = catchUp.finish();
    recallClaim(fold, all);
    const witness = furthestAhead(witnessesOf(topics, all), fold.position);
    const short = witness && shortSentence({ log, journal: topics.journal }, fold.position, seenBy(witness));
    const report = {
      source: 'checkpoint',
      reason: undefined,
      journalRecords,
      short,
      witness,
      detached: false,
    } as const;
    return { fold, report, foreign: catchUp.foreign };
  } catch (error) {
    if (error instanceof ProjectionMismatch) return { reason: error.message };
    throw error;
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
  },
): Promise<Attempt> {
  const { all, checkpoint, clusterId, missing } = of;
  const { table, events } = entitiesOf(all);
  if (table.digest !== checkpoint.digest) return { reason: missing, missing };
  const { endOffset = 0 } = (await log.offsets(topics.journal))[0] ?? {};
  const fold = new JournalFold({ position: positionOf(checkpoint, clusterId), table, events: [...events.values()] });
  recallClaim(fold, all);
  const { seq, term } = checkpoint;
  const witness = { seq, term, who: 'the checkpoint of the compacted topics' };
  const short =
    `JOURNAL_SHORT: ${topics.journal}, which ends at offset ${endOffset}, has lost its end: ${seenBy(witness)}, ` +
    `${missing}. ${shortAdvice(log)}`;
  const report = {
    source: 'checkpoint',
    reason: undefined,
    journalRecords: 0,
    short,
    witness,
    detached: true,
  } as const;
  return { fold, report, foreign: [] };
}

function recallClaim(fold: JournalFold, all: readonly ProjectedTopic[]): void {
  const claim = all[0]?.claim;
  if (claim !== undefined) fold.recall(claim);
}

/** Where a fold of the journal stood when the checkpoint was written. */
export function positionOf(checkpoint: Checkpoint, clusterId: string | undefined): ChainPosition {
  const { seq, term, previousSha256, commandsOffset, journalOffset } = checkpoint;
  return { seq, term, previousSha256, commandsOffset, nextOffset: asOffset(journalOffset), clusterId };
}

/** Bytes of all entities, and what they say. */
function entitiesOf(all: readonly ProjectedTopic[]): { table: EntityTable; events: Map<string, ClusterEvent> } {
  const table = new EntityTable();
  const events = new Map<string, ClusterEvent>();
  for (const { entities } of all)
    for (const [key, { bytes, event }] of entities) {
      if (event === undefined) continue;
      table.set(key, bytes);
      events.set(key, event);
    }
  return { table, events };
}

/** Claims are judged by it: without it a fold from here could differ from one of the whole journal. */
function clusterIdIn(topics: readonly ProjectedTopic[]): string | undefined {
  for (const { entities } of topics)
    for (const { event } of entities.values()) if (event?.kind === 'cluster') return event.entity.clusterId;
  return undefined;
}

class ProjectionMismatch extends Error {
  override readonly name = 'ProjectionMismatch';
}

/** Follows the journal over raw entities until they are of one moment, then as a fold. */
class CatchUp {
  readonly foreign: ForeignRecord[] = [];
  private readonly table: EntityTable;
  /** What the bytes of `table` say. */
  private readonly events: Map<string, ClusterEvent>;
  private readonly chain: JournalChain;
  private fold: JournalFold | undefined;
  private readonly targetSeq: number;

  constructor(
    base: Checkpoint,
    private readonly topics: readonly ProjectedTopic[],
    options: { readonly checkpointSeqMax: number; readonly clusterId: string },
  ) {
    let targetSeq = options.checkpointSeqMax;
    for (const { entities } of topics)
      for (const { seq, term } of entities.values()) if (term > 0) targetSeq = Math.max(targetSeq, seq);
    this.targetSeq = targetSeq;
    ({ table: this.table, events: this.events } = entitiesOf(topics));
    this.chain = new JournalChain(positionOf(base, options.clusterId));
    if (this.targetSeq === base.seq) this.become(base.digest);
  }

  add(record: StoredRecord): void {
    const link = this.fold?.apply(record) ?? this.chain.accept(record);
    if (link.kind === 'foreign') keepForeign(this.foreign, foreignRecord(record, link.why));
    if (link.kind !== 'decision') return;
    for (const [i, event] of link.events.entries()) {
      const key = entityKey(event);
      const known = this.topics.find(({ entities }) => entities.has(key))?.entities.get(key);
      if (known !== undefined && known.seq >= link.decision.seq) continue;
      putEvent(this.table, event, link.decision.events[i] as Uint8Array);
      if (event.kind === 'removed') this.events.delete(key);
      else this.events.set(key, event);
    }
    if (link.decision.seq === this.targetSeq) this.become(link.decision.stateDigest);
  }

  passTo(nextOffset: StoredRecord['offset']): void {
    (this.fold?.chain ?? this.chain).passTo(nextOffset);
  }

  /** What the topics have seen and the journal does not hold, once it was read to its end. */
  get missing(): string | undefined {
    const { seq } = this.chain.position;
    if (this.fold !== undefined || !isAhead({ seq: this.targetSeq, term: 0 }, { seq, term: 0 })) return undefined;
    return `they speak of decision ${this.targetSeq}, the journal ends at ${seq} in force`;
  }

  finish(): JournalFold {
    if (this.fold !== undefined) return this.fold;
    throw new ProjectionMismatch(`they speak of decision ${this.targetSeq}, which the journal does not hold`);
  }

  private become(digest: string): void {
    if (this.table.digest !== digest)
      throw new ProjectionMismatch(
        `I8: at decision ${this.targetSeq} they have digest ${this.table.digest}, the journal has ${digest}`,
      );
    this.fold = new JournalFold({
      position: this.chain.position,
      table: this.table,
      events: [...this.events.values()],
    });
  }
}
