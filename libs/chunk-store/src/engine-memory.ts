import { assert } from '@levee/kernel';
import type { EngineBudget } from './engine';

const engineMemoryLimits = {
  /** LevelDB takes no smaller write buffer. */
  partBytesMin: 64 * 1024,
  partBytesMax: 4 << 20,
  /** Of one pool so many databases get a full share; those beyond divide what these have left. */
  sharesMax: 16,
  /** A block cache and two write buffers. */
  parts: 3,
} as const;

/**
 * Memory that all databases of a node divide: each takes its share when it is opened and gives it back when it is
 * closed. The sum stays within the pool, but for the least that every database needs.
 */
export class EngineMemory {
  /** Larger than what any database gets. */
  readonly largest: EngineBudget;
  private taken = 0;

  constructor(
    /** Bytes. */
    readonly bytesMax: number,
    /** Databases there will be at most; in memory there are others, which take nothing of this. */
    units: number,
  ) {
    assert(bytesMax > 0, 'databases need memory');
    const { sharesMax } = engineMemoryLimits;
    this.largest = budgetOf(bytesMax / Math.max(1, Math.min(units, sharesMax)));
  }

  get usedBytes(): number {
    return this.taken;
  }

  /** For a database that is being opened, `unopened` of its kind being still to come, itself included. */
  take(unopened: number): EngineBudget {
    const { sharesMax } = engineMemoryLimits;
    const share = Math.max(0, this.bytesMax - this.taken) / Math.max(1, Math.min(unopened, sharesMax));
    const { writeBufferBytes } = budgetOf(share);
    const bytes = Math.min(writeBufferBytes, this.largest.writeBufferBytes);
    const budget = { writeBufferBytes: bytes, blockCacheBytes: bytes };
    this.taken += sizeOf(budget);
    return budget;
  }

  giveBack(budget: EngineBudget): void {
    this.taken -= sizeOf(budget);
    assert(this.taken >= 0, 'no more is given back than was taken');
  }
}

function budgetOf(shareBytes: number): EngineBudget {
  const { parts, partBytesMin, partBytesMax } = engineMemoryLimits;
  const bytes = Math.max(partBytesMin, Math.min(partBytesMax, Math.floor(shareBytes / parts)));
  return { writeBufferBytes: bytes, blockCacheBytes: bytes };
}

function sizeOf({ writeBufferBytes, blockCacheBytes }: EngineBudget): number {
  return writeBufferBytes * (engineMemoryLimits.parts - 1) + blockCacheBytes;
}
