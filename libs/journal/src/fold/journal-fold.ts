import { ClusterState, entityKey, evolve, type ClusterEvent } from '@levee/cluster';
import type { Claim, Decision, EntityRemoved } from '@levee/events';
import { assert, asSeq, asTerm, type Seq, type Term } from '@levee/kernel';
import { isBridge } from '../record/journal-bridge';
import { JournalChain, type ChainPosition, type JournalRecord, type Link } from '../record/journal-chain';
import { EntityTable } from './entity-table';

/** A decision in force, after the state has taken it in. */
export interface Adopted {
  readonly seq: Seq;
  readonly term: Term;
  readonly decision: Decision;
  /** What it changed; of a bridge, whose own events say everything, what was not so before. */
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
  private current: ClusterState;
  private entities: EntityTable;
  /** The claim in force; after a boot from a checkpoint, as the compacted topics have it. */
  private claimInForce: Claim | undefined;

  /** `start.events`: what the bytes of `start.table` say, in any order. */
  constructor(start?: {
    readonly position: ChainPosition;
    readonly table: EntityTable;
    readonly events: readonly ClusterEvent[];
  }) {
    this.chain = new JournalChain(start?.position);
    this.entities = start?.table ?? new EntityTable();
    this.current = stateOf(start?.events ?? []);
  }

  get state(): ClusterState {
    return this.current;
  }

  get table(): EntityTable {
    return this.entities;
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
    const bridges = isBridge(decision);
    const before = this.entities;
    if (bridges) {
      this.current = stateOf(events);
      this.entities = new EntityTable();
    }
    events.forEach((event, i) => {
      if (!bridges) evolve(this.state, event);
      putEvent(this.table, event, decision.events[i] as Uint8Array);
    });
    const { digest } = this.table;
    assert(
      digest === decision.stateDigest,
      () => `I8: the state after decision ${decision.seq} has digest ${digest}, its master had ${decision.stateDigest}`,
    );
    const told = bridges ? changesBetween(before, this.entities, { events, decision }) : events;
    return { seq: asSeq(decision.seq), term: asTerm(decision.term), decision, events: told, sha256 };
  }
}

/** What a bridge changed: without what was the same before it, and with what is no more. */
function changesBetween(
  before: EntityTable,
  after: EntityTable,
  { events, decision }: { readonly events: readonly ClusterEvent[]; readonly decision: Decision },
): ClusterEvent[] {
  const { seq, term } = decision;
  const told = events.filter((event) => {
    const bytes = after.get(entityKey(event));
    return bytes !== undefined && before.get(entityKey(event))?.equals(bytes) !== true;
  });
  for (const [key] of before.entries()) {
    if (after.get(key) !== undefined) continue;
    const at = key.indexOf('/');
    const entity = key.slice(0, at) as EntityRemoved['entity'];
    told.push({ kind: 'removed', entity: { entity, key: key.slice(at + 1), change: 'Bridged', seq, term } });
  }
  return told;
}

function stateOf(events: readonly ClusterEvent[]): ClusterState {
  const state = new ClusterState();
  for (const event of oldestFirst(events)) state.absorb(event);
  state.settle();
  return state;
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
