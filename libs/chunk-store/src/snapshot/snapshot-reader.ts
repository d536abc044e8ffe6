import type { Partition } from '@levee/kernel';
import type { Pace } from '../breather';
import type { CopyBlock } from '../copy/copy-block';
import type { CopyPosition } from '../copy/copy-position';
import { type CopyRange, SnapshotCopy } from '../copy/snapshot-copy';
import type { Replica } from '../replica';
import { ReplicaSnapshot } from './replica-snapshot';
import type { ReplicaView } from './replica-view';
import { type PartitionDigest, SnapshotDigest } from './snapshot-digest';

/** A frozen view of some slots of a replica, handed out in blocks by ascending key. One call of `next` at a time. */
export interface CopySource {
  /** Inside the snapshot, for each partition that the slots touch. */
  readonly positions: readonly CopyPosition[];
  /**
   * Up to about `bytesMax` bytes; one entry always fits. Every checksum is proven before an entry leaves: throws
   * REPLICA_DAMAGED.
   */
  next(bytesMax: number): Promise<CopyBlock>;
  close(): Promise<void>;
}

/** A `SnapshotDigest`, wherever it is computed. */
export interface DigestSource {
  scan(barriers: ReadonlyMap<Partition, number>, signal?: AbortSignal): Promise<void>;
  takeBack(partition: Partition, databaseKeys: readonly Buffer[], then: readonly (Buffer | undefined)[]): Promise<void>;
  totals(): Promise<ReadonlyMap<Partition, PartitionDigest>>;
  close(): Promise<void>;
}

/** What reads whole replicas: for copies and digests. Both work on a snapshot taken before the promise resolves. */
export interface SnapshotReader {
  /** The caller has checked that the replica is readable and holds the slots. */
  copy(replica: Replica, range: CopyRange): Promise<CopySource>;
  digest(replica: Replica): Promise<DigestSource>;
  /** In a snapshot that was taken before, which its owner closes. */
  digestIn(snapshot: ReplicaSnapshot): DigestSource;
}

export interface ReaderPaces {
  readonly copy: Pace;
  readonly digest: Pace;
}

/** Reads in the event loop that also serves, in turns with everything else. */
export class LoopReader implements SnapshotReader {
  constructor(private readonly paces: ReaderPaces) {}

  async copy(replica: Replica, range: CopyRange): Promise<CopySource> {
    await replica.writePositions();
    return SnapshotCopy.open(replica, range, this.paces.copy);
  }

  digest(replica: Replica): Promise<DigestSource> {
    return Promise.resolve(digestOf(replica, this.paces.digest));
  }

  digestIn(snapshot: ReplicaSnapshot): DigestSource {
    return { ...digestIn(snapshot, this.paces.digest), close: () => Promise.resolve() };
  }
}

/** Of what the replica holds now. */
export function digestOf(view: ReplicaView, pace: Pace): DigestSource {
  return digestIn(ReplicaSnapshot.take(view), pace);
}

function digestIn(snapshot: ReplicaSnapshot, pace: Pace): DigestSource {
  const digest = new SnapshotDigest(snapshot, pace);
  return {
    scan: (barriers, signal) => digest.scan(barriers, signal),
    takeBack: (partition, databaseKeys, then) => digest.takeBack(partition, databaseKeys, then),
    totals: () => Promise.resolve(digest.totals()),
    close: () => snapshot.close(),
  };
}

/** Bytes that a copy of these slots takes, roughly: their share in what the database takes. */
export function copyBytesEstimate({ identity, sizeBytes }: Replica, range: CopyRange): number {
  return Math.floor((sizeBytes * (range.slotEnd - range.slotStart)) / (identity.slotEnd - identity.slotStart));
}
