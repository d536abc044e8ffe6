import { type BatchSpan, type PreparedBatch, recordKind, type RecordKind } from '@levee/chunk-store';
import { asOffset, assert, type Partition } from '@levee/kernel';
import type { SlotRange } from '@levee/keyspace';
import type { LogPosition } from '@levee/log';
import type { HeldPartition, HeldRecord } from './held-partition';
import { localLimits } from './local-limits';
import { MemoryBudget } from './memory-budget';
import { OrderedKeys } from './ordered-keys';

/** The last record of a key. */
export interface MemoryRecord extends HeldRecord {
  /** The digest that has counted it last. */
  countedBy: number;
}

/** Is told of what goes. */
export interface Counting {
  count(keyText: string, record: MemoryRecord): void;
}

const sweptAtOnce = 2_048;
const { keyOverheadBytes, bufferOverheadBytes, stringBytesMax, keysMax, orderedKeyBytes } = localLimits;

/**
 * One partition of a namespace in memory: the last record of each key of the slots that are held, up to its position. As
 * what is applied is there at once, what was handed in and what is applied are the same.
 */
export class MemoryPartition implements HeldPartition {
  /** By key, as latin1. */
  private readonly held = new Map<string, MemoryRecord>();
  nextOffset = 0;
  sweptToMs = 0;
  private leaderEpoch = -1;
  private bytes = 0;
  /** [safety] Why it may hold a part of something, and answers nothing any more. */
  failure: unknown;
  /** Of those held, how many expire. */
  private expiring = 0;
  recordsApplied = 0;
  private keyOrder: OrderedKeys | undefined;
  /** A digest that is being made. */
  counting: Counting | undefined;

  constructor(
    readonly partition: Partition,
    private readonly slots: SlotRange,
    private readonly budget: MemoryBudget,
  ) {}

  get keys(): number {
    return this.held.size;
  }

  get mayExpire(): boolean {
    return this.expiring > 0;
  }

  position(): LogPosition {
    return { nextOffset: asOffset(this.nextOffset), leaderEpoch: this.leaderEpoch };
  }

  stagedNext(): number {
    return this.nextOffset;
  }

  stagedEpoch(): number {
    return this.leaderEpoch;
  }

  /** Rejects with {@link MemoryFull}; after that it is worth nothing. */
  apply(batch: PreparedBatch, span: BatchSpan, _completeAtMs?: number, afterWrite?: () => void): Promise<void> {
    try {
      if (this.failure !== undefined) throw this.failure as Error;
      assert(span.firstOffset <= this.nextOffset, `I12: records ${this.nextOffset}..${span.firstOffset} are missing`);
      if (span.nextOffset > this.nextOffset) {
        this.applyRecords(batch, span);
        this.nextOffset = span.nextOffset;
        this.leaderEpoch = Math.max(batch.batch.leaderEpoch, this.leaderEpoch);
      }
      afterWrite?.();
      return Promise.resolve();
    } catch (error) {
      this.failure ??= error;
      return Promise.reject(error as Error);
    }
  }

  between(look: () => void): Promise<void> {
    look();
    return Promise.resolve();
  }

  /** `undefined`: nothing, or what has expired at `nowMs`. */
  get(keyText: string, nowMs: number): MemoryRecord | undefined {
    const found = this.held.get(keyText);
    return found === undefined || isExpired(found, nowMs) ? undefined : found;
  }

  /** Expired or not. */
  mayHide(keyText: string): boolean {
    return this.held.has(keyText);
  }

  entries(): IterableIterator<[string, MemoryRecord]> {
    return this.held.entries();
  }

  /** What is applied is there at once. */
  seenAt(): number {
    return this.nextOffset;
  }

  /** So many at a time, so that others have their turn. */
  async sweep(nowMs: number): Promise<void> {
    if (!this.mayExpire) return;
    this.sweptToMs = Math.max(this.sweptToMs, nowMs);
    let looked = 0;
    for (const [keyText, record] of this.held) {
      if (isExpired(record, nowMs)) this.drop(keyText, record);
      if (++looked % sweptAtOnce === 0) await new Promise<void>((resolve) => setImmediate(resolve));
      if (this.failure !== undefined) return;
    }
  }

  end(): void {
    this.clear();
  }

  /** Its keys in order, where somebody asked for that. */
  get order(): OrderedKeys | undefined {
    return this.keyOrder;
  }

  /** From now on its keys are kept in order: those that come by itself, those that are there by {@link bringIn}. */
  keepOrder(): OrderedKeys {
    return (this.keyOrder ??= new OrderedKeys());
  }

  /** A key that is held, into the order; nothing if that is not kept any more. */
  bringIn(keyText: string): void {
    if (this.keyOrder?.add(keyText) === true) this.take(orderedKeyBytes);
  }

  /** Its keys are not kept in order any more. */
  letGoOfOrder(): void {
    this.take(-orderedKeyBytes * (this.keyOrder?.size ?? 0));
    this.keyOrder = undefined;
  }

  /** Gives back all that it takes. */
  clear(): void {
    this.keyOrder = undefined;
    this.failure ??= new Error('the replica was dropped');
    this.held.clear();
    this.budget.usedBytes -= this.bytes;
    this.bytes = 0;
    this.expiring = 0;
  }

  private applyRecords(
    { records, kinds, slots, expiresAtMs, valueStarts }: PreparedBatch,
    { from, to }: BatchSpan,
  ): void {
    const { slotStart, slotEnd } = this.slots;
    for (let i = from; i < to; i++) {
      const kind = kinds[i] as RecordKind;
      const slot = slots[i] as number;
      if (kind === recordKind.none || slot < slotStart || slot >= slotEnd) continue;
      const record = records[i] as (typeof records)[number];
      if (record.offset < this.nextOffset) continue;
      const keyText = (record.key as Buffer).toString('latin1');
      const before = this.held.get(keyText);
      this.recordsApplied++;
      if (kind === recordKind.tombstone) {
        if (before !== undefined) this.drop(keyText, before);
        continue;
      }
      const value = record.value as Buffer;
      this.put(keyText, before, {
        offset: record.offset,
        expiresAtMs: expiresAtMs[i] as number,
        kind,
        valueStart: valueStarts[i] as number,
        // A copy in either case: the batch's bytes go.
        countedBy: 0,
        raw: value.length <= stringBytesMax ? value.toString('latin1') : ownCopy(value),
      });
    }
    this.budget.check();
  }

  private put(keyText: string, before: MemoryRecord | undefined, record: MemoryRecord): void {
    if (before !== undefined) this.counting?.count(keyText, before);
    else if (this.held.size >= keysMax) throw MemoryBudget.tooManyKeys(this.partition);
    this.take(bytesOf(record) - (before === undefined ? -keyText.length - keyOverheadBytes : bytesOf(before)));
    this.expiring += mayExpire(record) - mayExpire(before);
    this.held.set(keyText, record);
    if (before === undefined) this.bringIn(keyText);
  }

  private drop(keyText: string, record: MemoryRecord): void {
    this.counting?.count(keyText, record);
    this.held.delete(keyText);
    if (this.keyOrder?.remove(keyText) === true) this.take(-orderedKeyBytes);
    this.expiring -= mayExpire(record);
    this.take(-(keyText.length + bytesOf(record) + keyOverheadBytes));
  }

  private take(bytes: number): void {
    this.bytes += bytes;
    this.budget.usedBytes += bytes;
  }
}

export const isExpired = ({ expiresAtMs }: HeldRecord, nowMs: number): boolean =>
  expiresAtMs !== 0 && expiresAtMs <= nowMs;

/** Bytes beside the heap have an object on it, and take whole pages. */
const bytesOf = ({ raw }: HeldRecord): number => raw.length + (typeof raw === 'string' ? 0 : bufferOverheadBytes);

const mayExpire = (record: HeldRecord | undefined): number =>
  record !== undefined && record.expiresAtMs !== 0 ? 1 : 0;

function ownCopy(value: Buffer): Buffer {
  const copy = Buffer.allocUnsafeSlow(value.length);
  value.copy(copy);
  return copy;
}
