import type { AbstractIterator, AbstractSnapshot } from 'abstract-level';
import { defined, type Partition } from '@levee/kernel';
import type { Pace } from '../breather';
import { ChunkStoreFailure } from '../chunk-store-failure';
import type { ReplicaDatabase } from '../engine';
import { decodePosition, positionKey, type PositionRecord } from '../position-record';
import { dataKey, dataRange } from '../stored-value';
import type { ReplicaView } from './replica-view';
import { type PartitionDigest, SnapshotDigest } from './snapshot-digest';

/** LevelDB hands over at most this many bytes at a time. */
const readAheadBytes = 256 * 1024;
/** A frozen view of a replica. Close it when its pages are: it keeps old table files alive. */
export class ReplicaSnapshot {
  private constructor(
    readonly view: ReplicaView,
    private readonly snapshot: AbstractSnapshot,
  ) {}

  /** The state right now, between two writes; call it in `afterWrite` of the span that ends at a barrier. */
  static take(view: ReplicaView): ReplicaSnapshot {
    return new ReplicaSnapshot(view, view.db.snapshot());
  }

  /** Where the replica stands inside the snapshot. REPLICA_DAMAGED when that cannot be read. */
  async position(partition: Partition): Promise<PositionRecord> {
    const key = positionKey(partition);
    const stored = await this.view.db.get(key, { snapshot: this.snapshot });
    const position = stored && decodePosition(key, stored);
    if (position !== undefined) return position;
    throw new ChunkStoreFailure('REPLICA_DAMAGED', `the position of partition ${partition} cannot be read`);
  }

  /** As `SnapshotDigest`, of one partition. */
  async digest(partition: Partition, barrierMs: number, pace: Pace): Promise<PartitionDigest> {
    const digest = new SnapshotDigest(this, pace);
    await digest.scan(new Map([[partition, barrierMs]]));
    return defined(digest.totals().get(partition), 'the digest of the partition asked for');
  }

  /** What these database keys hold, in their order. */
  stored(databaseKeys: readonly Buffer[]): Promise<(Buffer | undefined)[]> {
    return this.view.db.getMany([...databaseKeys], { snapshot: this.snapshot });
  }

  /** Raw database entries behind the user key `after`, by ascending key; a page is read while the one before it is used. */
  async *pages(signal?: AbortSignal, after?: Uint8Array): AsyncGenerator<readonly [Buffer, Buffer][]> {
    const iterator = this.iterator(after);
    try {
      let ahead = iterator.nextv(this.view.pageEntries);
      for (;;) {
        const page = await ahead;
        if (page.length === 0 || signal?.aborted === true) return;
        ahead = iterator.nextv(this.view.pageEntries);
        // Whoever awaits it sees the failure; nobody does when the reader ends before.
        ahead.catch(() => undefined);
        yield page;
      }
    } finally {
      await iterator.close();
    }
  }

  close(): Promise<void> {
    return this.snapshot.close();
  }

  private iterator(after?: Uint8Array): AbstractIterator<ReplicaDatabase, Buffer, Buffer> {
    const range = after === undefined ? dataRange : { gt: dataKey(after), lt: dataRange.lt };
    const options = { snapshot: this.snapshot, fillCache: false, highWaterMarkBytes: readAheadBytes };
    return this.view.db.iterator({ ...options, ...range });
  }
}
