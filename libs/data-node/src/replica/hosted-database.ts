import type { Replica } from '@levee/chunk-store';
import type { Assignment } from './assignment';
import type { HostedWorld } from './hosted-world';
import { addCounts, nothingCounted, type ReplicaCounts } from './replica-load';

/** The database of a hosted replica, opened and closed again and again, and what was counted meanwhile. */
export class HostedDatabase {
  current: Replica | undefined;
  /** Reads and records of databases closed since. */
  private counted = nothingCounted;

  constructor(
    private readonly world: Pick<HostedWorld, 'disk' | 'logger'>,
    private readonly assignment: () => Assignment,
  ) {}

  /** Counters since this process took the replica up; they do not fall when its database is opened anew. */
  get counts(): ReplicaCounts {
    return this.current === undefined ? this.counted : addCounts(this.counted, this.current.stats);
  }

  async close(): Promise<void> {
    const replica = this.current;
    const { unitId, generation, chunk } = this.assignment();
    this.counted = this.counts;
    this.current = undefined;
    await replica?.close().catch((error: unknown) => {
      this.world.logger.warn({ error, chunkId: chunk.chunkId }, 'a replica did not close cleanly');
    });
    await this.world.disk.closeUnit(unitId, generation);
  }
}
