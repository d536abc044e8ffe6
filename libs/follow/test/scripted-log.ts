import type { ReplicaIdentity } from '@levee/chunk-store';
import { encode, encodePut } from '@levee/codec';
import { genesisKey } from '@levee/journal';
import { asOffset, asPartition } from '@levee/kernel';
import {
  type BadStretch,
  type Log,
  LogFailure,
  type LogBatch,
  type LogPosition,
  noHeaders,
  type PartitionOffsets,
  type StoredRecord,
} from '@levee/log';

export const scriptedPlace = {
  clusterId: 'cluster-1',
  namespace: 'shop.orders',
  binlog: 'levee.binlog.shop.orders',
  partitions: 1,
  partition: 0,
};

/** Of a replica of everything in it. */
export const scriptedIdentity: ReplicaIdentity = {
  clusterId: scriptedPlace.clusterId,
  namespace: scriptedPlace.namespace,
  binlog: scriptedPlace.binlog,
  partitions: 1,
  chunkId: 'shop.orders#1/c00000',
  unitId: 'n1/u01',
  generation: 1,
  slotStart: 0,
  slotEnd: 1_000_000,
  hashAlgorithm: 'murmur2',
  recordFormat: 'put',
};

function badAt({ offset, timestampMs }: StoredRecord): BadStretch {
  const what = `the batch at offset ${offset} is compressed with zstd and cannot be unpacked`;
  return { fromOffset: offset, toOffset: asOffset(offset + 1), timestampMs, what, bytes: Buffer.from('packed') };
}

/** A binlog of one partition that a test may cut, let grow again under another leader, and end. */
export class ScriptedLog {
  readonly records: { readonly record: StoredRecord; readonly epoch: number }[] = [];
  epoch = 0;
  /** Offsets of records that came in batches which nobody can unpack. */
  readonly unreadable = new Set<number>();
  /** Offsets whose records compaction has removed. */
  readonly removed = new Set<number>();
  /** Most records of a batch. */
  batchRecordsMax = 512;
  idleMs = 10;
  /** So long an answer waits for its reader, as in a process that was stopped. */
  answersWaitMs = 0;
  /** Where tails began, in order, also those that only look at the Genesis. */
  readonly begun: LogPosition[] = [];
  /** Where each tail stands now. */
  private readonly tails = new Map<object, number>();
  /** How late a tail that waits hears of what happened. */
  lateMs: () => number = () => 0;
  /** Every tail that asks for more fails once with this. */
  private failure: { readonly error: LogFailure; number: number } | undefined;
  private failures = 0;
  private closed = false;
  private turnOfAll: Promise<void> | undefined;
  private wakes: (() => void)[] = [];

  constructor(private readonly nowMs: () => number = () => Date.now()) {
    const genesis = { ...scriptedPlace, hashAlgorithm: 'murmur2', nonce: 'x', createdAtMs: 0 };
    this.add(genesisKey, encode('Genesis', genesis));
  }

  get asLog(): Log {
    return this as unknown as Log;
  }

  /** Tails now. */
  get followed(): number {
    return this.tails.size;
  }

  /** The furthest that any tail has come. */
  get furthest(): number {
    return Math.max(0, ...this.tails.values());
  }

  get end(): number {
    return this.records.length;
  }

  /** Of the record before `offset`. */
  epochAt(offset: number): number {
    return this.records[offset - 1]?.epoch ?? -1;
  }

  put(key: string, value: string | Buffer): void {
    const bytes = Buffer.from(key);
    this.add(bytes, encodePut(bytes, Buffer.from(value), null));
  }

  delete(key: string): void {
    this.add(Buffer.from(key), null);
  }

  /** What was at `offset` and behind it is lost; another leader goes on from there. */
  cut(offset: number): void {
    this.records.length = offset;
    this.epoch++;
    this.wake();
  }

  /** What every tail hears next. */
  failTails(error: LogFailure): void {
    this.failure = { error, number: ++this.failures };
    this.wake();
  }

  close(): void {
    this.closed = true;
    this.wake();
  }

  /** Value of every key, as the log has it below `offset`. */
  stateAt(offset: number): Map<string, string> {
    const state = new Map<string, string>();
    for (const { record } of this.records.slice(1, offset)) {
      const key = record.key!.toString();
      if (record.value === null) state.delete(key);
      else state.set(key, record.value.toString('latin1'));
    }
    return state;
  }

  /** Records `[from, to)` as a tail would give them. */
  batch(from: number, to: number): LogBatch {
    const some = this.records.slice(from, to);
    const missing = some.filter(({ record }) => this.removed.has(record.offset)).at(-1)?.record.offset;
    return {
      ...(missing === undefined ? undefined : { missingBelow: asOffset(missing + 1) }),
      topic: scriptedPlace.binlog,
      partition: asPartition(0),
      firstOffset: asOffset(from),
      nextOffset: asOffset(to),
      leaderEpoch: some.at(-1)?.epoch ?? -1,
      endOffset: asOffset(this.end),
      records: some
        .map(({ record }) => record)
        .filter(({ offset }) => !this.unreadable.has(offset) && !this.removed.has(offset)),
      badStretches: some.filter(({ record }) => this.unreadable.has(record.offset)).map(({ record }) => badAt(record)),
    };
  }

  offsets(): Promise<PartitionOffsets[]> {
    return Promise.resolve([{ partition: asPartition(0), startOffset: asOffset(0), endOffset: asOffset(this.end) }]);
  }

  async *tail(
    _topic: string,
    _partition: number,
    from: LogPosition,
    { signal }: { readonly signal: AbortSignal },
  ): AsyncGenerator<LogBatch> {
    this.begun.push(from);
    let { nextOffset: at, leaderEpoch }: { nextOffset: number; leaderEpoch: number } = from;
    let known = this.failures;
    let first = true;
    const self = {};
    this.tails.set(self, at);
    try {
      for (;;) {
        await this.turn();
        if (signal.aborted || this.closed) return;
        if (this.failure !== undefined && this.failure.number > known) {
          known = this.failure.number;
          throw this.failure.error;
        }
        this.check(at, leaderEpoch);
        const some = this.records.slice(at, at + this.batchRecordsMax);
        if (some.length === 0 && !first) {
          await this.next(signal);
          if (signal.aborted || this.closed) return;
          this.check(at, leaderEpoch);
          if (this.end > at) continue;
        }
        first = false;
        leaderEpoch = some.at(-1)?.epoch ?? leaderEpoch;
        at += some.length;
        this.tails.set(self, at);
        const endAskedMs = performance.now() - this.answersWaitMs;
        yield { ...this.batch(at - some.length, at), leaderEpoch, endAskedMs };
      }
    } finally {
      this.tails.delete(self);
    }
  }

  private check(at: number, leaderEpoch: number): void {
    const later = leaderEpoch < 0 ? -1 : this.records.findIndex(({ epoch }) => epoch > leaderEpoch);
    const endOfSeen = later < 0 ? this.end : later;
    if (leaderEpoch >= 0 && at > endOfSeen)
      throw new LogFailure('LOG_TRUNCATED', `epoch ${leaderEpoch} ends at ${endOfSeen}, the reader stands at ${at}`);
    if (at > this.end) throw new LogFailure('OFFSET_OUT_OF_RANGE', `${at} is above ${this.end}`);
  }

  add(key: Buffer | null, value: Buffer | null): void {
    const offset = asOffset(this.records.length);
    const record = { offset, timestampMs: this.nowMs(), key, value, headers: noHeaders };
    this.records.push({ record, epoch: this.epoch });
    this.wake();
  }

  private wake(): void {
    for (const wake of this.wakes.splice(0)) wake();
  }

  /** All tails that wait for their turn have it together, as those of one answer of a broker. */
  private turn(): Promise<void> {
    this.turnOfAll ??= new Promise((resolve) =>
      setImmediate(() => {
        this.turnOfAll = undefined;
        resolve();
      }),
    );
    return this.turnOfAll;
  }

  /** Until something happens, or for `idleMs`. */
  private next(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const goOn = (): void => {
        clearTimeout(timer);
        signal.removeEventListener('abort', goOn);
        resolve();
      };
      const timer = setTimeout(goOn, this.idleMs);
      this.wakes.push(() => {
        const lateMs = this.lateMs();
        if (lateMs === 0) return goOn();
        clearTimeout(timer);
        setTimeout(goOn, lateMs);
      });
      signal.addEventListener('abort', goOn);
    });
  }
}
