import type { Offset, Partition } from '@levee/kernel';
import type { ReadSession } from '../operations';
import { raise } from '../refusals';
import type { NamespaceStore } from '../routes/namespace-store';

/**
 * What a session and this process had seen when a command began that reads and writes many keys, each of them once: its
 * reads need no more (I4). Without it each would wait until nodes have applied what the command itself wrote before.
 */
export class SeenBefore {
  private readonly positions = new Map<Partition, Offset>();

  constructor(
    private readonly namespace: NamespaceStore,
    private readonly session: Pick<ReadSession, 'nextOffset'> | undefined,
  ) {}

  /** As it was when it was first asked for, which is before the command's first write of this partition. */
  positionOf(partition: Partition): Offset {
    const newest = this.namespace.writes.newestOf(partition);
    const now = this.session ? raise(this.session.nextOffset(partition), newest) : newest;
    const first = this.positions.get(partition);
    // It falls when the log lost its end, and everybody was told.
    if (first !== undefined && first <= now) return first;
    this.positions.set(partition, now);
    return now;
  }
}
