import { ClassicLevel } from 'classic-level';
import { ChunkStoreFailure } from './chunk-store-failure';
import type { ReplicaDatabase } from './engine';
import type { ReplicaIdentity } from './replica-identity';

/** The size on disk is asked for again after this many bytes were applied. */
const measureEveryBytes = 4 << 20;

const lowestKey = Buffer.from([0]);
const highestKey = Buffer.from([0xff]);

/**
 * What a replica takes of its unit, and the unit's hard limit. Overwritten values count until they are known to be
 * gone (LevelDB: compacted away; engines in memory: when the next sweep has counted), so the limit is met early,
 * never late.
 */
export class UnitSpace {
  private measuredBytes = 0;
  private appliedTotal = 0;
  /** Applied in all when it was last measured. */
  private measuredAt = 0;

  constructor(
    private readonly db: ReplicaDatabase,
    private readonly identity: ReplicaIdentity,
    /** 0 = no limit. */
    private readonly capacityBytes: number,
  ) {}

  get usedBytes(): number {
    return this.measuredBytes + this.appliedTotal - this.measuredAt;
  }

  /** Bytes applied since it was opened; to be handed to {@link swept} by whoever counts what lives. */
  get appliedBytes(): number {
    return this.appliedTotal;
  }

  /** Counts bytes that are being written. */
  applied(bytes: number): void {
    this.appliedTotal += bytes;
  }

  /** Above the hard limit. */
  get full(): boolean {
    return this.capacityBytes > 0 && this.usedBytes > this.capacityBytes;
  }

  /** Throws UNIT_FULL above the hard limit. */
  throwIfFull(): void {
    if (!this.full) return;
    const { chunkId, unitId } = this.identity;
    throw new ChunkStoreFailure(
      'UNIT_FULL',
      `${chunkId} takes ${this.usedBytes} bytes of unit ${unitId}, which has ${this.capacityBytes}: split the chunk or ` +
        'give it a larger unit; nothing is skipped meanwhile',
    );
  }

  async measureIfDue(): Promise<void> {
    if (this.appliedTotal - this.measuredAt >= measureEveryBytes) await this.measure();
  }

  /** Asks the engine, if it knows. */
  async measure(): Promise<void> {
    if (!(this.db instanceof ClassicLevel)) return;
    const at = this.appliedTotal;
    this.measuredBytes = await this.db.approximateSize(lowestKey, highestKey);
    this.measuredAt = at;
  }

  /** A count of the live data that began when `appliedBytes` were applied: for engines that do not know their size. */
  swept(liveBytes: number, appliedBytes: number): void {
    if (this.db instanceof ClassicLevel) return;
    this.measuredBytes = liveBytes;
    this.measuredAt = appliedBytes;
  }
}
