import { TokenBucket } from '@levee/kernel';

/** `chunkRequestsPerSecond` of one chunk at this node: keys read, and pages of scans. */
export class ChunkQuota {
  private bucket: TokenBucket | undefined;

  constructor(
    private readonly chunkId: string,
    /** Monotonic. */
    private readonly nowMs: () => number,
  ) {}

  /** Takes one request; why not, when `perSecond` (as it is now; null = no limit) are used up. */
  refusal(perSecond: number | null): string | undefined {
    if (perSecond === null) return undefined;
    if (this.bucket?.perSecond !== perSecond) this.bucket = new TokenBucket(perSecond, this.nowMs);
    if (this.bucket.take()) return undefined;
    return `more than ${perSecond} requests a second of chunk ${this.chunkId} at one node: slow down, or raise chunkRequestsPerSecond`;
  }
}
