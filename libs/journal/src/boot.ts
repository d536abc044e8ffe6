import type { Checkpoint } from '@levee/events';
import { asOffset, type Clock, defined, Failure, type Logger } from '@levee/kernel';
import type { Log, StoredRecord } from '@levee/log';
import type { ControlTopics } from './control-topics';
import { EntityTable } from './entity-table';
import { foreignRecord, keepForeign, type ForeignRecord } from './foreign-record';
import { JournalChain } from './journal-chain';
import { JournalFold, putEvent } from './journal-fold';
import { ProjectedTopic } from './projection-records';
import { readToEnd } from './read-topic';
import { entityKey, type ClusterEvent } from '@levee/cluster';

/** How a fold came to be, for status pages and for the master, which rewrites projections that were wrong. */
export interface BootReport {
  readonly source: 'checkpoint' | 'journal';
  /** Why the compacted topics could not be used. */
  readonly reason: string | undefined;
  readonly journalRecords: number;
}

export interface Booted {
  readonly fold: JournalFold;
  readonly report: BootReport;
  /** The last ones that were passed over, oldest first. */
  readonly foreign: ForeignRecord[];
}

export const bootLimits = { readDeadlineMs: 120_000 } as const;

/**
 * Builds the fold: from the compacted topics up to their checkpoint and the journal after it, or, when the topics
 * have none, are damaged, or disagree with the journal's digest (I8), from the journal's start.
 */
export async function bootFold(
  log: Log,
  topics: ControlTopics,
  options: { readonly clock: Clock; readonly logger: Logger },
): Promise<Booted> {
  const metadata = await readProjection(log, topics.metadata, options.clock);
  const routes = await readProjection(log, topics.routes, options.clock);
  const plans = await readProjection(log, topics.plans, options.clock);
  const attempt = await fromCheckpoint(log, topics, { all: [metadata, routes, plans], clock: options.clock });
  if ('fold' in attempt) return attempt;
  const fresh = metadata.entities.size === 0;
  if (!fresh)
    options.logger.warn({ reason: attempt.reason }, 'folding the journal: the compacted topics cannot be used');
  const fold = new JournalFold();
  const startOffset = (await log.offsets(topics.journal))[0]?.startOffset ?? 0;
  if (startOffset > 0)
    throw new Failure(
      'JOURNAL_SHORT',
      `the journal ${topics.journal} begins at offset ${startOffset}, not at 0, and no checkpoint can be used ` +
        `(${attempt.reason}): its first decisions are gone. Restore it from a backup`,
    );
  const foreign: ForeignRecord[] = [];
  let journalRecords = 0;
  await readToEnd(log, topics.journal, {
    clock: options.clock,
    deadlineMs: bootLimits.readDeadlineMs,
    onBatch: (batch) => {
      for (const record of batch.records) {
        const folded = fold.apply(record);
        if (folded.kind === 'foreign') keepForeign(foreign, foreignRecord(record, folded.why));
      }
      fold.chain.passTo(batch.nextOffset);
      journalRecords += batch.records.length;
    },
  });
  return { fold, report: { source: 'journal', reason: fresh ? undefined : attempt.reason, journalRecords }, foreign };
}

export async function readProjection(log: Log, topic: string, clock: Clock): Promise<ProjectedTopic> {
  const projected = new ProjectedTopic();
  await readToEnd(log, topic, {
    clock,
    deadlineMs: bootLimits.readDeadlineMs,
    onBatch: (batch) => {
      for (const record of batch.records) projected.add(record);
    },
  });
  return projected;
}

interface Projections {
  readonly all: readonly ProjectedTopic[];
  readonly clock: Clock;
}

type Attempt = Booted | { reason: string };

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
  const base = checkpoints[0];
  if (base === undefined || checkpoints.length < all.length) return { reason: 'there is no checkpoint' };
  const clusterId = clusterIdIn(all);
  if (clusterId === undefined) return { reason: 'they do not name the cluster' };
  let journalRecords = 0;
  try {
    const checkpointSeqMax = defined(checkpoints.at(-1), 'the newest checkpoint').seq;
    const catchUp = new CatchUp(base, all, { checkpointSeqMax, clusterId });
    await readToEnd(log, topics.journal, {
      clock,
      deadlineMs: bootLimits.readDeadlineMs,
      from: asOffset(base.journalOffset),
      onBatch: (batch) => {
        for (const record of batch.records) catchUp.add(record);
        catchUp.passTo(batch.nextOffset);
        journalRecords += batch.records.length;
      },
    });
    const fold = catchUp.finish();
    const claim = all[0]?.claim;
    if (claim !== undefined) fold.recall(claim);
    return { fold, report: { source: 'checkpoint', reason: undefined, journalRecords }, foreign: catchUp.foreign };
  } catch (error) {
    if (error instanceof ProjectionMismatch) return { reason: error.message };
    throw error;
  }
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
  private readonly table = new EntityTable();
  /** What the bytes of `table` say. */
  private readonly events = new Map<string, ClusterEvent>();
  private readonly chain: JournalChain;
  private fold: JournalFold | undefined;
  private readonly targetSeq: number;

  constructor(
    base: Checkpoint,
    private readonly topics: readonly ProjectedTopic[],
    options: { readonly checkpointSeqMax: number; readonly clusterId: string },
  ) {
    const { checkpointSeqMax, clusterId } = options;
    let targetSeq = checkpointSeqMax;
    for (const { entities } of topics)
      for (const [key, { bytes, seq, event }] of entities) {
        targetSeq = Math.max(targetSeq, seq);
        if (event === undefined) continue;
        this.table.set(key, bytes);
        this.events.set(key, event);
      }
    this.targetSeq = targetSeq;
    this.chain = new JournalChain({
      seq: base.seq,
      term: base.term,
      previousSha256: base.previousSha256,
      commandsOffset: base.commandsOffset,
      nextOffset: asOffset(base.journalOffset),
      clusterId,
    });
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

  finish(): JournalFold {
    if (this.fold !== undefined) return this.fold;
    const { seq } = this.chain.position;
    throw new ProjectionMismatch(`they speak of decision ${this.targetSeq}, the journal ends at ${seq} in force`);
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
