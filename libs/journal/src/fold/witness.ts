import { asOffset, asPartition, type Clock, type Offset } from '@levee/kernel';
import { boundsOf, type Log, LogFailure, type StoredRecord } from '@levee/log';
import { sha256Of, type ChainPosition } from '../record/journal-chain';
import { readToEnd } from '../topics/read-topic';
import { repairCommand, repairNote } from '../topics/repair-command';
import { JournalFold } from './journal-fold';
import { type JournalHole, readAcross } from './journal-holes';
import type { ProjectedTopic } from './projection-records';
import { witnessLimits } from './witness-limits';

export { witnessLimits };

/** Somebody who has seen a decision or a claim of the journal. */
export interface Witness {
  readonly seq: number;
  readonly term: number;
  /** For people: `topic levee.metadata`, `node n1`. */
  readonly who: string;
}

/** A witness that stands outside the log, and the cluster that it speaks of. */
export interface OutsideWitness extends Witness {
  readonly clusterId: string | undefined;
}

/** Those that speak of this cluster. Where the journal names none, a disk that knows one has seen more than it holds. */
export function ofCluster<T extends OutsideWitness>(witnesses: readonly T[], clusterId: string | undefined): T[] {
  return witnesses.filter((each) => each.clusterId !== undefined && each.clusterId === (clusterId ?? each.clusterId));
}

type Standing = Pick<ChainPosition, 'seq' | 'term'>;

/** True when the witness has seen what a journal that ends at `position` does not hold. */
export function isAhead(witness: Standing, position: Standing): boolean {
  const seqs = witness.seq - position.seq;
  const terms = witness.term - position.term;
  const absurd = seqs > witnessLimits.seqsAheadMax || terms > witnessLimits.termsAheadMax;
  return !absurd && (seqs > 0 || terms > 0);
}

/** Of these witnesses the one that has seen most of what the journal lacks; `undefined` when it lacks nothing. */
export function furthestAhead<T extends Witness>(witnesses: Iterable<T>, position: Standing): T | undefined {
  let furthest: T | undefined;
  for (const witness of witnesses) {
    if (!isAhead(witness, position)) continue;
    const further = furthest === undefined ? 1 : witness.seq - furthest.seq || witness.term - furthest.term;
    if (further > 0) furthest = witness;
  }
  return furthest;
}

/** What a compacted topic has seen of the journal: its checkpoint, its claim, and its entities. */
export function* witnessesIn(name: string, topic: ProjectedTopic): Generator<Witness> {
  const who = `topic ${name}`;
  const { checkpoint, claim } = topic;
  if (checkpoint !== undefined) yield { seq: checkpoint.seq, term: checkpoint.term, who: `the checkpoint in ${who}` };
  if (claim !== undefined) yield { seq: 0, term: claim.term, who: `the claim in ${who}` };
  for (const [key, { seq, term }] of topic.entities)
    // A tombstone without both numbers was written by no master.
    if (seq > 0 && term > 0) yield { seq, term, who: `${key} in ${who}` };
}

/** The alarm, in words: what is known to whom, and what to do. */
export function shortSentence(
  { log, journal }: { readonly log: Pick<Log, 'description'>; readonly journal: string },
  position: Standing,
  what: string,
): string {
  return (
    `JOURNAL_SHORT: ${journal} ends at decision ${position.seq} of term ${position.term}, but ${what}: it has lost its ` +
    `end. ${shortAdvice(log)}`
  );
}

/** The alarm for a stretch that cannot be read, where that leaves it open what is in force. */
export function holeSentence(
  { log, journal }: { readonly log: Pick<Log, 'description'>; readonly journal: string },
  { seq, term }: Standing,
  words: string,
): string {
  return `JOURNAL_SHORT: ${words}: what ${journal} says is known here to decision ${seq} of term ${term}. ${shortAdvice(log)}`;
}

export function shortAdvice(log: Pick<Log, 'description'>): string {
  return (
    'No master reigns and nothing is cleared until that is mended; reads and writes go on. Restore the journal from a ' +
    `backup, or see what can be brought back: ${repairCommand(log)}   # ${repairNote(log)}`
  );
}

export const seenBy = ({ seq, term, who }: Witness): string => `${who} has seen decision ${seq} of term ${term}`;

/**
 * Why the journal does not hold the decision at which `position` stands, in words; `undefined` when it does. The SHA-256
 * proves it: a journal that was cut and has grown again holds other decisions there. Where the journal's start is above
 * all that could prove it, its end alone is looked at. Fails as `Log.tail` does; with RECORD_CORRUPT only where it may
 * have stood in what cannot be read.
 */
export async function missingFrom(
  log: Log,
  journal: string,
  { position, clock }: { readonly position: ChainPosition; readonly clock: Clock },
): Promise<string | undefined> {
  const { seq, nextOffset, previousSha256 } = position;
  const { startOffset, endOffset } = await boundsOf(log, { topic: journal, partition: asPartition(0) });
  if (endOffset < nextOffset)
    return `decision ${seq} stood before its offset ${nextOffset} and it ends at offset ${endOffset}`;
  if (seq === 0) return undefined;
  for (let span: number = witnessLimits.firstLook; ; span *= 8) {
    const from = asOffset(Math.max(startOffset, nextOffset - span));
    const { found, hole } = await search(log, journal, { from, to: nextOffset, sha256: previousSha256, clock });
    if (found) return undefined;
    if (from > startOffset) continue;
    // It may have stood there.
    if (hole !== undefined) throw new LogFailure('RECORD_CORRUPT', hole.why, { details: { ...detailsOf(hole) } });
    if (startOffset > 0) return undefined;
    return `it holds no decision ${seq} with SHA-256 ${previousSha256.slice(0, 16)}… before its offset ${nextOffset}`;
  }
}

interface Sought {
  readonly from: Offset;
  readonly to: Offset;
  readonly sha256: string;
  readonly clock: Clock;
}

async function search(log: Log, journal: string, sought: Sought): Promise<{ found: boolean; hole?: JournalHole }> {
  const { from, to, sha256, clock } = sought;
  let found = false;
  const holes: JournalHole[] = [];
  if (from >= to) return { found };
  await readAcross(log, journal, {
    clock,
    deadlineMs: witnessLimits.readDeadlineMs,
    from,
    to,
    onBatch: ({ records }) => {
      for (const record of records) if (record.offset < to) found ||= hasSha(record, sha256);
    },
    onHole: (hole) => void holes.push(hole),
  });
  const [hole] = holes;
  return hole === undefined ? { found } : { found, hole };
}

const detailsOf = ({ fromOffset, toOffset }: JournalHole): Record<string, number> => ({
  offset: fromOffset,
  from: fromOffset,
  ...(toOffset === undefined ? {} : { to: toOffset }),
});

const hasSha = ({ value }: StoredRecord, sha256: string): boolean => value !== null && sha256Of(value) === sha256;

/**
 * Where a journal of another history comes to the same decision number with the same state: after a repair it does.
 * `undefined`: nowhere. Folds the journal from its start.
 */
export async function findState(
  log: Log,
  journal: string,
  sought: { readonly position: ChainPosition; readonly digest: string; readonly clock: Clock },
): Promise<ChainPosition | undefined> {
  const { position, digest, clock } = sought;
  const { startOffset } = (await log.offsets(journal))[0] ?? {};
  if (startOffset !== 0) return undefined;
  const fold = new JournalFold();
  let found: ChainPosition | undefined;
  await readToEnd(log, journal, {
    clock,
    deadlineMs: witnessLimits.foldDeadlineMs,
    onBatch: ({ records, nextOffset }) => {
      for (const record of records) {
        const { kind } = fold.apply(record);
        if (kind === 'adopted' && fold.position.seq === position.seq && fold.digest === digest) found = fold.position;
      }
      fold.chain.passTo(nextOffset);
    },
  });
  return found;
}

/** Asked again whenever the journal grew: its first claim may show that a disk is of another cluster. */
export function furthestOutside(
  witnesses: readonly OutsideWitness[],
  position: Standing & { readonly clusterId: string | undefined },
): OutsideWitness | undefined {
  return furthestAhead(ofCluster(witnesses, position.clusterId), position);
}
