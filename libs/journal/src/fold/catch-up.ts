import { entityKey, type ClusterEvent } from '@levee/cluster';
import type { Checkpoint } from '@levee/events';
import { asOffset } from '@levee/kernel';
import type { StoredRecord } from '@levee/log';
import { foreignRecord, keepForeign, type ForeignRecord } from '../record/foreign-record';
import { isBridge } from '../record/journal-bridge';
import { JournalChain, type ChainPosition } from '../record/journal-chain';
import { EntityTable } from './entity-table';
import { JournalFold, putEvent } from './journal-fold';
import type { ProjectedTopic } from './projection-records';
import { isAhead } from './witness';

/** Where a fold of the journal stood when the checkpoint was written. */
export function positionOf(checkpoint: Checkpoint, clusterId: string | undefined): ChainPosition {
  const { seq, term, previousSha256, commandsOffset, journalOffset } = checkpoint;
  return { seq, term, previousSha256, commandsOffset, nextOffset: asOffset(journalOffset), clusterId };
}

/** Bytes of all entities, and what they say. */
export function entitiesOf(all: readonly ProjectedTopic[]): { table: EntityTable; events: Map<string, ClusterEvent> } {
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

export class ProjectionMismatch extends Error {
  override readonly name = 'ProjectionMismatch';
}

/** Follows the journal over raw entities until they are of one moment, then as a fold. */
export class CatchUp {
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
    if (isBridge(link.decision)) this.forget(link.decision.seq, new Set(link.events.map(entityKey)));
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

  /** What a bridge does not name is no more, unless a topic speaks of it later. */
  private forget(seq: number, named: ReadonlySet<string>): void {
    for (const key of [...this.events.keys()]) {
      const known = this.topics.find(({ entities }) => entities.has(key))?.entities.get(key);
      if (named.has(key) || (known !== undefined && known.seq >= seq)) continue;
      this.table.set(key, undefined);
      this.events.delete(key);
    }
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
