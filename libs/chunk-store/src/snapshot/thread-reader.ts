import { asPartition, failureCode, type Partition } from '@levee/kernel';
import { ChunkStoreFailure } from '../chunk-store-failure';
import type { CopyBlock } from '../copy/copy-block';
import type { CopyRange } from '../copy/snapshot-copy';
import { locationOf, type ReplicaDatabase } from '../engine';
import type { Replica } from '../replica';
import type { ReadBlock } from './reader-messages';
import type { OpenedReading, ReaderThread } from './reader-thread';
import type { ReplicaSnapshot } from './replica-snapshot';
import type { PartitionDigest } from './snapshot-digest';
import {
  type CopySource,
  type DigestSource,
  LoopReader,
  type ReaderPaces,
  type SnapshotReader,
} from './snapshot-reader';

/**
 * Reads in the reader thread what lies on disk, and in the event loop what lies in memory. The paces hold both back:
 * a block of a copy, or a slice of a scan, is one turn.
 */
export class ThreadReader implements SnapshotReader {
  private readonly loop: LoopReader;
  /** Databases that the thread may have open. */
  private readonly shared = new WeakSet<ReplicaDatabase>();

  constructor(
    private readonly thread: ReaderThread,
    private readonly paces: ReaderPaces,
  ) {
    this.loop = new LoopReader(paces);
  }

  async copy(replica: Replica, range: CopyRange): Promise<CopySource> {
    const location = locationOf(replica.db);
    if (location === undefined) return this.loop.copy(replica, range);
    await replica.writePositions();
    const opened = await this.open(replica, location, { kind: 'copy', range });
    return opened === undefined ? this.loop.copy(replica, range) : new ThreadCopy(this.thread, opened, this.paces);
  }

  async digest(replica: Replica): Promise<DigestSource> {
    const location = locationOf(replica.db);
    const opened = location === undefined ? undefined : await this.open(replica, location, { kind: 'digest' });
    return opened === undefined ? this.loop.digest(replica) : new ThreadDigest(this.thread, opened, this.paces);
  }

  digestIn(snapshot: ReplicaSnapshot): DigestSource {
    return this.loop.digestIn(snapshot);
  }

  /** `undefined` when there is no thread to be had. */
  private async open(
    { db, identity }: Replica,
    location: string,
    what: { readonly kind: 'copy'; readonly range: CopyRange } | { readonly kind: 'digest' },
  ): Promise<OpenedReading | undefined> {
    this.share(db, location);
    try {
      return await this.thread.open({ ...what, location, identity });
    } catch (error) {
      if (failureCode(error) === 'READER_GONE') return undefined;
      throw error;
    }
  }

  /** [safety] A database is never closed here, nor its folder cleared, while the thread has it open. */
  private share(db: ReplicaDatabase, location: string): void {
    if (db.status !== 'open') throw new ChunkStoreFailure('REPLICA_CLOSED', `${location} is ${db.status}`);
    if (this.shared.has(db)) return;
    const close = (): Promise<void> => this.thread.release(location);
    db.attachResource({ close, [Symbol.asyncDispose]: close });
    this.shared.add(db);
  }
}

class ThreadCopy implements CopySource {
  readonly positions;

  constructor(
    private readonly thread: ReaderThread,
    private readonly opened: OpenedReading,
    private readonly paces: ReaderPaces,
  ) {
    this.positions = opened.positions;
  }

  async next(bytesMax: number): Promise<CopyBlock> {
    const { copy } = this.paces;
    const block = (await this.thread.ask({ kind: 'next', reading: this.opened.reading, bytesMax })) as ReadBlock;
    const { bytes, entries, last } = block;
    await copy.giveWay?.(bytes.length);
    return { bytes: Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength), entries, last };
  }

  close(): Promise<void> {
    return this.thread.closeReading(this.opened.reading);
  }
}

class ThreadDigest implements DigestSource {
  constructor(
    private readonly thread: ReaderThread,
    private readonly opened: OpenedReading,
    { digest }: ReaderPaces,
  ) {
    thread.onSlice(opened.reading, async (bytes) => digest.giveWay?.(bytes));
  }

  async scan(barriers: ReadonlyMap<Partition, number>, signal?: AbortSignal): Promise<void> {
    const { reading } = this.opened;
    const stop = (): void => void this.close();
    signal?.addEventListener('abort', stop, { once: true });
    try {
      await this.thread.ask({ kind: 'scan', reading, barriers: [...barriers] });
    } finally {
      signal?.removeEventListener('abort', stop);
    }
  }

  async takeBack(
    partition: Partition,
    databaseKeys: readonly Buffer[],
    then: readonly (Buffer | undefined)[],
  ): Promise<void> {
    await this.thread.ask({ kind: 'takeBack', reading: this.opened.reading, partition, databaseKeys, then });
  }

  async totals(): Promise<ReadonlyMap<Partition, PartitionDigest>> {
    const totals = (await this.thread.ask({ kind: 'totals', reading: this.opened.reading })) as Map<
      number,
      PartitionDigest
    >;
    return new Map([...totals].map(([partition, digest]) => [asPartition(partition), digest]));
  }

  close(): Promise<void> {
    return this.thread.closeReading(this.opened.reading);
  }
}
