import { createHash } from 'node:crypto';
import { decode } from '@levee/codec';
import type { ClusterEvent } from '@levee/cluster';
import type { Claim, Decision } from '@levee/events';
import { assert, asOffset, Failure, type Offset } from '@levee/kernel';
import { decodeEvent } from './event-codec';

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
}

export const chainStart: ChainPosition = {
  seq: 0,
  term: 0,
  previousSha256: '0'.repeat(64),
  commandsOffset: -1,
  nextOffset: asOffset(0),
};

export type Link =
  | { readonly kind: 'decision'; readonly decision: Decision; readonly events: readonly ClusterEvent[] }
  | { readonly kind: 'claim'; readonly claim: Claim }
  /** Written by a master after a later claim, or a claim that came second: it never happened. */
  | { readonly kind: 'void'; readonly record: 'Decision' | 'Claim'; readonly term: number };

export const sha256Of = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

/**
 * Which records of the journal are in force. A claim is when its term is higher than every claim before it, so of two
 * with one term the first wins; a decision is when it carries the term of the claim in force. What is in force is
 * gapless and names the SHA-256 of its predecessor (I6); anything else in the journal is damage and stops the reader.
 */
export class JournalChain {
  private at: ChainPosition;
  private voids = 0;

  constructor(start: ChainPosition = chainStart) {
    this.at = start;
  }

  get position(): ChainPosition {
    return this.at;
  }

  /** Records skipped because a higher claim came before them. */
  get voidRecords(): number {
    return this.voids;
  }

  accept(record: { readonly offset: Offset; readonly value: Buffer | null }): Link {
    assert(record.offset >= this.at.nextOffset, `I6: journal offset ${record.offset} after ${this.at.nextOffset}`);
    if (record.value === null) throw damage(record.offset, 'it is a tombstone');
    const decoded = decode(record.value);
    const nextOffset = asOffset(record.offset + 1);
    switch (decoded.name) {
      case 'Claim': {
        const claim = decoded.record;
        if (claim.term <= this.at.term) return this.skip('Claim', claim.term, nextOffset);
        this.at = { ...this.at, term: claim.term, nextOffset };
        return { kind: 'claim', claim };
      }
      case 'Decision': {
        const decision = decoded.record;
        if (decision.term < this.at.term) return this.skip('Decision', decision.term, nextOffset);
        this.check(decision);
        // What a newer version wrote may be no record here: this reader stands still then, and decides nothing.
        const events = decision.events.map(decodeEvent);
        this.at = {
          seq: decision.seq,
          term: decision.term,
          previousSha256: sha256Of(record.value),
          commandsOffset: decision.commandOffset >= 0 ? decision.commandOffset : this.at.commandsOffset,
          nextOffset,
        };
        return { kind: 'decision', decision, events };
      }
      default:
        throw damage(record.offset, `it holds a ${decoded.name}`);
    }
  }

  /** Moves over offsets without records. */
  passTo(nextOffset: Offset): void {
    if (nextOffset > this.at.nextOffset) this.at = { ...this.at, nextOffset };
  }

  private skip(record: 'Decision' | 'Claim', term: number, nextOffset: Offset): Link {
    this.voids += 1;
    this.at = { ...this.at, nextOffset };
    return { kind: 'void', record, term };
  }

  private check(decision: Decision): void {
    const { seq, term, previousSha256, commandsOffset } = this.at;
    assert(
      decision.term === term,
      `I6: decision ${decision.seq} of term ${decision.term}, which nobody claimed after ${term}`,
    );
    assert(decision.seq === seq + 1, `I6: decision ${decision.seq} follows ${seq}`);
    assert(decision.previousSha256 === previousSha256, `I6: decision ${decision.seq} names another predecessor`);
    assert(
      decision.commandOffset < 0 || decision.commandOffset > commandsOffset,
      `I6: the command at ${decision.commandOffset} is decided again, after the one at ${commandsOffset}`,
    );
  }
}

const damage = (offset: number, what: string): Failure =>
  new Failure('JOURNAL_DAMAGED', `the journal's record at offset ${offset} is neither decision nor claim: ${what}`);
