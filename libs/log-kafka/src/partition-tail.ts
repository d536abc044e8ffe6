import { asOffset, failureCode, messageOf, type Offset, type Partition } from '@levee/kernel';
import {
  type BadStretch,
  type LogBatch,
  LogFailure,
  type LogFailureCode,
  logLimits,
  type LogPosition,
  type StoredRecord,
  type TailOptions,
} from '@levee/log';
import type { FetchAnswer } from './protocol/fetch';
import type { KafkaLogLimits } from './limits';
import { type AbortedTransaction, BatchReader, type ScannedBatches, scanBatches } from './record-batch-decoder';
import { storedBatches } from './stored-batches';
import { noProof, type TruncationProof } from './truncation-proof';

/** Fetched batches of one answer, checked but not decoded: that happens when the reader comes for them. */
interface Chunk {
  readonly batches: BatchReader;
  readonly firstOffset: Offset;
  readonly scanned: ScannedBatches;
  readonly aborted: readonly AbortedTransaction[];
  readonly endOffset: Offset;
  /** End of the durable records while an open transaction holds some of them back. */
  readonly withheldTo: Offset | undefined;
  /** Monotonic ms at which these ends were asked for. */
  readonly endAskedMs: number;
  /** Leader epoch of the broker that answered. */
  readonly placedEpoch: number;
}

type Ends = Pick<Chunk, 'endOffset' | 'withheldTo' | 'endAskedMs' | 'placedEpoch'>;

/** What a tail needs from whoever fetches for it. */
export interface TailHost {
  /** Room came free: fetch on. */
  wake(tail: PartitionTail): void;
  /** The tail has ended, by itself or by its reader. */
  ended(tail: PartitionTail): void;
  /** Fetched bytes of all tails. */
  readonly buffered: { bytes: number };
  readonly limits: Pick<KafkaLogLimits, 'corruptRereads' | 'leaderDoubtMs'>;
  nowMs(): number;
}

/**
 * One reader of one partition: the place where it stands, what was fetched and not yet handled, and the iteration.
 * It does no I/O; the fetcher asks {@link wantedBytes} and hands answers to {@link accept}.
 */
export class PartitionTail implements AsyncIterator<LogBatch> {
  /** The offset to fetch next; the reader itself may be behind it. */
  position: Offset;
  leaderEpoch: number;
  /** A request for it is under way. */
  inFlight = false;
  /** Monotonic ms at which that request was made. */
  askedMs: number;
  /** Monotonic ms of the first failure since the last good answer. */
  strugglingSinceMs: number | undefined;
  /** Id of the topic it reads: another one means deleted and created again. */
  topicId: string;
  /** Leader epoch of the partition for which the truncation check was done. */
  validatedEpoch = -1;
  /** Leader epoch of the broker that it fetches from. */
  placedEpoch = -1;
  /** Monotonic ms: when somebody else last confirmed that this broker leads. */
  confirmedMs = -Infinity;
  /** Denials of its place in the log. */
  proof: TruncationProof = noProof;
  /** Monotonic ms since when brokers speak of epochs below what was read. */
  behindSinceMs: number | undefined;
  attempts = 0;
  readonly name: string;
  readonly idleMs: number;
  /** Rest after an answer with records, before the next request. */
  readonly gatherMs: number;
  private readonly bytesMax: number;
  private readonly chunks: Chunk[] = [];
  /** Bytes of `chunks` and of the batch being handled. */
  private heldBytes = 0;
  private handledBytes = 0;
  /** What compressed batches unpacked to, of the batch being handled. */
  private unpackedBytes = 0;
  private cutBatchBytes = 0;
  private rereads = 0;
  /** A whole batch was read up to `position`. */
  private onBoundary = false;
  private deliveredMs: number;
  private failure: LogFailure | undefined;
  private over = false;
  /** The broker has answered, though perhaps nothing that the reader may be told. */
  private heard = false;
  /** The first answer has reached the reader. */
  private answered = false;
  private waiter: { resolve: (step: IteratorResult<LogBatch>) => void; reject: (error: unknown) => void } | undefined;
  private readonly onAbort = (): void => this.end();

  constructor(
    readonly topic: string,
    readonly partition: Partition,
    from: LogPosition,
    readonly options: TailOptions,
    private readonly host: TailHost,
  ) {
    this.name = `${topic} partition ${partition}`;
    this.topicId = options.topicId ?? '';
    this.position = from.nextOffset;
    this.leaderEpoch = from.leaderEpoch;
    this.idleMs = options.idleMs ?? logLimits.idleMsDefault;
    this.gatherMs = Math.min(options.gatherMs ?? 0, this.idleMs / 2);
    this.bytesMax = options.bytesMax ?? logLimits.tailBytesMaxDefault;
    this.deliveredMs = this.askedMs = host.nowMs();
    if (options.signal?.aborted === true) this.over = true;
    else options.signal?.addEventListener('abort', this.onAbort, { once: true });
  }

  get finished(): boolean {
    return this.over || this.failure !== undefined;
  }

  /** The reader waits for its first batch: the broker is not to hold the request. */
  get hurries(): boolean {
    return !this.heard && this.waiter !== undefined;
  }

  /** Bytes to ask for, 0 while there is no room. Half of the room each time: one half is read while the other fills. */
  wantedBytes(budgetLeft: number): number {
    if (this.finished || this.heldBytes > this.bytesMax / 2) return 0;
    if (this.heldBytes > 0 && budgetLeft <= 0) return 0;
    return Math.max(Math.ceil(this.bytesMax / 2), this.cutBatchBytes, 1);
  }

  next(): Promise<IteratorResult<LogBatch>> {
    this.releaseHandled();
    if (this.chunks.length > 0) {
      try {
        const value = this.handOver();
        if (!this.inFlight) this.host.wake(this);
        return Promise.resolve({ done: false, value });
      } catch (error) {
        return Promise.reject(error as Error);
      }
    }
    if (this.failure !== undefined) {
      const { failure } = this;
      this.end();
      return Promise.reject(failure);
    }
    if (this.over) return Promise.resolve(finished);
    const arrival = new Promise<IteratorResult<LogBatch>>((resolve, reject) => (this.waiter = { resolve, reject }));
    if (!this.inFlight) this.host.wake(this);
    return arrival;
  }

  return(): Promise<IteratorResult<LogBatch>> {
    this.end();
    return Promise.resolve(finished);
  }

  /** The iteration just ends; what was fetched and not taken is dropped. */
  end(): void {
    if (this.over) return;
    this.over = true;
    this.failure = undefined;
    this.options.signal?.removeEventListener('abort', this.onAbort);
    this.chunks.length = 0;
    this.host.buffered.bytes -= this.heldBytes + this.unpackedBytes;
    this.heldBytes = this.handledBytes = this.unpackedBytes = 0;
    this.waiter?.resolve(finished);
    this.waiter = undefined;
    this.host.ended(this);
  }

  /** The reader gets what was fetched before, then this. */
  fail(code: LogFailureCode, what: string, cause?: unknown, more: Readonly<Record<string, unknown>> = {}): void {
    if (this.finished) return;
    const details = { topic: this.topic, partition: this.partition, offset: this.position, ...more };
    const options = cause === undefined ? { details } : { details, cause };
    this.failure = new LogFailure(code, `${this.name} at offset ${this.position}: ${what}`, options);
    this.host.ended(this);
    this.settleFailure();
  }

  /**
   * An answer without error for this tail, after at most `waitMs` at the broker. Moves the position, so that the next
   * request can go out; the reader gets it with {@link deliver}.
   */
  accept(answer: FetchAnswer, { waitMs, answerBytes }: { waitMs: number; answerBytes: number }): void {
    if (this.finished) return;
    this.strugglingSinceMs = undefined;
    this.attempts = 0;
    this.heard = true;
    const committed = answer.lastStableOffset >= 0 ? answer.lastStableOffset : answer.highWatermark;
    const endOffset = asOffset(Math.min(committed, answer.highWatermark));
    // A deposed leader goes on answering from its old log: what it holds is committed, where it ends means nothing.
    const believed = this.host.nowMs() - this.confirmedMs <= this.host.limits.leaderDoubtMs;
    const ends = {
      endOffset,
      withheldTo: endOffset < answer.highWatermark ? asOffset(answer.highWatermark) : undefined,
      endAskedMs: this.askedMs,
      placedEpoch: this.placedEpoch,
    };
    const scanned = scanBatches(answer.batches, {
      from: this.position,
      onBoundary: this.onBoundary,
      endOffset: asOffset(answer.highWatermark),
    });
    if (scanned.bytes.length > 0) {
      this.rereads = 0;
      this.cutBatchBytes = 0;
      if (!believed) ends.endOffset = asOffset(Math.max(endOffset, scanned.nextOffset + 1));
      this.take(owned(scanned, answerBytes), answer.aborted, ends);
    } else if (believed && scanned.damagedAt === undefined && scanned.cutBatchBytes === 0) {
      this.idle(scanned, ends, waitMs);
    }
    if (scanned.damagedAt !== undefined && scanned.bytes.length === 0) {
      const what = `the batch is damaged (checksum or offsets), also after ${this.host.limits.corruptRereads} more reads: restore the topic`;
      if (++this.rereads > this.host.limits.corruptRereads) this.fail('RECORD_CORRUPT', what);
    } else if (scanned.cutBatchBytes > 0 && scanned.bytes.length === 0) {
      this.cutBatchBytes = scanned.cutBatchBytes;
    }
  }

  private take(scanned: ScannedBatches, aborted: readonly AbortedTransaction[], ends: Ends): void {
    const chunk = chunkOf(this.position, scanned, aborted, ends);
    this.position = scanned.nextOffset;
    this.onBoundary = true;
    this.leaderEpoch = scanned.leaderEpoch;
    this.heldBytes += scanned.bytes.length;
    this.host.buffered.bytes += scanned.bytes.length;
    this.chunks.push(chunk);
  }

  /** At the end: an empty batch, when the reader has not heard anything for `idleMs` by the time of the next answer. */
  private idle(scanned: ScannedBatches, ends: Ends, waitMs: number): void {
    if (this.position < ends.endOffset || this.waiter === undefined || this.chunks.length > 0) return;
    const dueMs = this.deliveredMs + this.idleMs - waitMs;
    if (this.answered && this.host.nowMs() < dueMs) return;
    this.chunks.push(chunkOf(this.position, scanned, [], ends));
  }

  /** Decodes one chunk for a reader that waits; returns its bytes, unpacked ones too. */
  deliver(): number {
    const { waiter } = this;
    if (waiter === undefined || this.chunks.length === 0) {
      this.settleFailure();
      return 0;
    }
    this.waiter = undefined;
    try {
      waiter.resolve({ done: false, value: this.handOver() });
    } catch (error) {
      waiter.reject(error);
    }
    return this.handledBytes + this.unpackedBytes;
  }

  /** A reader that waits, and for whom nothing is left, hears of the failure now. */
  private settleFailure(): void {
    const { waiter, failure } = this;
    if (waiter === undefined || failure === undefined || this.chunks.length > 0) return;
    this.waiter = undefined;
    this.end();
    waiter.reject(failure);
  }

  /**
   * One batch of everything that waits, up to {@link gatheredBytes}: a reader that lingers so that records gather (each
   * answer of a fast broker may hold a single one) gets them together, and one that fell behind catches up in few steps.
   */
  private handOver(): LogBatch {
    this.answered = true;
    this.deliveredMs = this.host.nowMs();
    const { topic, partition, chunks } = this;
    const records: StoredRecord[] = [];
    const badStretches: BadStretch[] = [];
    let last = chunks[0] as Chunk;
    let leaderEpoch = -1;
    let missingBelow = -1;
    const firstOffset = last.batches.nextOffset;
    try {
      if (this.options.stored === true) return this.asStored();
      for (let chunk: Chunk | undefined = last; chunk !== undefined; chunk = this.following(badStretches)) {
        last = chunk;
        this.read(chunk.batches, records, badStretches);
        if (chunk.batches.missingBelow >= 0) ({ missingBelow } = chunk.batches);
        if (chunk.batches.leaderEpoch >= 0) ({ leaderEpoch } = chunk.batches);
        if (chunk.batches.bytesLeft > 0) break;
        chunks.shift();
      }
    } catch (cause) {
      const failure = failureCode(cause) === 'RECORD_CORRUPT' ? (cause as LogFailure) : undefined;
      // The reader gets what is before it, and then hears of it.
      if (failure === undefined || last.batches.nextOffset === firstOffset) {
        this.end();
        if (failure === undefined) throw cause;
        const details = { topic, partition, ...failure.details };
        throw new LogFailure(failure.code, `${this.name}: ${messageOf(cause)}`, { cause, details });
      }
      if (last.batches.leaderEpoch >= 0) ({ leaderEpoch } = last.batches);
    }
    if (leaderEpoch < 0) ({ leaderEpoch } = this);
    const { endOffset, withheldTo, endAskedMs, batches } = last;
    const { nextOffset } = batches;
    const batch = { topic, partition, firstOffset, nextOffset, leaderEpoch, endOffset, endAskedMs, records };
    const seen = missingBelow < 0 ? batch : { ...batch, missingBelow: asOffset(missingBelow) };
    const whole = withheldTo === undefined ? seen : { ...seen, withheldTo };
    return badStretches.length === 0 ? whole : { ...whole, badStretches };
  }

  private asStored(): LogBatch {
    const { firstOffset, scanned, aborted, ...ends } = this.chunks.shift() as Chunk;
    this.handledBytes = scanned.bytes.length;
    const { topic, partition } = this;
    const { placedEpoch: readUnderEpoch, withheldTo, endOffset, endAskedMs } = ends;
    return {
      ...{ topic, partition, firstOffset, nextOffset: scanned.nextOffset, endOffset, endAskedMs, readUnderEpoch },
      leaderEpoch: scanned.leaderEpoch >= 0 ? scanned.leaderEpoch : this.leaderEpoch,
      records: [],
      stored: storedBatches(scanned, aborted),
      ...(withheldTo === undefined ? {} : { withheldTo }),
    };
  }

  /** The next chunk, while it belongs into the same batch for the reader. */
  private following(badStretches: readonly BadStretch[]): Chunk | undefined {
    const next = this.chunks[0];
    if (next === undefined || badStretches.length > 0) return undefined;
    const bytes = this.handledBytes + this.unpackedBytes + next.batches.bytesLeft;
    return bytes > gatheredBytes ? undefined : next;
  }

  /** All of a chunk, unless it unpacks to much, or something in it cannot be read, which may have taken long. */
  private read(batches: BatchReader, records: StoredRecord[], badStretches: BadStretch[]): void {
    const packed = batches.bytesLeft;
    try {
      while (batches.bytesLeft > 0 && this.unpackedBytes < unpackedStepBytes && badStretches.length === 0) {
        const bytes = batches.readBatch(records);
        this.unpackedBytes += bytes;
        this.host.buffered.bytes += bytes;
      }
    } catch (error) {
      if (this.options.takesBadStretches !== true || !(error instanceof LogFailure)) throw error;
      badStretches.push(batches.passBad(error));
    } finally {
      this.handledBytes += packed - batches.bytesLeft;
    }
  }

  /** The reader has come back, so it is done with the batch it got before. */
  private releaseHandled(): void {
    this.heldBytes -= this.handledBytes;
    this.host.buffered.bytes -= this.handledBytes + this.unpackedBytes;
    this.handledBytes = this.unpackedBytes = 0;
  }
}

/** Less than a millisecond of decoding. */
const gatheredBytes = 64 * 1024;

/** What compressed batches unpack to goes to the reader in steps of about this size. */
const unpackedStepBytes = 1024 * 1024;

/** Each field by name: a spread takes several times as long, and this is done for every answer. */
function chunkOf(
  firstOffset: Offset,
  scanned: ScannedBatches,
  aborted: readonly AbortedTransaction[],
  { endOffset, withheldTo, endAskedMs, placedEpoch }: Ends,
): Chunk {
  const batches = new BatchReader(scanned.bytes, firstOffset, aborted);
  return { batches, firstOffset, scanned, aborted, endOffset, withheldTo, endAskedMs, placedEpoch };
}

const finished: IteratorResult<LogBatch> = Object.freeze({ done: true, value: undefined });

/** A small part of a large answer is copied, so that a slow reader does not keep the whole answer in memory. */
function owned(scanned: ScannedBatches, answerBytes: number): ScannedBatches {
  return scanned.bytes.length * 2 >= answerBytes ? scanned : { ...scanned, bytes: Buffer.from(scanned.bytes) };
}
