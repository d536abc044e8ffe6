import { crc32cNative } from '@levee/codec';
import { hashOf, partitionsOf, slotOf } from '@levee/keyspace';
import { Breather, type Pace } from '../breather';
import { ChunkStoreFailure } from '../chunk-store-failure';
import { ReplicaSnapshot } from '../snapshot/replica-snapshot';
import type { ReplicaView } from '../snapshot/replica-view';
import type { CopySource } from '../snapshot/snapshot-reader';
import { chunkSeed, dataPrefixBytes } from '../stored-value';
import { type CopyBlock, CopyBlockWriter } from './copy-block';
import type { CopyPosition } from './copy-position';

export interface CopyRange {
  readonly slotStart: number;
  readonly slotEnd: number;
  /** Last key that is copied already. */
  readonly after?: Uint8Array | undefined;
}

/** The source's side of a copy. */
export class SnapshotCopy implements CopySource {
  private readonly pages: AsyncGenerator<readonly [Buffer, Buffer][]>;
  private readonly seed: number;
  private readonly breather: Breather;
  private page: readonly [Buffer, Buffer][] = [];
  private pageAt = 0;

  private constructor(
    private readonly view: ReplicaView,
    private readonly snapshot: ReplicaSnapshot,
    private readonly range: CopyRange,
    readonly positions: readonly CopyPosition[],
    pace: Pace,
  ) {
    this.pages = snapshot.pages(undefined, range.after);
    this.seed = chunkSeed(view.identity.chunkId);
    this.breather = new Breather(pace);
  }

  /** Of what the replica holds now. Its positions were written just before, or the copy looks older. */
  static async open(view: ReplicaView, range: CopyRange, pace: Pace): Promise<SnapshotCopy> {
    const snapshot = ReplicaSnapshot.take(view);
    try {
      const touched = partitionsOf(range.slotStart, range.slotEnd, view.identity.partitions);
      const positions: CopyPosition[] = [];
      for (const partition of touched) {
        const { nextOffset, leaderEpoch, completeAtMs } = await snapshot.position(partition);
        positions.push({ partition, nextOffset, leaderEpoch, completeAtMs });
      }
      return new SnapshotCopy(view, snapshot, range, positions, pace);
    } catch (error) {
      await snapshot.close();
      throw error;
    }
  }

  async next(bytesMax: number): Promise<CopyBlock> {
    const block = new CopyBlockWriter(bytesMax);
    for (;;) {
      if (this.pageAt === this.page.length) {
        const next = await this.pages.next();
        if (next.done === true) {
          this.breather.end();
          return block.finish(true);
        }
        this.page = next.value;
        this.pageAt = 0;
      }
      const [databaseKey, stored] = this.page[this.pageAt] as [Buffer, Buffer];
      if (!block.takes(databaseKey, stored)) return block.finish(false);
      this.pageAt++;
      if (this.breather.tired(1, databaseKey.length + stored.length)) await this.breather.breathe();
      if (this.wants(databaseKey)) this.check(block, databaseKey, block.add(databaseKey, stored));
    }
  }

  async close(): Promise<void> {
    await this.pages.return(undefined);
    await this.snapshot.close();
  }

  private wants(databaseKey: Buffer): boolean {
    const { slotStart, slotEnd, hashAlgorithm, partitions } = this.view.identity;
    const { range } = this;
    if (range.slotStart <= slotStart && range.slotEnd >= slotEnd) return true;
    const slot = slotOf(hashOf(databaseKey.subarray(dataPrefixBytes), hashAlgorithm), partitions);
    return slot >= range.slotStart && slot < range.slotEnd;
  }

  private check({ bytes }: CopyBlockWriter, databaseKey: Buffer, start: number): void {
    const end = bytes.length - 4;
    if (end >= start && crc32cNative(bytes.subarray(start, end), this.seed) === bytes.readUInt32BE(end)) return;
    throw new ChunkStoreFailure(
      'REPLICA_DAMAGED',
      `${this.view.identity.chunkId}: the value of key ` +
        `${databaseKey.subarray(dataPrefixBytes).toString('hex').slice(0, 64)} fails its checksum while it is copied`,
    );
  }
}
