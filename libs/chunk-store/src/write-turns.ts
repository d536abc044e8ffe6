import { Semaphore } from '@levee/kernel';

/** A write of fewer bytes is small: it needs no turn. */
const largeBytes = 64 * 1024;
/** Half of the threads that a process of two cores has for its files (`UV_THREADPOOL_SIZE`). */
const largeAtOnceMax = 2;

/**
 * Turns of large writes to the databases of a process. Each keeps one of the process's few threads for files, also while
 * LevelDB has it wait for a compaction; the rest of them are left to the log, and to what is small.
 */
export class WriteTurns {
  private readonly large = new Semaphore(largeAtOnceMax);

  run(bytes: number, write: () => Promise<void>): Promise<void> {
    return bytes < largeBytes ? write() : this.large.run(write);
  }
}
