import { entityKey } from '@levee/cluster';
import type { Claim } from '@levee/events';
import {
  type Adopted,
  claimRecord,
  type ClusterView,
  compactedTopics,
  type ControlTopics,
  type ProjectedEntity,
  projectionRecords,
  readProjections,
  staleEntities,
} from '@levee/journal';
import { asPartition, type Clock, type Logger, Pause, type Timers } from '@levee/kernel';
import type { FencedWriter, Log, LogRecord } from '@levee/log';
import { appendPatiently } from './append-patiently';

const projectionLimits = {
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
    const records = [claimRecord(claim)];
    await Promise.all(compactedTopics(this.options.topics).map((topic) => this.append(topic, records)));
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
    const { table } = this.view.journal;
    for (const event of adopted.events) {
      const key = entityKey(event);
      this.dirty.set(key, { bytes: table.get(key), seq: adopted.seq, term: adopted.term });
    }
  }

  private async reconcile(): Promise<void> {
    const { topics, clock, logger } = this.options;
    const read = await readProjections(this.log, topics, clock);
    const { table, position } = this.view.journal;
    const { seq, term } = position;
    const stale = staleEntities(table, read);
    for (const key of stale) this.dirty.set(key, { bytes: table.get(key), seq, term });
    this.rewritten = stale.size;
    if (stale.size > 0) logger.info({ entities: stale.size, seq }, 'rewriting entities of the compacted topics');
  }

  private async writeDirty(): Promise<void> {
    // Taken in one turn of the event loop, between two batches of the fold: the checkpoint is of exactly this moment.
    const changes = this.dirty;
    this.dirty = new Map();
    const { position, digest } = this.view.journal;
    const { topics, clock } = this.options;
    const byTopic = projectionRecords(topics, { changes, position, digest, writtenAtMs: clock.nowMs() });
    await Promise.all(
      [...byTopic].map(async ([topic, records]) => {
        for (const part of partsOf(records)) await this.append(topic, part);
      }),
    );
    this.writtenSeq = position.seq;
  }

  private async append(topic: string, records: readonly LogRecord[]): Promise<void> {
    const target = { topic, partition: asPartition(0) };
    await appendPatiently(this.writer, target, { records, pause: this.pause, logger: this.options.logger });
  }
}

/** As many of them as one append takes. */
export function* partsOf(records: readonly LogRecord[]): Generator<LogRecord[]> {
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
