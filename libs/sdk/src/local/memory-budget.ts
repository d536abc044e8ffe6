import { Failure } from '@levee/kernel';
import { localLimits } from './local-limits';

/** A replica does not fit: it is given up as a whole, never in part. */
export class MemoryFull extends Failure<'MEMORY_FULL'> {}

/** Bytes that all replicas of a client take together, estimated. */
export class MemoryBudget {
  usedBytes = 0;
  /** What is held for speed alone goes first. */
  readonly spare = new Set<() => void>();

  constructor(readonly bytesMax: number) {}

  /** Throws {@link MemoryFull} when it is above what may be taken. */
  check(): void {
    if (this.usedBytes <= this.bytesMax) return;
    for (const letGo of this.spare) letGo();
    if (this.usedBytes > this.bytesMax)
      throw new MemoryFull(
        'MEMORY_FULL',
        `the replicas of this client need more than the ${this.bytesMax} bytes that they may take (memoryBytesMax): allow ` +
          'more, or hold fewer namespaces or slots here; portals answer what is not held',
      );
  }

  static tooManyKeys(partition: number): MemoryFull {
    return new MemoryFull(
      'MEMORY_FULL',
      `partition ${partition} has more than ${localLimits.keysMax} keys: hold fewer of its slots here; portals answer what ` +
        'is not held',
    );
  }
}
