import type { Timers } from '@levee/kernel';

/** A write of fewer bytes is small: it needs no turn. */
const largeBytes = 64 * 1024;
/** Half of the threads that a process of two cores has for its files (`UV_THREADPOOL_SIZE`). */
const largeAtOnceMax = 2;
/** LevelDB has a write wait for seconds at most while its disk works. What lasts longer keeps no turn from other disks. */
export const turnMsMax = 10_000;

/** Turns of what is written to one disk. */
export interface DiskWriteTurns {
  run(bytes: number, write: () => Promise<void>): Promise<void>;
}

/** A disk, by what is written to it: its large writes that are under way, late ones too. */
interface Disk {
  underWay: number;
}

/**
 * Turns of large writes to the databases of a process. Each keeps one of the process's few threads for files, also while
 * LevelDB has it wait for a compaction; the rest of them are left to the log, and to what is small. A disk that hangs
 * holds only its own turns for longer than `turnMsMax`: other disks' writes go on without them.
 */
export class WriteTurns {
  /** Of all disks, without those that are late. */
  private inTime = 0;
  private readonly waiting: { readonly disk: Disk; readonly begin: () => void }[] = [];

  constructor(private readonly timers: Timers) {}

  ofDisk(): DiskWriteTurns {
    const disk: Disk = { underWay: 0 };
    return { run: (bytes, write) => (bytes < largeBytes ? write() : this.large(disk, write)) };
  }

  private async large(disk: Disk, write: () => Promise<void>): Promise<void> {
    if (this.isFree(disk)) this.take(disk);
    else await new Promise<void>((begin) => this.waiting.push({ disk, begin }));
    let isLate = false;
    const cancel = this.timers.after(turnMsMax, () => {
      isLate = true;
      this.inTime--;
      this.admit();
    });
    try {
      await write();
    } finally {
      cancel();
      if (!isLate) this.inTime--;
      disk.underWay--;
      this.admit();
    }
  }

  private isFree(disk: Disk): boolean {
    return this.inTime < largeAtOnceMax && disk.underWay < largeAtOnceMax;
  }

  private take(disk: Disk): void {
    this.inTime++;
    disk.underWay++;
  }

  /** In the order in which they came. A place is taken at once: whoever comes just now comes after those that waited. */
  private admit(): void {
    for (;;) {
      const at = this.waiting.findIndex(({ disk }) => this.isFree(disk));
      const [next] = at < 0 ? [] : this.waiting.splice(at, 1);
      if (next === undefined) return;
      this.take(next.disk);
      next.begin();
    }
  }
}
