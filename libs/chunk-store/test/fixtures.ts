import { encodePut, type RecordFormatName } from '@levee/codec';
import { asOffset, asPartition } from '@levee/kernel';
import { hashOf, type HashAlgorithm, partitionOf } from '@levee/keyspace';
import { type LogBatch, type LogHeader, noHeaders, type StoredRecord } from '@levee/log';
import {
  type BatchSpan,
  prepareBatch,
  type PreparedBatch,
  type Replica,
  type ReplicaIdentity,
} from '@levee/chunk-store';

export const identity: ReplicaIdentity = {
  clusterId: 'cluster-1',
  namespace: 'shop.orders',
  binlog: 'levee.binlog.shop.orders',
  chunkId: 'shop.orders#1/c00000',
  unitId: 'n1/u01',
  generation: 1,
  slotStart: 0,
  slotEnd: 1_000_000,
  partitions: 1,
  hashAlgorithm: 'murmur2',
  recordFormat: 'put',
};

export const nowMs = 1_000_000_000_000;

export interface Write {
  readonly key: string | Buffer | null;
  /** A string is put; null deletes; bytes are appended as they are. */
  readonly value: string | Buffer | null;
  readonly expiresAtMs?: number;
  readonly headers?: readonly LogHeader[];
  /** Of its record; `nowMs` otherwise. */
  readonly timestampMs?: number;
}

export function put(key: string, value: string, expiresAtMs?: number): Write {
  return { key, value, ...(expiresAtMs === undefined ? {} : { expiresAtMs }) };
}

export function rawOf(write: Write): Buffer | null {
  if (write.value === null || Buffer.isBuffer(write.value)) return write.value;
  return encodePut(Buffer.from(write.key ?? ''), Buffer.from(write.value), write.expiresAtMs ?? null);
}

/** A log of one partition, cut into batches as asked. */
export class PartitionScript {
  readonly records: StoredRecord[] = [];

  constructor(
    readonly partition = 0,
    private readonly partitions = 1,
    private readonly hashAlgorithm: HashAlgorithm = 'murmur2',
    private readonly recordFormat: RecordFormatName = 'put',
    private readonly hiddenAfterMs: number | null = null,
  ) {}

  append(...writes: Write[]): this {
    for (const write of writes)
      this.records.push({
        offset: asOffset(this.records.length),
        timestampMs: write.timestampMs ?? nowMs,
        key: write.key === null ? null : Buffer.from(write.key),
        value: this.recordFormat === 'raw' && write.value !== null ? Buffer.from(write.value) : rawOf(write),
        headers: write.headers ?? noHeaders,
      });
    return this;
  }

  /** Only writes whose key belongs here. */
  appendOwn(...writes: Write[]): this {
    const own = writes.filter(
      ({ key }) => partitionOf(hashOf(Buffer.from(key ?? ''), this.hashAlgorithm), this.partitions) === this.partition,
    );
    return this.append(...own);
  }

  batch(from: number, to = this.records.length, leaderEpoch = 0): PreparedBatch {
    const batch: LogBatch = {
      topic: identity.binlog,
      partition: asPartition(this.partition),
      firstOffset: asOffset(from),
      nextOffset: asOffset(to),
      leaderEpoch,
      endOffset: asOffset(this.records.length),
      records: this.records.slice(from, to),
    };
    return prepareBatch(batch, {
      hashAlgorithm: this.hashAlgorithm,
      partitions: this.partitions,
      recordFormat: this.recordFormat,
      hiddenAfterMs: this.hiddenAfterMs,
    });
  }

  /** Applies `[replica's position, to)` in batches of at most `size` records. */
  async applyTo(replica: Replica, to = this.records.length, size = 1000): Promise<void> {
    const from = replica.nextOffset(this.partition);
    for (let at = from; at < to; at += size) await apply(replica, this.batch(at, Math.min(to, at + size)));
  }
}

function wholeSpan(batch: PreparedBatch): BatchSpan {
  const { firstOffset, nextOffset } = batch.batch;
  return { from: 0, to: batch.records.length, firstOffset, nextOffset };
}

export function apply(
  replica: Replica,
  batch: PreparedBatch,
  completeAtMs?: number,
  afterWrite?: () => void,
): Promise<void> {
  return replica.apply(batch, wholeSpan(batch), completeAtMs, afterWrite);
}

/** What a key reads as: a text, `nil`, or `unreadable at <offset> (<reason>)`. */
export function read(replica: Replica, key: string, atMs = nowMs): string {
  const state = replica.get(Buffer.from(key), atMs);
  if (state === undefined) return 'nil';
  return state.readable ? state.value.toString() : `unreadable at ${state.offset} (${state.reason})`;
}
