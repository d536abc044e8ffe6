import type { ClusterEvent } from '@levee/cluster';
import { decodeAs, encode } from '@levee/codec';
import type { Checkpoint, Claim } from '@levee/events';
import { Failure } from '@levee/kernel';
import type { LogHeader, LogRecord, StoredRecord } from '@levee/log';
import { decodeEvent } from '../record/event-codec';
import type { ChainPosition } from '../record/journal-chain';
import { compactedTopics, type ControlTopics } from '../topics/control-topics';
import type { EntityTable } from './entity-table';

/** Keys in the compacted topics that are no entities. */
export const checkpointKey = 'checkpoint';
const claimKey = 'claim';

/** A compacted topic's last word about one entity. */
export interface ProjectedEntity {
  /** `undefined`: removed. */
  readonly bytes: Buffer | undefined;
  readonly seq: number;
  readonly term: number;
}

/** The same as it was read: what the bytes say, so that nobody decodes them twice. */
export interface ReadEntity extends ProjectedEntity {
  readonly event: ClusterEvent | undefined;
}

function topicOfEntity(topics: ControlTopics, key: string): string {
  if (key.startsWith('plan/')) return topics.plans;
  return key.startsWith('route/') ? topics.routes : topics.metadata;
}

function entityRecord(key: string, entity: ProjectedEntity): LogRecord {
  if (entity.bytes !== undefined) return { key: Buffer.from(key), value: entity.bytes };
  return {
    key: Buffer.from(key),
    value: null,
    headers: [numberHeader('seq', entity.seq), numberHeader('term', entity.term)],
  };
}

export function claimRecord(claim: Claim): LogRecord {
  return { key: Buffer.from(claimKey), value: encode('Claim', claim) };
}

function checkpointRecord(checkpoint: Checkpoint): LogRecord {
  return { key: Buffer.from(checkpointKey), value: encode('Checkpoint', checkpoint) };
}

/** What is to be written into each compacted topic: changed entities, and after them the checkpoint of this moment. */
export function projectionRecords(
  topics: ControlTopics,
  of: {
    readonly changes: Iterable<readonly [key: string, entity: ProjectedEntity]>;
    readonly position: ChainPosition;
    readonly digest: string;
    readonly writtenAtMs: number;
  },
): ReadonlyMap<string, LogRecord[]> {
  const { changes, position, digest, writtenAtMs } = of;
  const { seq, term, previousSha256, commandsOffset, nextOffset: journalOffset } = position;
  const byTopic = new Map<string, LogRecord[]>(compactedTopics(topics).map((topic) => [topic, []]));
  for (const [key, entity] of changes) byTopic.get(topicOfEntity(topics, key))?.push(entityRecord(key, entity));
  for (const [topic, records] of byTopic) {
    const checkpoint = { topic, seq, term, digest, journalOffset, previousSha256, commandsOffset, writtenAtMs };
    records.push(checkpointRecord(checkpoint));
  }
  return byTopic;
}

/** Keys of which `there` says something else than the table. */
export function differences(table: EntityTable, there: ReadonlyMap<string, Buffer | undefined>): Set<string> {
  const differing = new Set<string>();
  for (const [key, bytes] of table.entries()) if (there.get(key)?.equals(bytes) !== true) differing.add(key);
  for (const [key, bytes] of there) if (bytes !== undefined && table.get(key) === undefined) differing.add(key);
  return differing;
}

/** Keys of entities that the compacted topics must be told anew: what they say of them is not what the table says. */
export function staleEntities(table: EntityTable, topics: readonly ProjectedTopic[]): ReadonlySet<string> {
  const there = new Map<string, Buffer | undefined>();
  for (const { entities } of topics) for (const [key, { bytes }] of entities) there.set(key, bytes);
  const stale = differences(table, there);
  // Claim and checkpoint are written anyway.
  for (const { unreadable } of topics)
    for (const key of unreadable.keys()) if (key !== claimKey && key !== checkpointKey) stale.add(key);
  return stale;
}

/**
 * What one compacted topic says, gathered record by record. The last record of a key counts, as it does for compaction;
 * should a deposed master have written it, the digest tells, and the next reign writes the right one after it.
 */
export class ProjectedTopic {
  readonly entities = new Map<string, ReadEntity>();
  checkpoint: Checkpoint | undefined;
  /** The last claim that was written here as a fence. */
  claim: Claim | undefined;
  /** Why the last record of a key cannot be read, by key: the journal has to be folded instead. */
  readonly unreadable = new Map<string, string>();
  /** Stretches that the log itself cannot read any more, in words: what they said is known to the journal alone. */
  readonly holes: string[] = [];

  /** One of `unreadable` in words. */
  get damaged(): string | undefined {
    for (const [key, why] of this.unreadable) return `${key} ${why}`;
    return this.holes[0];
  }

  add(record: StoredRecord): void {
    const key = record.key?.toString('utf8') ?? '';
    try {
      if (key === claimKey) this.addClaim(record);
      else if (key === checkpointKey) this.addCheckpoint(record);
      else this.addEntity(key, record);
      this.unreadable.delete(key);
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      this.entities.delete(key);
      this.unreadable.set(key, `at offset ${record.offset}: ${error.message}`);
    }
  }

  private addClaim(record: StoredRecord): void {
    if (record.value === null) return;
    this.claim = decodeAs('Claim', record.value);
  }

  private addCheckpoint(record: StoredRecord): void {
    if (record.value === null) return;
    this.checkpoint = decodeAs('Checkpoint', record.value);
  }

  private addEntity(key: string, record: StoredRecord): void {
    this.entities.set(key, record.value === null ? removedIn(record) : entityIn(record.value));
  }
}

function entityIn(value: Buffer): ReadEntity {
  const event = decodeEvent(value);
  const { seq, term } = event.entity;
  return { bytes: Buffer.from(value), seq, term, event };
}

function removedIn({ headers }: StoredRecord): ReadEntity {
  return { bytes: undefined, seq: headerNumber(headers, 'seq'), term: headerNumber(headers, 'term'), event: undefined };
}

const numberHeader = (key: string, value: number): LogHeader => ({ key, value: Buffer.from(String(value)) });

/** -1 when there is none: a tombstone of somebody else, older than any decision. */
function headerNumber(headers: readonly LogHeader[], key: string): number {
  const value = Number(headers.find((header) => header.key === key)?.value.toString() ?? '');
  return Number.isSafeInteger(value) && value > 0 ? value : -1;
}
