import { Breather, digestedOf } from '@levee/chunk-store';
import { type Clock, Digest, hash128 } from '@levee/kernel';
import type { LocalDigest } from '../api';
import { type MemoryRecord, isExpired, type MemoryPartition } from './memory-partition';

/** Which barrier it is for, and by what time expiry is judged there. */
export interface DigestAt {
  readonly digestPlan: string;
  readonly barrierOffset: number;
  readonly timeMs: number;
}

let runs = 0;

/**
 * The digest of what a partition held at a barrier, made while it goes on: a record that goes before it was counted is counted
 * as it goes, one that came later is not. What nodes publish for their chunks of the partition adds up to the same.
 */
export class HeldDigest {
  private readonly sum = new Digest();
  private readonly hash = new Uint32Array(4);
  private readonly run = ++runs;
  private keys = 0;

  constructor(
    private readonly at: DigestAt,
    /** What is held from there on came later. */
    private readonly nextOffset: number,
  ) {}

  /** `undefined`: the partition was dropped meanwhile. */
  async of(replica: MemoryPartition, clock: Clock): Promise<LocalDigest | undefined> {
    const breather = new Breather(clock);
    for (const [keyText, record] of replica.entries()) {
      this.count(keyText, record);
      if (breather.tired()) await breather.breathe();
      if (replica.failure !== undefined) return undefined;
    }
    const { digestPlan, barrierOffset } = this.at;
    return { digestPlan, barrierOffset, digest: this.sum.toHex(), keys: this.keys };
  }

  /** Call it before a record goes. */
  count(keyText: string, record: MemoryRecord): void {
    if (record.countedBy === this.run || record.offset >= this.nextOffset) return;
    record.countedBy = this.run;
    if (isExpired(record, this.at.timeMs)) return;
    const { raw } = record;
    const bytes = typeof raw === 'string' ? Buffer.from(raw, 'latin1') : raw;
    this.sum.add(hash128(digestedOf(Buffer.from(keyText, 'latin1'), bytes, record), this.hash));
    this.keys++;
  }
}
