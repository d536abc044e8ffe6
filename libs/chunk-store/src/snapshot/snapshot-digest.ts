import { Digest, hash128, type Partition } from '@levee/kernel';
import { hashOf, partitionOf } from '@levee/keyspace';
import { Breather, type Pace } from '../breather';
import { dataPrefixBytes, type StoredValue } from '../stored-value';
import type { ReplicaSnapshot } from './replica-snapshot';

/** A digest of one chunk and partition at a barrier: equal on all replicas that hold the same state (I1). */
export interface PartitionDigest {
  readonly digest: string;
  readonly keys: number;
}

/**
 * Digests of the partitions of one snapshot in one scan: sums modulo 2^128 of the hashes of (key, raw value) of the
 * keys not expired at the time of their partition's barrier; unreadable records count as they stand. Where a barrier
 * was before the snapshot, `takeBack` what was written since. Everything throws REPLICA_DAMAGED on a bad checksum.
 */
export class SnapshotDigest {
  private readonly sums = new Map<Partition, PartitionSum>();

  constructor(
    private readonly snapshot: ReplicaSnapshot,
    private readonly pace: Pace,
  ) {}

  /** Background work. `barriers`: ms since 1970 by partition; what has expired by then does not count. */
  async scan(barriers: ReadonlyMap<Partition, number>, signal?: AbortSignal): Promise<void> {
    const { view } = this.snapshot;
    const { hashAlgorithm, partitions } = view.identity;
    const only = view.partitions.length === 1 ? view.partitions[0] : undefined;
    for (const [partition, timeMs] of barriers) this.sums.set(partition, new PartitionSum(timeMs));
    const breather = new Breather(this.pace);
    for await (const page of this.snapshot.pages(signal))
      for (const [databaseKey, stored] of page) {
        if (breather.tired(1, databaseKey.length + stored.length)) await breather.breathe();
        const key = databaseKey.subarray(dataPrefixBytes);
        const sum = this.sums.get(only ?? partitionOf(hashOf(key, hashAlgorithm), partitions));
        sum?.add(key, view.readStored(databaseKey, stored));
      }
    breather.end();
  }

  /** Of each of these keys of the partition, what it held at the barrier counts, not what the snapshot holds. */
  async takeBack(
    partition: Partition,
    databaseKeys: readonly Buffer[],
    then: readonly (Buffer | undefined)[],
  ): Promise<void> {
    const { view } = this.snapshot;
    const sum = this.sums.get(partition);
    if (sum === undefined) return;
    const here = await this.snapshot.stored(databaseKeys);
    databaseKeys.forEach((databaseKey, i) => {
      const key = databaseKey.subarray(dataPrefixBytes);
      const [now, before] = [here[i], then[i]];
      if (now !== undefined) sum.subtract(key, view.readStored(databaseKey, now));
      if (before !== undefined) sum.add(key, view.readStored(databaseKey, before));
    });
  }

  totals(): Map<Partition, PartitionDigest> {
    return new Map([...this.sums].map(([partition, sum]) => [partition, sum.total]));
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
    this.digest.add(hash128(value.digested(key), this.hash));
    this.keys++;
  }

  subtract(key: Buffer, value: StoredValue): void {
    if (value.expiredAt(this.barrierMs)) return;
    this.digest.subtract(hash128(value.digested(key), this.hash));
    this.keys--;
  }

  get total(): PartitionDigest {
    return { digest: this.digest.toHex(), keys: this.keys };
  }
}
