import { hash } from 'node:crypto';
import { decode, type Decoded } from '@levee/codec';
import type { ClusterEvent } from '@levee/cluster';
import type { Claim, Decision } from '@levee/events';
import { assert, asOffset, Failure, messageOf, type Offset } from '@levee/kernel';
import type { StoredRecord } from '@levee/log';
import { decodeEvent } from './event-codec';
import { bridgeMisfit, isBridge } from './journal-bridge';
import { linkHeaderKey, readLink } from './journal-link';

/** Where a reader of the journal stands: enough to go on from a checkpoint without what came before. */
export interface ChainPosition {
  /** Of the last decision in force; 0 = none yet. */
  readonly seq: number;
  /** Highest claim before `nextOffset`; 0 = none yet. */
  readonly term: number;
  /** SHA-256 (hex) of the bytes of decision `seq`; 64 zeros for 0. */
  readonly previousSha256: string;
  /** Offset in `levee.commands` of the last command decided; -1 = none. */
  readonly commandsOffset: number;
  /** Next offset of the journal to read. */
  readonly nextOffset: Offset;
  /** Of the first claim in force; `undefined` while there is none. */
  readonly clusterId: string | undefined;
}

const chainStart: ChainPosition = {
  seq: 0,
  term: 0,
  previousSha256: '0'.repeat(64),
  commandsOffset: -1,
  nextOffset: asOffset(0),
  clusterId: undefined,
};

/**
 * Before the first decision that a journal still holds which lost its beginning: nobody can judge that one, so it is
 * believed. `clusterId`: of a claim before it.
 */
export function positionBefore(decision: Decision, offset: Offset, clusterId: string | undefined): ChainPosition {
  const { seq, term, previousSha256, commandOffset } = decision;
  const commandsOffset = Math.max(-1, commandOffset - 1);
  return { seq: seq - 1, term, previousSha256, commandsOffset, nextOffset: offset, clusterId };
}

/** What a record of the journal is taken from. */
export type JournalRecord = Pick<StoredRecord, 'offset' | 'value'> & Partial<Pick<StoredRecord, 'headers'>>;

export type Link =
  | {
      readonly kind: 'decision';
      readonly decision: Decision;
      readonly events: readonly ClusterEvent[];
      readonly sha256: string;
    }
  | { readonly kind: 'claim'; readonly claim: Claim }
  /** Written by a master after a later claim, or a claim that came second: it never happened. */
  | { readonly kind: 'void'; readonly record: 'Decision' | 'Claim'; readonly term: number }
  /** No master of this cluster can have written it, or wrote it here: passed over, and told to people. */
  | { readonly kind: 'foreign'; readonly why: string };

export const sha256Of = (bytes: Uint8Array): string => hash('sha256', bytes, 'hex');

/**
 * Which records of the journal are in force: the one rule that every fold shares (decision record 0021). It looks at
 * nothing but the record and the position, so two folds never differ, wherever they begin and however the log cuts its
 * batches.
 *
 * - A claim is in force when its term is the highest before it + 1 and it names this cluster; of two with one term the
 *   first wins.
 * - A decision is in force when it carries the term of the claim in force, the next seq, and the SHA-256 of the decision
 *   before it (I6), and decides a command behind the last one decided.
 * - A bridge is in force when it carries the term of the claim in force and any higher seq: it says everything anew.
 * - What cannot be read although its link says that it is next comes from a newer version: the reader stands still.
 * - Everything else is void or foreign, and is passed over.
 */
export class JournalChain {
  private at: ChainPosition;
  private voids = 0;
  private foreigners = 0;
  private proven: Offset;

  /** `wantsEvents`: of the bytes of a decision; who does not want all of them is spared the decoding. */
  constructor(
    start: ChainPosition = chainStart,
    private readonly wantsEvents: (decision: Buffer) => boolean = () => true,
  ) {
    this.at = start;
    this.proven = start.nextOffset;
  }

  get position(): ChainPosition {
    return this.at;
  }

  /** Records skipped because a higher claim came before them. */
  get voidRecords(): number {
    return this.voids;
  }

  /** Records passed over because they fit nowhere. */
  get foreignRecords(): number {
    return this.foreigners;
  }

  /** Behind the last decision in force: nothing in force is missing below it. */
  get provenTo(): Offset {
    return this.proven;
  }

  accept(record: JournalRecord): Link {
    const { nextOffset: due } = this.at;
    assert(record.offset >= due, () => `I6: journal offset ${record.offset} after ${due}`);
    const nextOffset = asOffset(record.offset + 1);
    if (record.value === null) return this.pass('a tombstone', nextOffset);
    const decoded = this.read(record, record.value);
    if (typeof decoded === 'string') return this.pass(decoded, nextOffset);
    if (decoded.name === 'Claim') return this.acceptClaim(decoded.record, nextOffset);
    if (decoded.name === 'Decision') return this.acceptDecision(decoded.record, record.value, nextOffset);
    return this.pass(`a ${decoded.name}, neither decision nor claim`, nextOffset);
  }

  /** Moves over offsets without records. */
  passTo(nextOffset: Offset): void {
    if (nextOffset > this.at.nextOffset) this.at = { ...this.at, nextOffset };
  }

  /** Goes on somewhere else: where a repaired journal came to the state that this reader has. */
  moveTo(position: ChainPosition): void {
    assert(position.seq === this.at.seq, `I6: from decision ${this.at.seq} to decision ${position.seq}`);
    this.at = position;
    this.proven = position.nextOffset;
  }

  /** Why not, in words, when the bytes are no record. Throws when they are next and a newer version can read them. */
  private read(record: JournalRecord, value: Buffer): Decoded | string {
    try {
      return decode(value);
    } catch (error) {
      if (this.isNext(record))
        throw new Failure(
          'JOURNAL_UNREADABLE',
          `the journal's record at offset ${record.offset} is in force and cannot be read here (${messageOf(error)}): ` +
            'start a newer version of this process',
          { cause: error },
        );
      return `bytes that are no record (${messageOf(error)})`;
    }
  }

  /** By what its writer put beside the bytes, for readers that do not know their schema. */
  private isNext({ headers = [] }: JournalRecord): boolean {
    const header = headers.find(({ key }) => key === linkHeaderKey);
    const link = header && readLink(header.value);
    if (link === undefined) return false;
    const { term, seq, previousSha256, clusterId } = this.at;
    if (link.kind === 'claim')
      return link.term === term + 1 && (clusterId === undefined || link.clusterId === clusterId);
    if (link.bridges) return bridgeMisfit(link, this.at) === undefined;
    return link.term === term && link.seq === seq + 1 && link.previousSha256 === previousSha256;
  }

  private acceptClaim(claim: Claim, nextOffset: Offset): Link {
    const { term, clusterId = claim.clusterId } = this.at;
    if (claim.term <= term) return this.skip('Claim', claim.term, nextOffset);
    if (claim.term !== term + 1)
      return this.pass(`a claim of term ${claim.term} by ${claim.instance}, the next term is ${term + 1}`, nextOffset);
    if (claim.clusterId !== clusterId)
      return this.pass(`a claim of cluster ${claim.clusterId} by ${claim.instance}`, nextOffset);
    this.at = { ...this.at, term: claim.term, clusterId, nextOffset };
    return { kind: 'claim', claim };
  }

  private acceptDecision(decision: Decision, value: Buffer, nextOffset: Offset): Link {
    if (decision.term < this.at.term) return this.skip('Decision', decision.term, nextOffset);
    const bridges = isBridge(decision);
    const misfit = bridges ? bridgeMisfit(decision, this.at) : this.misfit(decision);
    if (misfit !== undefined) return this.pass(misfit, nextOffset);
    // What a newer version wrote may be no record here: this reader stands still then, and decides nothing.
    const events = this.wantsEvents(value) ? decision.events.map(decodeEvent) : [];
    const sha256 = sha256Of(value);
    const { seq, term, commandOffset } = decision;
    const commandsOffset = bridges || commandOffset >= 0 ? commandOffset : this.at.commandsOffset;
    this.at = { ...this.at, seq, term, previousSha256: sha256, commandsOffset, nextOffset };
    this.proven = nextOffset;
    return { kind: 'decision', decision, events, sha256 };
  }

  private skip(record: 'Decision' | 'Claim', term: number, nextOffset: Offset): Link {
    this.voids += 1;
    this.at = { ...this.at, nextOffset };
    return { kind: 'void', record, term };
  }

  private pass(why: string, nextOffset: Offset): Link {
    this.foreigners += 1;
    this.at = { ...this.at, nextOffset };
    return { kind: 'foreign', why };
  }

  private misfit(decision: Decision): string | undefined {
    const { seq, term, previousSha256, commandsOffset } = this.at;
    const what = `decision ${decision.seq} of term ${decision.term}`;
    if (decision.term !== term) return `${what}, which nobody claimed: the term is ${term}`;
    if (decision.seq <= seq) return `${what} once more, decision ${seq} is in force`;
    if (decision.seq !== seq + 1) return `${what}, where ${seq + 1} is next`;
    if (decision.previousSha256 !== previousSha256) return `${what}, which names another predecessor`;
    if (decision.commandOffset >= 0 && decision.commandOffset <= commandsOffset)
      return `${what} of the command at ${decision.commandOffset}, those up to ${commandsOffset} are decided`;
    return undefined;
  }
}
