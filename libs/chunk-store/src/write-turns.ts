/** A write of fewer bytes is small: it needs no turn. */
const largeBytes = 64 * 1024;
/** Half of the threads that a process of two cores has for its files (`UV_THREADPOOL_SIZE`). */
const largeAtOnceMax = 2;

/**
 * Turns of large writes to the databases of a process. Each keeps one of the process's few threads for files, also while
 * LevelDB has it wait for a compaction; the rest of them are left to the log, and to what is small.
 */
export class WriteTurns {
  private underWay = 0;
  private readonly waiting: (() => void)[] = [];

  async run(bytes: number, write: () => Promise<void>): Promise<void> {
    if (bytes < largeBytes) return write();
    if (this.underWay < largeAtOnceMax) this.underWay++;
    else await new Promise<void>((resolve) => this.waiting.push(resolve));
    try {
      await write();
    } finally {
      // Whoever waits takes the turn over.
      const next = this.waiting.shift();
      if (next) next();
      else this.underWay--;
    }
  }
}
