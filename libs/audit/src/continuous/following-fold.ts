import { Breather } from '@levee/chunk-store';
import {
  asOffset,
  asPartition,
  type ByteRate,
  type Clock,
  Digest,
  Failure,
  failureCode,
  hash128,
  type Hash128,
} from '@levee/kernel';
import { hashOf, slotOf } from '@levee/keyspace';
import { boundsOf, type Log, type LogBatch } from '@levee/log';
import { digestedParts } from '../digested-parts';
import { bytesOf, type FoldPlace, folded } from '../fold-partition';
import { addDigests, chunkOver, type FoldedChunk, type LogDigest } from './digest-fold';
import { KeyTable } from './key-table';

export interface FollowingFoldOptions {
  /** Of the very topic. */
  readonly topicId: string;
  readonly chunks: readonly FoldedChunk[];
  readonly tableBytesMax: number;
  /** A deletion that is met has removed what it deletes for at least so long: half of what the topic promises. */
  readonly readWithinMs: number;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** Holds the reading back while it goes through what was written before. */
  readonly rate: ByteRate;
  readonly onBytes: (bytes: number) => void;
}

const limits = {
  readBytes: 64 * 1024,
  idleMs: 100,
  unavailableMs: 30_000,
  /** So long it watches whether it gains on the producers. */
  gainMs: 1_000,
  /** Where a topic that forgets by age has let go of what was to be read next, it begins anew so often. */
  startsMax: 3,
} as const;

/** A table for fewer keys would do: of fewer chunks, or of a partition at a time. */
export class TooManyKeys extends Failure<'NOT_PROVABLE'> {
  constructor(name: string, bytesMax: number) {
    super('NOT_PROVABLE', `${name} has more keys of one chunk than ${bytesMax} bytes of memory hold: split the chunk`);
  }
}

/**
 * The state of a partition that others compact as they like, from its log alone, at places that are chosen while it
 * follows. Once it stood at the end, it holds what the log said there: whatever was removed before it came, a later record of
 * the key was there to be read. From then on that is so wherever it stands, as long as it has seen every offset since. The
 * same rule makes a replica's digest count, and a fold of what is below a place that passed long ago would not keep it.
 */
export class FollowingFold {
  /** Where the log began when it began. */
  startOffset = 0;
  private next = 0;
  private starts = 0;
  private table: KeyTable;
  private batches: AsyncIterator<LogBatch> | undefined;
  private tailing = new AbortController();
  /** What was read beyond `next`. */
  private ahead: LogBatch | undefined;
  /** [safety] What it holds is what the log held at `next`. */
  private whole = false;
  /** Monotonic ms: deletions of what it has read since are still to be seen. */
  private sinceMs: number;
  /** Where it stood, and where the log ended, a moment ago. */
  private gain: { readonly atMs: number; readonly next: number; readonly end: number } | undefined;
  private hurries = false;
  private closed = false;
  private readonly breather: Breather;
  private readonly key: Hash128 = new Uint32Array(4);
  private readonly record: Hash128 = new Uint32Array(4);

  constructor(
    private readonly log: Log,
    private readonly place: FoldPlace,
    private readonly options: FollowingFoldOptions,
  ) {
    this.table = new KeyTable(options.tableBytesMax);
    this.breather = new Breather(options.clock);
    this.sinceMs = options.clock.monotonicMs();
  }

  /**
   * Reads until it stands where the partition ends. Fails with NOT_PROVABLE (`TooManyKeys` when its memory does not
   * hold them), INTERRUPTED, and as `Log.tail` does.
   */
  async toEnd(): Promise<void> {
    for (;;) {
      try {
        const batch = await this.nextBatch();
        const count = batch.records.length;
        await this.take(batch, Infinity);
        if (this.whole && batch.nextOffset >= batch.endOffset) return;
        if (count > 0) await this.holdBack(batch);
      } catch (error) {
        const mayBegin = (this.place.hiddenAfterMs ?? null) !== null && failureCode(error) === 'OFFSET_OUT_OF_RANGE';
        if (!mayBegin || this.starts >= limits.startsMax) throw error;
        // All of what went is expired, and so is what it replaced.
        this.endTail();
        this.table = new KeyTable(this.options.tableBytesMax);
        this.whole = false;
      }
    }
  }

  /** Reads on up to `offset`, until `deadlineMs` (monotonic). False: what it holds is not what the log held there. */
  async to(offset: number, deadlineMs: number): Promise<boolean> {
    while (this.next < offset) {
      if (this.options.clock.monotonicMs() >= deadlineMs) return false;
      await this.take(await this.nextBatch(), offset);
    }
    return this.whole && this.next === offset;
  }

  /** By chunk: where it stands, of what had not expired at `timeMs`. */
  digests(timeMs: number): ReadonlyMap<string, LogDigest> {
    const { chunks } = this.options;
    const sums = new Map(chunks.map(({ chunkId }) => [chunkId, { digest: new Digest(), keys: 0 }]));
    addDigests(sums, this.table, { timeMs, chunks });
    return new Map([...sums].map(([chunkId, { digest, keys }]) => [chunkId, { digest: digest.toHex(), keys }]));
  }

  /** Whoever reads hears of it as INTERRUPTED. */
  close(): void {
    this.closed = true;
    this.endTail();
  }

  private endTail(): void {
    this.tailing.abort();
    this.batches = undefined;
    this.ahead = undefined;
  }

  private async nextBatch(): Promise<LogBatch> {
    if (this.ahead !== undefined) return this.ahead;
    // Between two batches as well: nobody would end a tail that is begun then.
    if (this.closed) throw this.ended();
    this.batches ??= await this.begin();
    const { done, value } = await this.batches.next();
    if (done === true) throw this.ended();
    return value;
  }

  private ended(): Failure<'INTERRUPTED'> {
    return new Failure('INTERRUPTED', `the fold of ${this.name} was ended at ${this.next}`);
  }

  private async begin(): Promise<AsyncIterator<LogBatch>> {
    const { topic, partition: number } = this.place;
    const { topicId, signal, clock } = this.options;
    const partition = asPartition(number);
    this.starts++;
    this.tailing = new AbortController();
    this.sinceMs = clock.monotonicMs();
    this.startOffset = this.next = (await boundsOf(this.log, { topic, partition })).startOffset;
    this.gain = undefined;
    const from = { nextOffset: asOffset(this.next), leaderEpoch: -1 };
    const { readBytes: bytesMax, idleMs, unavailableMs } = limits;
    const tail = this.log.tail(topic, partition, from, {
      ...{ topicId, bytesMax, idleMs, unavailableMs, takesBadStretches: true },
      signal: AbortSignal.any([signal, this.tailing.signal]),
    });
    return tail[Symbol.asyncIterator]();
  }

  /** What of the batch is below `toOffset`. */
  private async take(batch: LogBatch, toOffset: number): Promise<void> {
    const { firstOffset, nextOffset, endOffset, missingBelow, endAskedMs } = batch;
    for (const record of folded(batch, {
      place: this.place,
      ...{ fromOffset: this.next, toOffset, keepsValues: true, keepsRecords: false },
    })) {
      if (this.breather.tired()) await this.breather.breathe();
      this.fold(record);
    }
    const isPart = nextOffset > toOffset;
    this.ahead = isPart ? batch : undefined;
    this.next = isPart ? toOffset : nextOffset;
    const sawAll = this.whole && (missingBelow === undefined || missingBelow <= firstOffset);
    const atMs = endAskedMs ?? this.options.clock.monotonicMs();
    // Between the two moments a deletion may have come and gone where it did not look.
    if (!sawAll && atMs - this.sinceMs > this.options.readWithinMs)
      throw new Failure(
        'NOT_PROVABLE',
        `${this.name} was read for longer than half of delete.retention.ms: deletions may be gone`,
      );
    this.whole = sawAll || (!isPart && nextOffset >= endOffset);
    if (this.whole) this.sinceMs = Math.max(this.sinceMs, atMs);
    if (isPart) return;
    const bytes = bytesOf(batch);
    this.options.onBytes(bytes);
  }

  private fold(record: ReturnType<typeof folded>[number]): void {
    const { hashAlgorithm, partitions, recordFormat } = this.place;
    const { key, tombstone, expiresAtMs } = record;
    hash128([key], this.key);
    if (tombstone) return this.table.delete(this.key);
    const slot = slotOf(hashOf(key, hashAlgorithm), partitions);
    if (chunkOver(this.options.chunks, slot) === undefined) return;
    hash128(digestedParts(record, recordFormat), this.record);
    if (!this.table.set(this.key, this.record, slot, expiresAtMs))
      throw new TooManyKeys(this.name, this.options.tableBytesMax);
  }

  /** What is written meanwhile has to be read too: the budget counts as long as it gains on the producers. */
  private async holdBack({ nextOffset, endOffset, ...batch }: LogBatch): Promise<void> {
    const { clock, rate, signal } = this.options;
    const nowMs = clock.monotonicMs();
    const now = { atMs: nowMs, next: nextOffset, end: endOffset };
    this.gain ??= now;
    if (nowMs - this.gain.atMs >= limits.gainMs) {
      const { next, end } = this.gain;
      this.hurries = nextOffset - next < 2 * (endOffset - end);
      this.gain = now;
    }
    if (!this.hurries) await rate.pass(bytesOf(batch), signal);
  }

  private get name(): string {
    return `${this.place.topic} partition ${this.place.partition}`;
  }
}
