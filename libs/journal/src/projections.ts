import { encode } from '@levee/codec';
import type { Claim } from '@levee/events';
import { entityKey } from '@levee/cluster';
import { asPartition, type Clock, type Logger, type Timers } from '@levee/kernel';
import type { FencedWriter, Log, LogRecord } from '@levee/log';
import { readProjection } from './boot';
import type { ClusterView } from './cluster-view';
import { compactedTopics, type ControlTopics } from './control-topics';
import type { Adopted } from './journal-fold';
import { Pause } from './pause';
import {
  checkpointKey,
  checkpointRecord,
  claimKey,
  entityRecord,
  topicOfEntity,
  type ProjectedEntity,
} from './projection-records';
import { appendPatiently } from './append-patiently';

export const projectionLimits = {
  /** Decisions of this long share one write. */
  gatherMs: 20,
  appendBytesMax: 512 * 1024,
} as const;

/**
 * Writes what decisions changed into the compacted topics, and after it a checkpoint into each. Belongs to one reign.
 * Begins by comparing the topics with the fold, entity by entity, and rewriting what differs: the master before may
 * have died between its decision and this write, and a record may have been damaged or written by a zombie.
 */
export class Projections {
  /** Changed entities not yet written; bounded by the number of entities. */
  private dirty = new Map<string, ProjectedEntity>();
  private readonly pause: Pause;
  private readonly stopping = new AbortController();
  private unlisten: () => void = () => undefined;
  private writtenSeq = 0;
  private rewritten = 0;

  constructor(
    private readonly log: Log,
    private readonly writer: FencedWriter,
    private readonly view: ClusterView,
    private readonly options: {
      readonly topics: ControlTopics;
      readonly clock: Clock;
      readonly timers: Timers;
      readonly logger: Logger;
    },
  ) {
    this.pause = new Pause(options.timers, this.stopping.signal);
  }

  /** Every decision up to here is in the compacted topics, with a checkpoint. */
  get seq(): number {
    return this.writtenSeq;
  }

  /** Entities that differed from the fold when the reign began. */
  get rewrittenEntities(): number {
    return this.rewritten;
  }

  /** Puts the claim into each topic: from then on the broker refuses every older writer there. */
  async fence(claim: Claim): Promise<void> {
    const record: LogRecord = { key: Buffer.from(claimKey), value: encode('Claim', claim) };
    await Promise.all(compactedTopics(this.options.topics).map((topic) => this.append(topic, [record])));
  }

  /** Runs until `stop` or until a write fails in a way that ends the reign, which is then thrown. */
  async run(): Promise<void> {
    this.unlisten = this.view.onDecision((adopted) => this.mark(adopted));
    try {
      await this.reconcile();
      await this.writeDirty();
      while (!this.stopping.signal.aborted) {
        await this.pause.for(projectionLimits.gatherMs);
        if (this.writtenSeq < this.view.seq) await this.writeDirty();
      }
    } finally {
      this.unlisten();
    }
  }

  /** Lets `run` end after the write under way. */
  stop(): void {
    this.stopping.abort();
  }

  private mark(adopted: Adopted): void {
    adopted.events.forEach((event, i) => {
      const bytes = event.kind === 'removed' ? undefined : Buffer.from(adopted.decision.events[i] as Uint8Array);
      this.dirty.set(entityKey(event), { bytes, seq: adopted.seq, term: adopted.term });
    });
  }

  private async reconcile(): Promise<void> {
    const { topics, clock } = this.options;
    const projected = new Map<string, ProjectedEntity>();
    const unreadable: string[] = [];
    for (const topic of compactedTopics(topics)) {
      const read = await readProjection(this.log, topic, clock);
      for (const [key, entity] of read.entities) projected.set(key, entity);
      unreadable.push(...read.unreadable.keys());
    }
    const { table, position } = this.view.journal;
    const { seq, term } = position;
    let differing = 0;
    const rewrite = (key: string, bytes: Buffer | undefined): void => {
      differing += 1;
      this.dirty.set(key, { bytes, seq, term });
    };
    for (const [key, bytes] of table.entries()) {
      const there = projected.get(key)?.bytes;
      if (there === undefined || !there.equals(bytes)) rewrite(key, bytes);
    }
    for (const [key, { bytes }] of projected)
      if (bytes !== undefined && table.get(key) === undefined) rewrite(key, undefined);
    // Claim and checkpoint are written anyway.
    for (const key of unreadable)
      if (key !== claimKey && key !== checkpointKey && table.get(key) === undefined) rewrite(key, undefined);
    this.rewritten = differing;
    if (differing > 0)
      this.options.logger.info({ entities: differing, seq }, 'rewriting entities of the compacted topics');
  }

  private async writeDirty(): Promise<void> {
    // Taken in one turn of the event loop, between two batches of the fold: the checkpoint is of exactly this moment.
    const changes = this.dirty;
    this.dirty = new Map();
    const { position, digest } = this.view.journal;
    const byTopic = new Map<string, LogRecord[]>(compactedTopics(this.options.topics).map((topic) => [topic, []]));
    for (const [key, entity] of changes)
      byTopic.get(topicOfEntity(this.options.topics, key))?.push(entityRecord(key, entity));
    const writtenAtMs = this.options.clock.nowMs();
    await Promise.all(
      [...byTopic].map(async ([topic, records]) => {
        const { seq, term, previousSha256, commandsOffset, nextOffset: journalOffset } = position;
        const checkpoint = { topic, seq, term, digest, journalOffset, previousSha256, commandsOffset, writtenAtMs };
        for (const part of partsOf([...records, checkpointRecord(checkpoint)])) await this.append(topic, part);
      }),
    );
    this.writtenSeq = position.seq;
  }

  private async append(topic: string, records: readonly LogRecord[]): Promise<void> {
    const target = { topic, partition: asPartition(0) };
    await appendPatiently(this.writer, target, { records, pause: this.pause, logger: this.options.logger });
  }
}

function* partsOf(records: readonly LogRecord[]): Generator<LogRecord[]> {
  let part: LogRecord[] = [];
  let bytes = 0;
  for (const record of records) {
    const size = (record.key?.length ?? 0) + (record.value?.length ?? 0);
    if (part.length > 0 && bytes + size > projectionLimits.appendBytesMax) {
      yield part;
      part = [];
      bytes = 0;
    }
    part.push(record);
    bytes += size;
  }
  if (part.length > 0) yield part;
}
