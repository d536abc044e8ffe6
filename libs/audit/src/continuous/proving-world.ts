import type { ClusterView, DigestTail, SubmittedCommand } from '@levee/journal';
import type { ByteRate, Clock, NewId, Timers } from '@levee/kernel';
import type { Log } from '@levee/log';
import type { ChunkJudgement, ComparedPartition } from './judge-chunk';

export interface ProvingWorld {
  readonly log: Log;
  readonly view: ClusterView;
  readonly digests: DigestTail;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly newId: NewId;
  readonly submit: (command: SubmittedCommand) => Promise<string>;
  readonly principal: string;
  readonly rate: ByteRate;
  readonly signal: AbortSignal;
  readonly tableBytesMax: number;
  readonly onBytes: (bytes: number) => void;
}

export const provingLimits = {
  /** A replica whose digest does not come while others do not come either. */
  quietMs: 30_000,
  /** All digests of one barrier. */
  digestsMs: 30 * 60_000,
  readBarrierMs: 30_000,
} as const;

export interface ProvedChunk extends ChunkJudgement {
  readonly chunkId: string;
  readonly proofId: string;
  readonly partitions: readonly ComparedPartition[];
}
