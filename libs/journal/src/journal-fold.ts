import { ClusterState, entityKey, evolve, type ClusterEvent } from '@levee/cluster';
import type { Claim, Decision } from '@levee/events';
import { assert, asSeq, asTerm, type Seq, type Term } from '@levee/kernel';
import { EntityTable } from './entity-table';
import { JournalChain, type ChainPosition, type JournalRecord, type Link } from './journal-chain';

/** A decision in force, after the state has taken it in. */
export interface Adopted {
  readonly seq: Seq;
  readonly term: Term;
  readonly decision: Decision;
  readonly events: readonly ClusterEvent[];
  /** Of the decision's bytes: the next one names it. */
  readonly sha256: string;
}

export type Folded =
  | { readonly kind: 'adopted'; readonly adopted: Adopted }
  | { readonly kind: 'claim'; readonly claim: Claim }
  | Extract<Link, { kind: 'void' | 'foreign' }>;

/**
 * The state of the cluster as a fold of the journal: entities decoded (`state`), entities as bytes with their digest
 * (`table`), and where the fold stands (`position`). Each decision's digest is compared with the one its master wrote.
 */
export class JournalFold {
  readonly chain: JournalChain;
  readonly state: ClusterState;
  readonly table: EntityTable;
  /** The claim in force; after a boot from a checkpoint, as the compacted topics have it. */
  private claimInForce: Claim | undefined;

  /** `start.events`: what the bytes of `start.table` say, in any order. */
  constructor(start?: {
    readonly position: ChainPosition;
    readonly table: EntityTable;
    readonly events: readonly ClusterEvent[];
  }) {
    this.chain = new JournalChain(start?.position);
    this.table = start?.table ?? new EntityTable();
    this.state = new ClusterState();
    for (const event of oldestFirst(start?.events ?? [])) this.state.absorb(event);
    this.state.settle();
  }

  get position(): ChainPosition {
    return this.chain.position;
  }

  get claim(): Claim | undefined {
    return this.claimInForce;
  }

  /** The claim that a compacted topic has; it counts while the journal speaks of no other term. */
  recall(claim: Claim): void {
    if (claim.term === this.position.term) this.claimInForce ??= claim;
  }

  get digest(): string {
    return this.table.digest;
  }

  apply(record: JournalRecord): Folded {
    const link: Link = this.chain.accept(record);
    if (link.kind === 'void' || link.kind === 'foreign') return link;
    if (link.kind === 'claim') {
      this.claimInForce = link.claim;
      return link;
    }
    return { kind: 'adopted', adopted: this.adopt(link) };
  }

  private adopt({ decision, events, sha256 }: Extract<Link, { kind: 'decision' }>): Adopted {
    events.forEach((event, i) => {
      evolve(this.state, event);
      putEvent(this.table, event, decision.events[i] as Uint8Array);
    });
    assert(
      this.table.digest === decision.stateDigest,
      `I8: the state after decision ${decision.seq} has digest ${this.table.digest}, its master had ${decision.stateDigest}`,
    );
    return { seq: asSeq(decision.seq), term: asTerm(decision.term), decision, events, sha256 };
  }
}

/** Puts the bytes of `event` into `table`, or takes its entity out. */
export function putEvent(
  table: { set(key: string, bytes: Buffer | undefined): void },
  event: ClusterEvent,
  bytes: Uint8Array,
): void {
  table.set(entityKey(event), event.kind === 'removed' ? undefined : Buffer.from(bytes));
}

/** By ascending seq, so that what is listed oldest first stays so. */
const oldestFirst = (events: readonly ClusterEvent[]): ClusterEvent[] =>
  [...events].sort((a, b) => a.entity.seq - b.entity.seq);
