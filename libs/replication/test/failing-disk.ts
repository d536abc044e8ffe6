import { diskRefusal, type NodeDisk, type ReplicaDatabase, UnitDisk, type UnitDiskOptions } from '@levee/chunk-store';
import { messageOf } from '@levee/kernel';

/** LevelDB's words on a file system that has no space left. */
const fullError = (): Error =>
  Object.assign(new Error('IO error: /data/n1/units/u01/g1/000048.log: No space left on device'), {
    code: 'LEVEL_IO_ERROR',
  });

/** A real disk on which writes of databases fail from a chosen one on, as on a file system that is full. */
export class FailingDisk {
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
    const disk = await UnitDisk.open({ ...options, freeBytes: async () => (this.full ? 0 : 2 ** 40) });
    const { openUnit } = disk;
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
      if (args.length > 0) return this.passes() ? batch(...args) : Promise.reject(fullError());
      const chained = batch() as { write: (...options: unknown[]) => Promise<void> };
      const { write } = chained;
      chained.write = (...options) => (this.passes() ? write.apply(chained, options) : Promise.reject(fullError()));
      return chained;
    }) as typeof db.batch;
  }

  private passes(): boolean {
    const passes = this.left-- > 0;
    if (!passes) this.refused++;
    return passes;
  }

  private refusal(): Error {
    this.refused++;
    const refusal = diskRefusal(fullError());
    if (refusal === undefined) throw new Error(`not understood: ${messageOf(fullError())}`);
    return refusal;
  }
}
