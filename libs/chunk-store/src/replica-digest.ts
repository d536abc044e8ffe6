import type { AbstractIterator, AbstractSnapshot } from 'abstract-level';
import { defined, Digest, hash128, type Partition } from '@levee/kernel';
import { hashOf, partitionOf } from '@levee/keyspace';
import { Breather, type Pace } from './breather';
import { ChunkStoreFailure } from './chunk-store-failure';
import type { ReplicaDatabase } from './engine';
import type { Replica } from './replica';
import { dataKey, dataPrefixBytes, type StoredValue } from './stored-value';
import { upperBound } from './partition-log';
import { decodePosition, positionKey, type PositionRecord } from './position-record';

/** A digest of one chunk and partition at a barrier: equal on all replicas that hold the same state (I1). */
export interface PartitionDigest {
  readonly digest: string;
  readonly keys: number;
}

/** Where a partition is digested. */
export interface DigestBarrier {
  /** ms since 1970: what has expired by then does not count. */
  readonly timeMs: number;
  /** Where the snapshot that is scanned is a later one. */
  readonly earlier?: EarlierState | undefined;
}

export interface EarlierState {
  /** Taken at the barrier. */
  readonly snapshot: ReplicaSnapshot;
  /** Keys of the partition that may have been written since, as latin1. */
  readonly written: ReadonlySet<string>;
}

/** A frozen view of a replica. Close it when its pages are: it keeps old table files alive. */
export class ReplicaSnapshot {
  private constructor(
    private readonly replica: Replica,
    private readonly snapshot: AbstractSnapshot,
  ) {}

  /** The state right now, between two writes; call it in `afterWrite` of the span that ends at a barrier. */
  static take(replica: Replica): ReplicaSnapshot {
    return new ReplicaSnapshot(replica, replica.db.snapshot());
  }

  /** The state at some moment between two writes, with the newest completeness times in it. */
  static async takeWithPositions(replica: Replica): Promise<ReplicaSnapshot> {
    return new ReplicaSnapshot(replica, await replica.freeze());
  }

  /** Where the replica stands inside the snapshot. REPLICA_DAMAGED when that cannot be read. */
  async position(partition: Partition): Promise<PositionRecord> {
    const key = positionKey(partition);
    const stored = await this.replica.db.get(key, { snapshot: this.snapshot });
    const position = stored && decodePosition(key, stored);
    if (position !== undefined) return position;
    throw new ChunkStoreFailure('REPLICA_DAMAGED', `the position of partition ${partition} cannot be read`);
  }

  /**
   * Sum modulo 2^128 of the hashes of (key, raw value) of the partition's keys not expired at `barrierMs`; unreadable
   * records count as they stand. Background work: gives way every 2 ms. Throws REPLICA_DAMAGED on a bad checksum.
   */
  async digest(partition: Partition, barrierMs: number, pace: Pace, signal?: AbortSignal): Promise<PartitionDigest> {
    const digests = await this.digests(new Map([[partition, { timeMs: barrierMs }]]), pace, signal);
    return defined(digests.get(partition), 'the digest of the partition asked for');
  }

  /** As `digest`, of several partitions in one scan, each at its own barrier. */
  async digests(
    barriers: ReadonlyMap<Partition, DigestBarrier>,
    pace: Pace,
    signal?: AbortSignal,
  ): Promise<Map<Partition, PartitionDigest>> {
    const { hashAlgorithm, partitions } = this.replica.identity;
    const only = this.replica.partitions.length === 1 ? this.replica.partitions[0] : undefined;
    const sums = new Map([...barriers].map(([partition, { timeMs }]) => [partition, new PartitionSum(timeMs)]));
    const breather = new Breather(pace);
    for await (const page of this.pages(signal))
      for (const [databaseKey, stored] of page) {
        if (breather.tired(1, databaseKey.length + stored.length)) await breather.breathe();
        const key = databaseKey.subarray(dataPrefixBytes);
        const sum = sums.get(only ?? partitionOf(hashOf(key, hashAlgorithm), partitions));
        sum?.add(key, this.replica.readStored(databaseKey, stored));
      }
    for (const [partition, { earlier }] of barriers)
      if (earlier !== undefined) await this.takeBack(earlier, sums.get(partition) as PartitionSum, breather);
    breather.end();
    return new Map([...sums].map(([partition, sum]) => [partition, sum.total]));
  }

  /** Of each key written since the barrier, what it held then counts, not what it holds here. */
  private async takeBack({ snapshot, written }: EarlierState, sum: PartitionSum, breather: Breather): Promise<void> {
    const names = [...written];
    for (let from = 0; from < names.length; from += takenBackAtOnce) {
      const keys = names.slice(from, from + takenBackAtOnce).map((name) => dataKey(Buffer.from(name, 'latin1')));
      const [here, then] = await Promise.all([this.stored(keys), snapshot.stored(keys)]);
      keys.forEach((databaseKey, i) => {
        const key = databaseKey.subarray(dataPrefixBytes);
        const [now, before] = [here[i], then[i]];
        if (now !== undefined) sum.subtract(key, this.replica.readStored(databaseKey, now));
        if (before !== undefined) sum.add(key, this.replica.readStored(databaseKey, before));
      });
      if (breather.tired(keys.length)) await breather.breathe();
    }
  }

  private stored(databaseKeys: Buffer[]): Promise<(Buffer | undefined)[]> {
    return this.replica.db.getMany(databaseKeys, { snapshot: this.snapshot });
  }

  /** Raw database entries behind the user key `after`, by ascending key; a page is read while the one before it is used. */
  async *pages(signal?: AbortSignal, after?: Uint8Array): AsyncGenerator<readonly [Buffer, Buffer][]> {
    const iterator = this.iterator(after);
    try {
      let ahead = iterator.nextv(pageEntries);
      for (;;) {
        const page = await ahead;
        if (page.length === 0 || signal?.aborted === true) return;
        ahead = iterator.nextv(pageEntries);
        // Whoever awaits it sees the failure; nobody does when the reader ends before.
        ahead.catch(() => undefined);
        yield page;
      }
    } finally {
      await iterator.close();
    }
  }

  private iterator(after?: Uint8Array): AbstractIterator<ReplicaDatabase, Buffer, Buffer> {
    const low = dataKey(after ?? new Uint8Array(0));
    const lt = upperBound(dataKey(new Uint8Array(0)));
    const options = { snapshot: this.snapshot, lt, fillCache: false, highWaterMarkBytes: readAheadBytes };
    return this.replica.db.iterator(after === undefined ? { ...options, gte: low } : { ...options, gt: low });
  }

  close(): Promise<void> {
    return this.snapshot.close();
  }
}

/** The digest of one partition as it grows. */
class PartitionSum {
  private readonly digest = new Digest();
  private readonly hash = new Uint32Array(4);
  private keys = 0;

  constructor(private readonly barrierMs: number) {}

  add(key: Buffer, value: StoredValue): void {
    if (value.expiredAt(this.barrierMs)) return;
    this.digest.add(hash128([key, value.raw], this.hash));
    this.keys++;
  }

  subtract(key: Buffer, value: StoredValue): void {
    if (value.expiredAt(this.barrierMs)) return;
    this.digest.subtract(hash128([key, value.raw], this.hash));
    this.keys--;
  }

  get total(): PartitionDigest {
    return { digest: this.digest.toHex(), keys: this.keys };
  }
}

/** LevelDB hands over at most this many bytes at a time. */
const readAheadBytes = 256 * 1024;
const takenBackAtOnce = 256;
/** Handing a page over is one piece of work for the event loop: half a millisecond. */
const pageEntries = 256;

export interface SweepResult {
  /** Keys not expired at the sweep's time. */
  readonly liveKeys: number;
  readonly liveBytes: number;
  readonly removed: number;
  /** Keys that have an expiry and are still there. */
  readonly expiring: number;
}

/** Expired keys stay this long, so that a digest or a slow reader at an earlier time still finds them. */
export const expiredKeptMs = 3_600_000;

/**
 * Counts live keys and removes those that expired an hour ago or earlier. `logNowMs` is the log's time, never the
 * node's own clock: a clock that is ahead must not remove what a later barrier still counts.
 */
export async function sweepExpired(
  replica: Replica,
  logNowMs: number,
  pace: Pace,
  signal?: AbortSignal,
): Promise<SweepResult> {
  const snapshot = ReplicaSnapshot.take(replica);
  const breather = new Breather(pace);
  let liveKeys = 0;
  let liveBytes = 0;
  let removed = 0;
  let expiring = 0;
  let doomed: Buffer[] = [];
  const remove = (keys: readonly Buffer[]): Promise<void> =>
    replica.exclusively(async () => {
      const batch = replica.db.batch();
      for (const key of keys) {
        const stored = replica.db.getSync(key);
        if (stored === undefined || !replica.readStored(key, stored).expiredAt(logNowMs - expiredKeptMs)) continue;
        batch.del(key);
        removed++;
      }
      await batch.write();
    });
  try {
    for await (const page of snapshot.pages(signal))
      for (const [key, stored] of page) {
        if (breather.tired(1, key.length + stored.length)) await breather.breathe();
        const value = replica.readStored(key, stored);
        if (value.expiresAtMs !== 0) expiring++;
        if (value.expiredAt(logNowMs - expiredKeptMs)) {
          doomed.push(key);
          if (doomed.length >= 256) {
            await remove(doomed);
            doomed = [];
          }
        } else if (!value.expiredAt(logNowMs)) {
          liveKeys++;
          liveBytes += key.length + stored.length;
        }
      }
    if (doomed.length > 0) await remove(doomed);
  } finally {
    breather.end();
    await snapshot.close();
  }
  return { liveKeys, liveBytes, removed, expiring: expiring - removed };
}
