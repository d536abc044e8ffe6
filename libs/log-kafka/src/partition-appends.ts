import { asOffset, assert } from '@levee/kernel';
import type { Appended, LogFailure, LogRecord } from '@levee/log';
import { type AttemptEvent, type Attempts, isProvenAbsent, nextAttempts } from './batch-attempts';
import { sequenceAfter } from './record-batch';
import { encodeBatch } from './record-batch-encoder';

export interface ProducerIdentity {
  readonly producerId: number;
  readonly epoch: number;
}

/** One call of `append`, from its acceptance to its answer. */
export interface AppendCall {
  readonly records: readonly LogRecord[];
  readonly bytes: number;
  /** Monotonic ms. */
  readonly deadlineMs: number;
  readonly resolve: (appended: Appended) => void;
  readonly reject: (failure: LogFailure) => void;
}

/** What was sent, or is about to be: never changed, so that every retry is the same attempt for the broker. */
export interface FrozenBatch {
  readonly calls: readonly AppendCall[];
  readonly bytes: Buffer;
  readonly count: number;
  /** Of the call that waits longest, monotonic ms. */
  readonly deadlineMs: number;
  /** What its attempts prove together. */
  attempts: Attempts;
}

/**
 * Appends of one partition by one producer identity: calls in order of arrival, at most one frozen batch.
 * I15: one unresolved batch at a time, resent unchanged, keeps order and stores it once.
 */
export class PartitionAppends {
  private readonly waiting: AppendCall[] = [];
  frozen: FrozenBatch | undefined;
  identity: ProducerIdentity | undefined;
  /** `idle`: nothing to do; `ready`: stands in a lane; `sent`: in a request; `paused`: comes back by itself. */
  state: 'idle' | 'ready' | 'sent' | 'paused' = 'idle';
  /** Attempts to send the frozen batch that ended without an answer that settles it. */
  failures = 0;
  /** Of the last of them, in words. */
  why: string | undefined;
  /** Every later append fails with this: a fenced writer has lost this partition. */
  ended: LogFailure | undefined;
  /** After the broker refused a shared batch, calls go one by one for as many calls. */
  private alone = 0;

  constructor(
    readonly topic: string,
    readonly partition: number,
    private nextSequence = 0,
  ) {}

  get hasWork(): boolean {
    return this.frozen !== undefined || this.waiting.length > 0;
  }

  /** The frozen batch holds more than one call. */
  get isShared(): boolean {
    return this.frozen !== undefined && this.frozen.calls.length > 1;
  }

  add(call: AppendCall): void {
    this.waiting.push(call);
  }

  /** The batch to send now: the frozen one, or a new one of what waits, up to `sharedBytes` unless one call has more. */
  freeze(sharedBytes: number, timeMs: number): FrozenBatch {
    if (this.frozen !== undefined) return this.frozen;
    const { identity } = this;
    assert(identity !== undefined, 'I15: a batch needs a producer identity');
    const calls = this.waiting.splice(0, this.sharing(sharedBytes));
    let count = 0;
    let deadlineMs = Infinity;
    for (const call of calls) {
      count += call.records.length;
      if (call.deadlineMs < deadlineMs) deadlineMs = call.deadlineMs;
    }
    const bytes = encodeBatch(calls, timeMs, { ...identity, baseSequence: this.nextSequence });
    this.frozen = { calls, bytes, count, deadlineMs, attempts: 'clean' };
    return this.frozen;
  }

  /** Whether certainly nothing of the frozen batch was or will be stored; true when there is none. */
  get provenAbsent(): boolean {
    return this.frozen === undefined || isProvenAbsent(this.frozen.attempts);
  }

  /** An attempt of the frozen batch begins or has ended. */
  attempt(event: AttemptEvent): void {
    const batch = this.frozen;
    assert(batch !== undefined, 'I15: there is a batch to send');
    batch.attempts = nextAttempts(batch.attempts, event);
  }

  /** The broker has it: answers every call with the offset of its first record. */
  stored(baseOffset: number): number {
    this.attempt('stored');
    const batch = this.takeFrozen();
    this.nextSequence = sequenceAfter(this.nextSequence, batch.count);
    let offset = baseOffset;
    for (const call of batch.calls) {
      call.resolve({ baseOffset: asOffset(offset) });
      offset += call.records.length;
    }
    return bytesOf(batch.calls);
  }

  /** Nothing of it was stored, so its sequence numbers are still free. Returns the bytes released. */
  fail(failure: LogFailure): number {
    this.assertAbsent();
    return this.rejectFrozen(failure);
  }

  /** The outcome stays unknown; the identity's sequence is spent, so a new one has to be taken. */
  lose(failure: LogFailure): number {
    this.identity = undefined;
    this.nextSequence = 0;
    return this.rejectFrozen(failure);
  }

  /** Certainly nothing was stored and several calls share the batch: they try again one by one, in order. */
  split(): void {
    this.assertAbsent();
    const { calls } = this.takeFrozen();
    this.waiting.unshift(...calls);
    this.alone = calls.length;
  }

  /** Ends what waits and is past its deadline; certainly unsent. Returns the bytes released. */
  expire(nowMs: number, failure: () => LogFailure): number {
    let expired = 0;
    while (expired < this.waiting.length && (this.waiting[expired] as AppendCall).deadlineMs <= nowMs) expired++;
    if (expired === 0) return 0;
    const calls = this.waiting.splice(0, expired);
    for (const call of calls) call.reject(failure());
    return bytesOf(calls);
  }

  /** Ends everything that waits; certainly unsent. Returns the bytes released. */
  failWaiting(failure: LogFailure): number {
    const calls = this.waiting.splice(0);
    for (const call of calls) call.reject(failure);
    return bytesOf(calls);
  }

  /** Takes a new identity and begins at `sequence`, for tests of the int32 wrap. */
  beginAt(sequence: number): void {
    assert(this.frozen === undefined, 'a sequence begins between two batches');
    this.identity = undefined;
    this.nextSequence = sequence;
  }

  /** How many waiting calls share the next batch. */
  private sharing(sharedBytes: number): number {
    if (this.alone > 0) {
      this.alone--;
      return 1;
    }
    let bytes = 0;
    let calls = 0;
    for (; calls < this.waiting.length; calls++) {
      bytes += (this.waiting[calls] as AppendCall).bytes;
      if (bytes > sharedBytes && calls > 0) break;
    }
    return calls;
  }

  /** What goes on under this identity carries other bytes under the frozen batch's sequence numbers. */
  private assertAbsent(): void {
    assert(this.provenAbsent, 'I20: a sequence number is used again only when every attempt was proof');
  }

  private rejectFrozen(failure: LogFailure): number {
    const { calls } = this.takeFrozen();
    for (const call of calls) call.reject(failure);
    return bytesOf(calls);
  }

  private takeFrozen(): FrozenBatch {
    const batch = this.frozen;
    assert(batch !== undefined, 'I15: there is a batch to settle');
    this.frozen = undefined;
    this.failures = 0;
    this.why = undefined;
    return batch;
  }
}

function bytesOf(calls: readonly AppendCall[]): number {
  let bytes = 0;
  for (const call of calls) bytes += call.bytes;
  return bytes;
}
