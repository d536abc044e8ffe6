import { diskRefusal, type NodeDisk, type ReplicaDatabase, UnitDisk, type UnitDiskOptions } from '@levee/chunk-store';
import { messageOf } from '@levee/kernel';

/** LevelDB's words on a file system that takes no more. */
export type Refusal = 'No space left on device' | 'Read-only file system' | 'Operation not permitted';

/** A real disk on which writes of databases fail from a chosen one on, as on a file system that is full or read-only. */
export class FailingDisk {
  says: Refusal = 'No space left on device';
  /** Writes that still succeed. */
  private left = Infinity;
  /** What was said while it was full. */
  refused = 0;

  get full(): boolean {
    return this.left <= 0;
  }

  /** Full after so many more writes. */
  fillAfter(writes: number): void {
    this.left = writes;
  }

  /** Somebody freed some space. */
  free(): void {
    this.left = Infinity;
  }

  /** For a node, in place of its own way to open a disk. */
  readonly open = async (options: UnitDiskOptions): Promise<NodeDisk> => {
    const disk = await UnitDisk.open({
      ...options,
      freeBytes: async () => (this.full && this.says === 'No space left on device' ? 0 : 2 ** 40),
    });
    const { openUnit, hasRoom } = disk;
    disk.hasRoom = async () => !this.full && (await hasRoom.call(disk));
    disk.openUnit = async (unitId, generation) => {
      // Opening writes: the log of the last process becomes a table.
      if (this.full) throw this.refusal();
      const db = await openUnit.call(disk, unitId, generation);
      this.bend(db);
      return db;
    };
    return disk;
  };

  private bend(db: ReplicaDatabase): void {
    const batch = db.batch.bind(db) as (...args: unknown[]) => unknown;
    db.batch = ((...args: unknown[]) => {
      if (args.length > 0) return this.passes() ? batch(...args) : Promise.reject(this.error());
      const chained = batch() as { write: (...options: unknown[]) => Promise<void> };
      const { write } = chained;
      chained.write = (...options) => (this.passes() ? write.apply(chained, options) : Promise.reject(this.error()));
      return chained;
    }) as typeof db.batch;
  }

  private passes(): boolean {
    const passes = this.left-- > 0;
    if (!passes) this.refused++;
    return passes;
  }

  private error(): Error {
    const message = `IO error: /data/n1/units/u01/g1/000048.log: ${this.says}`;
    return Object.assign(new Error(message), { code: 'LEVEL_IO_ERROR' });
  }

  private refusal(): Error {
    this.refused++;
    const refusal = diskRefusal(this.error());
    if (refusal === undefined) throw new Error(`not understood: ${messageOf(this.error())}`);
    return refusal;
  }
}
