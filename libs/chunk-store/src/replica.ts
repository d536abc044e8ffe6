import { assert, type Partition } from '@levee/kernel';
import { hashOf, partitionOf, partitionsOf } from '@levee/keyspace';
import { ChunkStoreFailure } from './chunk-store-failure';
import { copyProblem } from './copy/copy-record';
import { copiesAtOnce, type ReplicaDatabase } from './engine';
import { type BatchWriter, PartitionLog } from './partition-log';
import { bytesOfPosition, PartitionPlace } from './partition-place';
import { freshPosition, type Mark } from './position-record';
import type { PreparedBatch } from './prepared-batch';
import { encodeIdentity, identityKey, identityProblem, type ReplicaIdentity } from './replica-identity';
import { reclassify } from './classify-record';
import type { KeyState } from './key-state';
import type { BatchSpan, ReplicaOptions, ReplicaPosition, ReplicaStats } from './replica-types';
import { UnitSpace } from './unit-space';
import { DirtyKeyTracking } from './dirty-keys';
import { ValueCache } from './value-cache';
import type { DiskWriteTurns } from './write-turns';
import {
  chunkSeed,
  dataKey,
  dataPrefixBytes,
  recordKind,
  type RecordKind,
  storedBytes,
  StoredValue,
  writeStored,
} from './stored-value';

const chainBytesDefault = 6 << 20;
/** A completeness time is written at most this often when nothing else is. */
const completeAtPersistMs = 10_000;
/** A position that moved without records of ours is written after this many offsets. */
const idleAdvanceMax = 50_000;

/**
 * One chunk on one unit generation. Its state is the raw last record of each key of its slots up to its position (I1);
 * it never interprets what it can keep. One writer (the apply loop), any number of readers.
 */
export class Replica {
  /** Handing a page over is one piece of work for the event loop that serves clients: half a millisecond. */
  readonly pageEntries = 256;
  /** Of what is written, for digests that are made later than their barriers. */
  readonly dirtyKeys = new DirtyKeyTracking();
  private readonly places = new Map<number, PartitionPlace>();
  private readonly seed: number;
  private readonly reusesBuffers: boolean;
  private scratch = Buffer.allocUnsafe(64 * 1024);
  private queue: Promise<void> = Promise.resolve();
  /** Why no write is taken any more, whoever handed in the one that failed; `undefined` while all succeed. */
  failure: unknown;
  private closed = false;
  private readonly cache: ValueCache | undefined;
  private readonly writeTurns: DiskWriteTurns | undefined;
  private counts = { recordsApplied: 0, bytesApplied: 0, writes: 0, reads: 0 };

  private constructor(
    readonly db: ReplicaDatabase,
    readonly identity: ReplicaIdentity,
    readonly partitions: readonly Partition[],
    logs: readonly PartitionLog[],
    /** What it takes of its unit, and the unit's limit. */
    readonly space: UnitSpace,
    { values, writeTurns }: ReplicaOptions,
  ) {
    this.writeTurns = writeTurns;
    this.cache = values && new ValueCache(values);
    this.seed = chunkSeed(identity.chunkId);
    this.reusesBuffers = copiesAtOnce(db);
    for (const log of logs) this.places.set(log.partition, new PartitionPlace(log));
  }

  /**
   * Opens the replica that `db` holds, or makes `db`, if empty, that replica. REPLICA_MISMATCH when it holds another,
   * REPLICA_DAMAGED when its positions cannot be proven: then clear the unit generation and start from the log.
   */
  static async open(db: ReplicaDatabase, identity: ReplicaIdentity, options: ReplicaOptions = {}): Promise<Replica> {
    const partitions = partitionsOf(identity.slotStart, identity.slotEnd, identity.partitions);
    assert(partitions.length > 0, `I9: chunk ${identity.chunkId} has no slots`);
    const stored = await db.get(identityKey);
    if (stored === undefined) {
      for await (const key of db.keys({ limit: 1 }))
        throw new ChunkStoreFailure(
          'REPLICA_DAMAGED',
          `the database has no identity but the key ${key.toString('hex')}`,
        );
      const batch = db.batch();
      batch.put(identityKey, encodeIdentity(identity));
      for (const partition of partitions) PartitionLog.create(batch, partition, freshPosition);
      await batch.write({ sync: true } as object);
    } else {
      const problem = identityProblem(stored, identity);
      if (problem !== undefined)
        throw new ChunkStoreFailure(
          'REPLICA_MISMATCH',
          `I10: the folder of ${identity.unitId}, generation ${identity.generation}, does not hold ${identity.chunkId}: ` +
            `${problem}; nothing was changed`,
        );
      const half = await copyProblem(db);
      if (half !== undefined) throw new ChunkStoreFailure('REPLICA_DAMAGED', `I13: ${identity.chunkId}: ${half}`);
    }
    const logs: PartitionLog[] = [];
    for (const partition of partitions)
      logs.push(await PartitionLog.open(db, partition, options.chainBytes ?? chainBytesDefault));
    const space = new UnitSpace(db, identity, options.capacityBytes ?? 0);
    await space.measure();
    return new Replica(db, identity, partitions, logs, space, options);
  }

  /** Bytes that the database takes, as far as the engine says. */
  get sizeBytes(): number {
    return this.space.usedBytes;
  }

  position(partition: number): ReplicaPosition {
    return this.place(partition).position;
  }

  /** Next offset alone, for the read path. */
  nextOffset(partition: number): number {
    return this.place(partition).current.nextOffset;
  }

  /** Next offset as of the last span handed in, applied or not: where a tail may join. */
  stagedNext(partition: number): number {
    return this.place(partition).stagedNext;
  }

  /** Leader epoch that belongs to `stagedNext`. */
  stagedEpoch(partition: number): number {
    return this.place(partition).stagedEpoch;
  }

  /** Log time (ms since 1970) at which it last missed nothing of the partition. */
  completeAtMs(partition: number): number {
    return this.place(partition).current.completeAtMs;
  }

  /** Nothing of the partition was ever seen here. */
  isFresh(partition: number): boolean {
    return this.place(partition).fresh;
  }

  /**
   * Says that at log time `completeAtMs` the replica missed nothing: at the end of the partition, or while it is fresh,
   * for all it will read from offset 0 is what the log holds from then on.
   */
  noteComplete(partition: number, completeAtMs: number): void {
    this.markComplete(this.place(partition), completeAtMs);
  }

  /** True when the replica has not yet seen again what it had seen before it was rewound (I13). */
  rewoundAt(partition: number): boolean {
    return this.place(partition).rewound;
  }

  /** Why the chain of a partition was found broken at open, else `undefined`. */
  rewindProblem(partition: number): string | undefined {
    return this.place(partition).log.rewound;
  }

  holdsSlot(slot: number): boolean {
    return slot >= this.identity.slotStart && slot < this.identity.slotEnd;
  }

  get stats(): ReplicaStats {
    return { ...this.counts, cacheHits: this.cache?.counts.hits ?? 0 };
  }

  /**
   * Applies a span of a batch: data, position, leader epoch and journal key in one write (I12). Records below the
   * position are skipped, so a batch may overlap what was applied, but may not begin above it. What is written is
   * copied before this returns; calls may overlap and keep their order. `afterWrite` runs right after this write and
   * before the next: the place for a snapshot at a barrier. `completeAtMs` is given when the span ends at the end of
   * the partition. Fails when this write or one before it failed, also for a span that was handed in before.
   */
  apply(batch: PreparedBatch, span: BatchSpan, completeAtMs?: number, afterWrite?: () => void): Promise<void> {
    const partition = batch.batch.partition;
    const place = this.place(partition);
    assert(span.firstOffset <= place.stagedNext, `I12: records ${place.stagedNext}..${span.firstOffset} are missing`);
    if (span.nextOffset <= place.stagedNext) {
      // Behind the writes under way: before them it does not stand there, and one of them may fail.
      const atEndMs = span.nextOffset === place.stagedNext ? completeAtMs : undefined;
      return this.enqueue(async () => {
        if (atEndMs !== undefined) this.markComplete(place, atEndMs);
        afterWrite?.();
      });
    }
    this.throwIfUnusable();
    this.space.throwIfFull();
    const writer = this.db.batch();
    const bytes = this.stageRecords(batch, span, place.stagedNext, writer);
    place.stagedNext = span.nextOffset;
    place.stagedEpoch = Math.max(batch.batch.leaderEpoch, place.stagedEpoch);
    const next: Mark = {
      nextOffset: span.nextOffset,
      leaderEpoch: place.stagedEpoch,
      completeAtMs: Math.max(completeAtMs ?? 0, place.log.stagedPosition.completeAtMs),
    };
    const persisted = place.log.stagedPosition.nextOffset;
    if (bytes === 0 && span.nextOffset - persisted < idleAdvanceMax) {
      void writer.close();
      return this.enqueue(async () => {
        this.advance(place, next);
        if (completeAtMs !== undefined) this.markComplete(place, completeAtMs);
        afterWrite?.();
      });
    }
    place.log.stage(writer, next, bytes + bytesOfPosition);
    this.counts.writes++;
    this.space.applied(bytes);
    return this.enqueue(async () => {
      await (this.writeTurns ? this.writeTurns.run(bytes, () => writer.write()) : writer.write());
      await this.space.measureIfDue();
      this.written(batch, span);
      this.advance(place, next);
      place.lastPersistMs = next.completeAtMs;
      afterWrite?.();
    });
  }

  /** What `key` holds at `nowMs`; expired values are nothing. The caller has checked that the slot is ours. */
  get(key: Buffer, nowMs: number): KeyState {
    this.counts.reads++;
    const { cache } = this;
    const name = cache === undefined ? '' : key.toString('latin1');
    const hit = cache?.get(name);
    if (hit !== undefined) return hit.expiresAtMs !== 0 && hit.expiresAtMs <= nowMs ? undefined : hit;
    const databaseKey = dataKey(key);
    const stored = this.db.getSync(databaseKey);
    if (stored === undefined) return undefined;
    const state = this.interpret(databaseKey, stored, nowMs);
    if (cache !== undefined && state?.readable === true) cache.set(name, state);
    return state;
  }

  /** Meaning of a database entry at `nowMs`. Throws REPLICA_DAMAGED when its checksum fails. */
  interpret(databaseKey: Buffer, stored: Buffer, nowMs: number): KeyState {
    const found = StoredValue.read(databaseKey, stored, this.seed);
    if (found.kind === recordKind.put) {
      if (found.expiredAt(nowMs)) return undefined;
      return { readable: true, offset: found.offset, expiresAtMs: found.expiresAtMs, value: found.value };
    }
    const again = reclassify(databaseKey.subarray(dataPrefixBytes), found.kind, found.raw);
    if (again.kind === recordKind.put) {
      if (again.expiresAtMs !== 0 && again.expiresAtMs <= nowMs) return undefined;
      const value = found.raw.subarray(again.valueStart);
      return { readable: true, offset: found.offset, expiresAtMs: again.expiresAtMs, value };
    }
    const { hashAlgorithm, partitions } = this.identity;
    const partition = partitionOf(hashOf(databaseKey.subarray(dataPrefixBytes), hashAlgorithm), partitions);
    return { readable: false, offset: found.offset, partition, reason: again.reason };
  }

  /** The checked raw entry, for copies and digests. */
  readStored(databaseKey: Buffer, stored: Buffer): StoredValue {
    return StoredValue.read(databaseKey, stored, this.seed);
  }

  /**
   * Runs `write` after every write handed in before and before every later one: for the sweep. Fails like `apply`.
   */
  exclusively(write: () => Promise<void>): Promise<void> {
    this.throwIfUnusable();
    return this.enqueue(() => {
      this.dirtyKeys.end();
      return write();
    });
  }

  /** Runs `look` after every write handed in before and before every later one. Fails like `apply`. */
  between(look: () => void): Promise<void> {
    this.throwIfUnusable();
    return this.enqueue(async () => look());
  }

  /** Writes positions that moved without records, and completeness times: for a snapshot that others go on from. */
  writePositions(): Promise<void> {
    this.throwIfUnusable();
    const writer = this.db.batch();
    for (const place of this.places.values()) place.stage(writer);
    return this.enqueue(() => writer.write());
  }

  /** Resolves when every write handed in before is done, and noted among the dirty keys. */
  settled(): Promise<void> {
    return this.queue;
  }

  /** Writes positions that moved without records, waits for writes under way and closes the database. */
  async close(): Promise<void> {
    if (this.closed) return this.queue.catch(() => undefined);
    this.closed = true;
    await this.queue.catch(() => undefined);
    if (this.failure === undefined) {
      const writer = this.db.batch();
      for (const place of this.places.values()) place.stage(writer);
      await writer.write();
    }
    await this.db.close();
    this.cache?.clear();
  }

  private place(partition: number): PartitionPlace {
    const place = this.places.get(partition);
    assert(place !== undefined, `I9: chunk ${this.identity.chunkId} has no slot in partition ${partition}`);
    return place;
  }

  /** Drops cached values that a finished write replaced, before its position counts. Until then the old ones are true. */
  private written({ batch: { partition }, records, kinds, slots }: PreparedBatch, { from, to }: BatchSpan): void {
    const { cache, dirtyKeys } = this;
    const cached = cache !== undefined && cache.size > 0;
    if (!cached && dirtyKeys.size === 0) return;
    for (let i = from; i < to; i++) {
      if (kinds[i] === recordKind.none || !this.holdsSlot(slots[i] as number)) continue;
      const key = records[i]?.key as Buffer;
      if (cached) cache.delete(key.toString('latin1'));
      dirtyKeys.note(partition, key);
    }
  }

  private throwIfUnusable(): void {
    if (this.failure !== undefined)
      throw new ChunkStoreFailure('REPLICA_CLOSED', `a write of ${this.identity.chunkId} failed before`, {
        cause: this.failure,
      });
    if (this.closed) throw new ChunkStoreFailure('REPLICA_CLOSED', `the replica of ${this.identity.chunkId} is closed`);
  }

  private stageRecords(batch: PreparedBatch, span: BatchSpan, above: number, writer: BatchWriter): number {
    const { slotStart, slotEnd } = this.identity;
    const { records, kinds, slots } = batch;
    let bytes = 0;
    let applied = 0;
    for (let i = span.from; i < span.to; i++) {
      const kind = kinds[i] as RecordKind;
      if (kind === recordKind.none) continue;
      const slot = slots[i] as number;
      if (slot < slotStart || slot >= slotEnd) continue;
      const record = records[i] as (typeof records)[number];
      if (record.offset < above) continue;
      const key = record.key as Buffer;
      applied++;
      if (kind === recordKind.tombstone) {
        writer.del(dataKey(key));
        bytes += key.length + 16;
        continue;
      }
      const raw = record.value as Buffer;
      const size = storedBytes(key, raw);
      const slab = this.room(size);
      const valueAt = dataPrefixBytes + key.length;
      const expiresAtMs = batch.expiresAtMs[i] as number;
      const valueStart = batch.valueStarts[i] as number;
      const end = writeStored(slab, 0, key, raw, this.seed, { offset: record.offset, expiresAtMs, kind, valueStart });
      const databaseKey = slab.subarray(0, valueAt);
      writer.put(this.reusesBuffers ? databaseKey : Buffer.from(databaseKey), slab.subarray(valueAt, end));
      bytes += size + 16;
    }
    this.counts.recordsApplied += applied;
    this.counts.bytesApplied += bytes;
    return bytes;
  }

  /** One reused buffer where the engine copies at once; else a new one per record, which lives as long as its value. */
  private room(bytes: number): Buffer {
    if (!this.reusesBuffers) return Buffer.allocUnsafeSlow(bytes);
    if (this.scratch.length < bytes) this.scratch = Buffer.allocUnsafe(bytes * 2);
    return this.scratch;
  }

  private advance(place: PartitionPlace, next: Mark): void {
    assert(next.nextOffset >= place.current.nextOffset, 'I12: a position never falls within an incarnation');
    place.current = next;
  }

  private markComplete(place: PartitionPlace, completeAtMs: number): void {
    if (completeAtMs <= place.current.completeAtMs) return;
    place.current = { ...place.current, completeAtMs };
    if (completeAtMs - place.lastPersistMs < completeAtPersistMs || this.closed || this.failure !== undefined) return;
    place.lastPersistMs = completeAtMs;
    const writer = this.db.batch();
    place.log.stageCompleteAt(writer, completeAtMs);
    this.enqueue(() => writer.write()).catch(() => undefined);
  }

  private enqueue(write: () => Promise<void>): Promise<void> {
    const done = this.queue.then(async () => {
      if (this.failure !== undefined) this.throwIfUnusable();
      try {
        await write();
      } catch (error) {
        this.failure ??= error;
        throw error;
      }
    });
    this.queue = done.catch(() => undefined);
    return done;
  }
}
