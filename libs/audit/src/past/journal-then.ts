import type { ClusterEvent } from '@levee/cluster';
import type { Decision } from '@levee/events';
import { type Adopted, isBridge, JournalChain, JournalFold, stretchWords } from '@levee/journal';
import { Failure, isoTime, messageOf } from '@levee/kernel';
import type { StoredBatch, StoredRecord } from '@levee/log';
import type { Precondition } from '../proof/preconditions';
import { proofLimits } from '../proof/read-key';
import { seqIn } from '../verify/verify-journal';
import { readProjected } from '../verify/verify-projections';
import { type AuditWorld, walkPartition } from '../verify/walk-partition';
import { DecisionPlaces } from './decision-places';

/** All that was in the log at a time (ms since 1970); the state right behind a decision; behind the last one. */
export type Moment = { readonly timeMs: number } | { readonly seq: number } | { readonly newest: true };

/** A decision in force, by where it stands in the log. */
export interface PlacedDecision {
  readonly seq: number;
  readonly term: number;
  /** Offset in the journal. */
  readonly offset: number;
  /** When the log took it, ms since 1970; never before that of a decision before it. */
  readonly atMs: number;
}

/** Stable words, for scripts. */
export type UnprovableReason =
  | 'journal-cut'
  | 'journal-unreadable'
  | 'journal-broken'
  | 'journal-short'
  | 'later'
  | 'producer-times'
  | 'no-such-decision'
  | 'decision-lost';

/** The control plane as it was, from the journal alone. */
export interface JournalThen {
  readonly verdict: 'proved';
  readonly fold: JournalFold;
  /** The last one in force; `undefined`: there was none yet. */
  readonly decision: PlacedDecision | undefined;
  /** The first one behind it, which ends how it was; `undefined`: none is there yet. */
  readonly next: PlacedDecision | undefined;
  readonly places: DecisionPlaces;
  readonly preconditions: readonly Precondition[];
}

export interface NotProvable {
  readonly verdict: 'not provable';
  readonly reason: UnprovableReason;
  readonly message: string;
}

/** Readings of a journal that grows meanwhile, before its end is taken for lost. */
const roundsMax = 3;

/**
 * Folds the journal up to a moment: terms, numbers, the chain of SHA-256 and the digest of each state are checked on the
 * way, as every process does. Where the journal does not reach back, or was not whole, nothing is told. Fails with
 * TOPIC_MISSING, INTERRUPTED and as `Log.tail` does.
 */
export async function journalThen(
  world: AuditWorld,
  moment: Moment,
  how: { readonly clockMarginMs?: number | undefined; readonly bytesMax?: number | undefined } = {},
): Promise<JournalThen | NotProvable> {
  const { log, topics } = world;
  for (let round = 1; ; round++) {
    const { answer, endOffset } = await readThen(world, moment, how);
    if (answer.verdict === 'proved' || answer.reason !== 'journal-short' || round >= roundsMax) return answer;
    // The topics were read after the journal, which may have gone on meanwhile.
    const [now] = await log.offsets(topics.journal);
    if (now === undefined || now.endOffset <= endOffset) return answer;
  }
}

/** One reading; `endOffset`: up to where. */
async function readThen(
  world: AuditWorld,
  moment: Moment,
  { clockMarginMs, bytesMax }: { readonly clockMarginMs?: number | undefined; readonly bytesMax?: number | undefined },
): Promise<{ readonly answer: JournalThen | NotProvable; readonly endOffset: number }> {
  const { log, topics } = world;
  const topic = topics.journal;
  if ((await log.describeTopics([topic])).length === 0)
    throw new Failure('TOPIC_MISSING', `there is no topic ${topic}: is the prefix another one?`);
  const [bounds] = await log.offsets(topic);
  const startOffset = bounds?.startOffset ?? 0;
  if (startOffset > 0) {
    const answer = unprovable(
      'journal-cut',
      `the journal begins at offset ${startOffset}: what was decided before is gone, so nothing that rests on it can be told`,
    );
    return { answer, endOffset: startOffset };
  }
  // The embedded log has one clock, and knows what its cleaner did; brokers have one each.
  const marginMs = bounds?.cleanedBelow === undefined ? (clockMarginMs ?? proofLimits.clockMarginMs) : 0;
  const nowMs = world.clock.nowMs();
  const walker = new MomentWalker(moment);
  const { endOffset } = await walkPartition(
    world,
    { topic, partition: 0, stored: true, ...(bytesMax === undefined ? {} : { bytesMax }) },
    {
      onBatch: ({ stored = [] }) => {
        for (const batch of stored) walker.batch(batch);
      },
      onHole: (hole) =>
        walker.lost('journal-unreadable', `the journal cannot be read ${stretchWords(hole)}: ${hole.why}`),
      isEnough: () => walker.isDone,
    },
  );
  // Who has seen more than a journal that cannot be read tells nothing new.
  const problem = walker.problem;
  if (problem !== undefined) return { answer: problem, endOffset };
  const beyond = walker.isPast ? undefined : await beyondItsEnd(world, walker, { moment, nowMs, marginMs });
  return {
    answer: beyond ?? {
      verdict: 'proved',
      fold: walker.fold,
      decision: walker.decision,
      next: walker.next,
      places: walker.places,
      preconditions: restsOn(walker, moment, marginMs),
    },
    endOffset,
  };
}

/** Kind of the command that a repair's decisions are said to decide: one for each number that was lost. */
const repairKind = 'RepairJournal';

/** Whether decisions were lost before it, whose place it takes. */
export const makesUpForLost = (decision: Pick<Decision, 'command' | 'rejectionCode'>): boolean =>
  isBridge(decision) || isRepair(decision);

const isRepair = ({ command, rejectionCode }: Pick<Decision, 'command' | 'rejectionCode'>): boolean =>
  command.kind === repairKind && rejectionCode === null;

/** The last number that a repair took, which has its state: what the ones before it had decided is lost. */
function repairedUpTo(decision: Decision): number | undefined {
  if (!isRepair(decision)) return undefined;
  try {
    const { seqMax } = JSON.parse(decision.command.payload) as { readonly seqMax?: unknown };
    if (typeof seqMax === 'number') return seqMax;
  } catch {
    // Of no version that this build knows.
  }
  return decision.events.length === 0 ? decision.seq + 1 : decision.seq;
}

/** Why nothing is told of a moment behind the journal's last record. */
async function beyondItsEnd(
  world: AuditWorld,
  { fold, decision }: MomentWalker,
  { moment, nowMs, marginMs }: { readonly moment: Moment; readonly nowMs: number; readonly marginMs: number },
): Promise<NotProvable | undefined> {
  const { seq } = fold.position;
  if ('seq' in moment)
    return moment.seq === seq
      ? undefined
      : unprovable('no-such-decision', `decision ${moment.seq} is not in the journal, whose last one is ${seq}`);
  const knownToMs = nowMs - marginMs;
  if ('timeMs' in moment && moment.timeMs > knownToMs)
    return unprovable(
      'later',
      `decisions of that time may still come, or have come elsewhere: the log is known up to ${isoTime(knownToMs)}` +
        (decision === undefined ? '' : `; as of decision ${decision.seq}, its last one, an answer can be given`),
    );
  // Who has seen a higher number knows that the journal lost its end: what stood there may be of before that time.
  const seen = (await readProjected(world)).map(({ topic, checkpointSeq }) => ({ topic, checkpointSeq }));
  const witness = seen.find(({ checkpointSeq }) => checkpointSeq > seq);
  return witness === undefined
    ? undefined
    : unprovable(
        'journal-short',
        `the journal ends with decision ${seq}, and ${witness.topic} has seen decision ${witness.checkpointSeq}: what came behind is lost`,
      );
}

const unprovable = (reason: UnprovableReason, message: string): NotProvable => ({
  verdict: 'not provable',
  reason,
  message,
});

function restsOn({ fold, decisions, isProducers }: MomentWalker, moment: Moment, marginMs: number): Precondition[] {
  const { seq, term } = fold.position;
  const lines: Precondition[] = [
    { name: 'journal start', state: 'holds', what: 'the journal begins at offset 0' },
    {
      name: 'chain',
      state: 'holds',
      what:
        `${decisions} decisions up to ${seq} of term ${term}: each names the SHA-256 of the one before it, and came to ` +
        `the state whose digest its master wrote (now ${fold.digest})`,
    },
  ];
  if ('timeMs' in moment && !isProducers) {
    lines.push({ name: 'append time', state: 'holds', what: 'all times are the log’s' });
    if (marginMs > 0)
      lines.push({ name: 'clocks', state: 'assumed', what: `clocks of brokers differ by at most ${marginMs} ms` });
  }
  return [
    ...lines,
    {
      name: 'reading',
      state: 'assumed',
      what: 'who served then had read the journal so far: how far each process was stands in no decision',
    },
  ];
}

/** One walk: the fold up to the moment, then the chain alone up to the next decision. */
class MomentWalker {
  readonly fold = new JournalFold();
  readonly places = new DecisionPlaces();
  decision: PlacedDecision | undefined;
  next: PlacedDecision | undefined;
  decisions = 0;
  isProducers = false;
  private clockMs = -Infinity;
  private behind: JournalChain | undefined;
  private isOver = false;
  private repairedTo: number | undefined;
  private isNextRepair = false;
  private trouble: NotProvable | undefined;

  constructor(private readonly moment: Moment) {}

  get isPast(): boolean {
    return this.behind !== undefined;
  }

  get isDone(): boolean {
    return this.isOver;
  }

  get problem(): NotProvable | undefined {
    if (this.trouble !== undefined) return this.trouble;
    if (this.isProducers && 'timeMs' in this.moment)
      return unprovable(
        'producer-times',
        'some times in the journal are of those who wrote it, not of the log: ask for a decision by its number',
      );
    return this.lostBehind;
  }

  /** Decisions were lost that may have been in force then. */
  private get lostBehind(): NotProvable | undefined {
    const { decision, repairedTo, next, isNextRepair } = this;
    const seq = decision?.seq ?? 0;
    if (repairedTo !== undefined && repairedTo > seq)
      return unprovable(
        'decision-lost',
        `decision ${seq} was lost: a repair at ${isoTime(decision?.atMs ?? 0)} took its number, and has a state again ` +
          `only with decision ${repairedTo}`,
      );
    if (!('timeMs' in this.moment) || next === undefined || !isNextRepair) return undefined;
    return unprovable(
      'decision-lost',
      `decisions behind ${seq} were lost and repaired at ${isoTime(next.atMs)}: what was in force before that is not known; ` +
        `as of decision ${seq}, by its number, an answer can be given`,
    );
  }

  /** What stood there may be in force: nothing is known from here on, up to a bridge. */
  lost(reason: UnprovableReason, message: string): void {
    if (this.behind === undefined) this.trouble ??= unprovable(reason, message);
    else this.isOver = true;
  }

  batch(batch: StoredBatch): void {
    if (this.isOver || batch.kind !== 'data') return;
    if (batch.timestampType === 'create' && this.behind === undefined) this.isProducers = true;
    for (const record of batch.records()) {
      if (this.isOver) return;
      this.clockMs = Math.max(this.clockMs, record.timestampMs);
      if ('timeMs' in this.moment && this.clockMs > this.moment.timeMs) this.end();
      if (this.behind === undefined) this.before(record);
      else this.after(record, this.behind);
    }
  }

  private before(record: StoredRecord): void {
    const { offset } = record;
    const { seq } = this.fold.position;
    try {
      const folded = this.fold.apply(record);
      if (folded.kind === 'adopted') this.adopted(folded.adopted, offset);
      else if (folded.kind === 'foreign' && (seqIn(record) ?? 0) > seq + 1)
        this.lost('journal-broken', `at offset ${offset}, ${folded.why}: what is missing may have been in force`);
    } catch (error) {
      // The fold may be half way through it.
      this.trouble = unprovable(
        'journal-broken',
        `at offset ${offset}: ${messageOf(error)}. levee audit verify says more`,
      );
      this.isOver = true;
    }
  }

  private adopted({ seq, term, decision, events }: Adopted, offset: number): void {
    if ('seq' in this.moment && seq > this.moment.seq) {
      this.trouble ??= unprovable(
        'no-such-decision',
        `decision ${this.moment.seq} is not in the journal: ${seq} follows`,
      );
      this.isOver = true;
      return;
    }
    // It says everything anew.
    if (isBridge(decision)) this.trouble = undefined;
    this.decisions++;
    this.decision = { seq, term, offset, atMs: this.clockMs };
    this.repairedTo = repairedUpTo(decision);
    this.places.add(seq, offset);
    this.noteCauses(seq, events);
    if ('seq' in this.moment && seq === this.moment.seq) this.end();
  }

  private noteCauses(seq: number, events: readonly ClusterEvent[]): void {
    for (const event of events) {
      if (event.kind === 'namespace') this.places.namespaceMade(event.entity, seq);
      if (event.kind === 'node' && event.entity.state === 'lost') this.places.nodeLost(event.entity.nodeId, seq);
    }
  }

  private end(): void {
    this.behind ??= new JournalChain(this.fold.position);
  }

  private after(record: StoredRecord, behind: JournalChain): void {
    try {
      const link = behind.accept(record);
      if (link.kind !== 'decision') return;
      const { seq, term } = link.decision;
      this.next = { seq, term, offset: record.offset, atMs: this.clockMs };
      this.isNextRepair = makesUpForLost(link.decision);
    } catch {
      // What comes next says nothing of what was before it.
    }
    this.isOver = true;
  }
}
