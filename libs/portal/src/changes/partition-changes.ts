import { asOffset, asPartition, Failure, failureCode, messageOf } from '@levee/kernel';
import type { Log, LogBatch } from '@levee/log';
import { StoreFailure } from '@levee/client';
import { changesIn, type Change, type ChangePlace, type KeyFilter } from './change';

export interface PartitionWatch {
  readonly log: Log;
  readonly topic: string;
  /** The very topic. */
  readonly topicId: string;
  readonly place: ChangePlace;
  readonly wanted: KeyFilter;
  /** Records that compaction removed may be missing: it begins where the log begins. */
  readonly mayMiss: boolean;
  readonly bytesMax: number;
  /** Something came. */
  readonly onMore: () => void;
}

/** The changes of one partition from a position on. The next batch is fetched when the one before is used up. */
export class PartitionChanges {
  failure: StoreFailure | undefined;
  /** Where whoever asks stands; between it and `position` is nothing that he asked for. */
  told: number;
  private readonly stop = new AbortController();
  private held: readonly Change[] = [];
  private at = 0;
  private goOn: (() => void) | undefined;
  /** Behind what is held. */
  private nextOffset: number;

  constructor(
    private readonly watch: PartitionWatch,
    from: number,
  ) {
    this.nextOffset = from;
    this.told = from;
    void this.follow(from);
  }

  /** Behind what was taken. */
  get position(): number {
    return this.held[this.at]?.offset ?? this.nextOffset;
  }

  get hasMore(): boolean {
    return this.at < this.held.length;
  }

  take(): Change {
    const change = this.held[this.at++] as Change;
    if (!this.hasMore) this.usedUp();
    return change;
  }

  close(): void {
    this.stop.abort();
    this.usedUp();
  }

  private usedUp(): void {
    this.held = [];
    this.at = 0;
    this.goOn?.();
    this.goOn = undefined;
  }

  private async follow(from: number): Promise<void> {
    const { log, topic, topicId, place, wanted, bytesMax, onMore } = this.watch;
    const options = { signal: this.stop.signal, bytesMax, takesBadStretches: true, topicId };
    const start = { nextOffset: asOffset(from), leaderEpoch: -1 };
    try {
      for await (const batch of log.tail(topic, asPartition(place.partition), start, options)) {
        this.checkWhole(batch);
        const changes = changesIn(batch.records, place, wanted);
        this.nextOffset = batch.nextOffset;
        if (changes.length === 0) continue;
        this.held = changes;
        const used = new Promise<void>((resolve) => (this.goOn = resolve));
        onMore();
        await used;
        if (this.stop.signal.aborted) return;
      }
    } catch (error) {
      this.failure = failureOf(error, `${topic}:${place.partition} from ${from}`);
      onMore();
    }
  }

  private checkWhole({ firstOffset, missingBelow }: LogBatch): void {
    if (this.watch.mayMiss || missingBelow === undefined || missingBelow <= firstOffset) return;
    throw new Failure('OFFSET_OUT_OF_RANGE', `records between ${firstOffset} and ${missingBelow} were compacted away`);
  }
}

function failureOf(error: unknown, where: string): StoreFailure {
  const code = failureCode(error);
  const why = messageOf(error);
  if (code === 'OFFSET_OUT_OF_RANGE' || code === 'LOG_TRUNCATED' || code === 'TOPIC_MISSING')
    return new StoreFailure(
      'LVHISTORY',
      `${where}: ${why}. Not every change since then can be told: read the keys anew, and watch from now on`,
    );
  return new StoreFailure('LVUNAVAILABLE', `${where}: ${why}`);
}
