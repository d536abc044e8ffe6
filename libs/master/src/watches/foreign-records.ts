import { type ClusterView, type ControlTopics, type ForeignRecord, encodeCopy, readCopies } from '@levee/journal';
import { asPartition, type Clock, type Logger, Pause, type Timers } from '@levee/kernel';
import type { Log } from '@levee/log';
import type { Reign } from '../reign';

const foreignRecordLimits = {
  retryMs: 1_000,
  readMs: 30_000,
  /** Newest copies in quarantine among which those of the master before are looked for. */
  copiesLookedAtMax: 10_000,
  /** Waiting to be copied; what comes on top is counted and not copied. */
  queueMax: 256,
} as const;

/**
 * While its master reigns, copies what strangers wrote into the journal to quarantine, with its offset. A takeover may
 * come between the copy and the next checkpoint: copies that are there already are not made again.
 */
export class ForeignRecords {
  private readonly queue: ForeignRecord[] = [];
  private readonly stopping = new AbortController();
  private readonly pause: Pause;
  private unlisten: () => void = () => undefined;
  private running: Promise<void> | undefined;
  private known: Set<number> | undefined;
  private copied = 0;

  constructor(
    private readonly log: Log,
    private readonly view: ClusterView,
    private readonly options: {
      readonly reign: Pick<Reign, 'isOver'>;
      readonly topics: ControlTopics;
      readonly clock: Clock;
      readonly timers: Timers;
      readonly logger: Logger;
      readonly instance: string;
    },
  ) {
    this.pause = new Pause(options.timers, this.stopping.signal);
  }

  start(): void {
    this.unlisten = this.view.onForeign((record) => this.take(record));
    for (const record of this.view.foreign) this.take(record);
  }

  async stop(): Promise<void> {
    this.stopping.abort();
    this.unlisten();
    await this.running;
  }

  stats(): { copied: number } {
    return { copied: this.copied };
  }

  private take(record: ForeignRecord): void {
    if (this.queue.length >= foreignRecordLimits.queueMax || this.isOver) return;
    this.queue.push(record);
    this.running ??= this.run().finally(() => (this.running = undefined));
  }

  private get isOver(): boolean {
    return this.stopping.signal.aborted || this.options.reign.isOver;
  }

  private async run(): Promise<void> {
    while (!this.isOver && this.queue[0] !== undefined)
      try {
        this.known ??= await this.copiesMade();
        const [record] = this.queue;
        if (!this.known.has(record.offset)) await this.copy(record);
        this.known.add(record.offset);
        this.queue.shift();
      } catch (error) {
        this.options.logger.warn({ error }, 'a foreign record of the journal could not be copied to quarantine');
        await this.pause.for(foreignRecordLimits.retryMs);
      }
  }

  private async copy({ offset, why, key, value }: ForeignRecord): Promise<void> {
    const { topics, clock, instance } = this.options;
    const copy = encodeCopy({
      topic: topics.journal,
      partition: 0,
      offset,
      toOffset: null,
      reason: 'garbage',
      message: `written by no master of this cluster: ${why}`,
      nodeId: instance,
      key,
      value,
      quarantinedAtMs: clock.nowMs(),
    });
    await this.log.append(topics.quarantine, asPartition(0), [{ key: Buffer.from(topics.journal), value: copy }]);
    this.copied++;
  }

  private async copiesMade(): Promise<Set<number>> {
    const { topics, clock } = this.options;
    const made = new Set<number>();
    await readCopies(this.log, topics.quarantine, {
      clock,
      deadlineMs: foreignRecordLimits.readMs,
      newestMax: foreignRecordLimits.copiesLookedAtMax,
      onCopy: ({ topic, offset }) => {
        if (topic === topics.journal) made.add(offset);
      },
    });
    return made;
  }
}
