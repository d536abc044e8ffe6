import { asOffset, type Offset, type Partition } from '@levee/kernel';

/** Marks of all namespaces of a process. */
export class WriteMarksTotal {
  marks = 0;
}

export interface WriteMarksSize {
  readonly partitions: number;
  readonly ofNamespaceMax: number;
  readonly allMax: number;
}

interface Placed {
  readonly partition: Partition;
  readonly slot: number;
}

/**
 * Where the latest writes stand that this process logged, so that session reads of every connection see them (I4). The
 * keys of a partition are divided into groups by their slots, and each group has one mark: the highest position of its
 * writes. So a read waits now and then for the write of another key, never misses one of its own, and nothing is
 * forgotten because time has passed or because there was too much. Where there is no room for groups, a partition is one.
 */
export class WriteMarks {
  private groups = 0;
  private marks = new Float64Array(0);
  private readonly newest: Float64Array;

  constructor(
    private readonly size: WriteMarksSize,
    private readonly total: WriteMarksTotal,
  ) {
    this.newest = new Float64Array(size.partitions);
  }

  /** A write that the log has. */
  note({ partition, slot, nextOffset }: Placed & { readonly nextOffset: Offset }): void {
    if (this.groups === 0) this.allocate();
    const group = this.groupOf(partition, slot);
    if (nextOffset > (this.marks[group] as number)) this.marks[group] = nextOffset;
    if (nextOffset > (this.newest[partition] as number)) this.newest[partition] = nextOffset;
  }

  /** Where a replica must stand to give the latest write of a key; 0 = anywhere. */
  positionOf({ partition, slot }: Placed): Offset {
    return asOffset(this.groups === 0 ? 0 : (this.marks[this.groupOf(partition, slot)] as number));
  }

  /** The same of all keys of the partition. */
  newestOf(partition: Partition): Offset {
    return asOffset(this.newest[partition] as number);
  }

  /** The log lost what stood behind `endOffset`, and nobody brings it back there. */
  letGo(partition: Partition, endOffset: Offset): void {
    if ((this.newest[partition] as number) <= endOffset) return;
    this.newest[partition] = endOffset;
    const own = this.marks.subarray(partition * this.groups, (partition + 1) * this.groups);
    own.forEach((mark, i) => {
      if (mark > endOffset) own[i] = endOffset;
    });
  }

  /** Nobody reads or writes here any more. */
  release(): void {
    this.total.marks -= this.marks.length;
    this.marks = new Float64Array(0);
    this.groups = 0;
  }

  private groupOf(partition: Partition, slot: number): number {
    return partition * this.groups + (slot & (this.groups - 1));
  }

  private allocate(): void {
    const { partitions, ofNamespaceMax, allMax } = this.size;
    const fitting = 2 ** Math.max(0, Math.floor(Math.log2(ofNamespaceMax / partitions)));
    this.groups = this.total.marks + fitting * partitions <= allMax ? fitting : 1;
    this.marks = new Float64Array(this.groups * partitions);
    this.total.marks += this.marks.length;
  }
}
