import { decodeAs, encode } from '@levee/codec';
import type { ChunkProof } from '@levee/events';
import { asPartition, type Clock, failureCode, type Logger, messageOf, type Timers } from '@levee/kernel';
import { followTopic, type Log, type LogBatch, type LogPosition } from '@levee/log';
import type { ControlTopics } from '../topics/control-topics';

const proofViewLimits = {
  /** What is older is not read at the start. */
  sinceMs: 8 * 86_400_000,
  /** Chunks that are remembered; those proved longest ago are forgotten. */
  chunksMax: 65_536,
  retryMs: 500,
  idleMs: 500,
} as const;

/** What is known of one chunk. */
export interface KnownProof {
  readonly latest: ChunkProof;
  /** When all its replicas were last found to hold what the log says, ms since 1970; `undefined`: not as far as was read. */
  readonly provedAtMs: number | undefined;
}

const keyPrefix = 'proof/';

/** The record of a proof, for the topic of digests. */
export const proofRecord = (proof: ChunkProof): { key: Buffer; value: Buffer } => ({
  key: Buffer.from(`${keyPrefix}${proof.chunkId}`),
  value: encode('ChunkProof', proof),
});

/** The id of a comparison with the log; digests of other barriers have other ids. */
export const proofIdOf = (uuid: string): string => `${keyPrefix}${uuid}`;
export const isProofId = (digestPlan: string): boolean => digestPlan.startsWith(keyPrefix);

/** A fold of what comparisons of replicas with the log have found, from the topic of digests. */
export class ProofView {
  private readonly proofs = new Map<string, KnownProof>();
  private readonly stopping = new AbortController();
  private running: Promise<void> | undefined;
  private reached: LogPosition | undefined;
  private caughtUp = false;

  constructor(
    private readonly log: Log,
    private readonly topics: Pick<ControlTopics, 'digests'>,
    private readonly options: { readonly clock: Clock; readonly timers: Timers; readonly logger: Logger },
  ) {}

  /** Begins to read; waits for the topic, however long, until `close`. */
  start(): void {
    this.running ??= this.run();
  }

  async close(): Promise<void> {
    this.stopping.abort();
    await this.running;
  }

  /** What was there at the start has been read. */
  get isRead(): boolean {
    return this.caughtUp;
  }

  of(chunkId: string): KnownProof | undefined {
    return this.proofs.get(chunkId);
  }

  /** A proof that was just recorded: it need not be waited for. */
  keep(proof: ChunkProof): void {
    const { chunkId, verdict, checkedAtMs } = proof;
    const before = this.proofs.get(chunkId);
    if (before !== undefined && before.latest.checkedAtMs > checkedAtMs) return;
    this.proofs.delete(chunkId);
    this.proofs.set(chunkId, {
      latest: proof,
      provedAtMs: verdict === 'proved' ? checkedAtMs : before?.provedAtMs,
    });
    for (const oldest of this.proofs.keys()) {
      if (this.proofs.size <= proofViewLimits.chunksMax) return;
      this.proofs.delete(oldest);
    }
  }

  private async run(): Promise<void> {
    const digests = { topic: this.topics.digests, partition: asPartition(0) };
    await followTopic(this.log, digests, {
      signal: this.stopping.signal,
      timers: this.options.timers,
      tail: () => ({ idleMs: proofViewLimits.idleMs, takesBadStretches: true }),
      retryMs: () => proofViewLimits.retryMs,
      start: async (reached) => (this.reached = reached ?? this.reached ?? (await this.begin())),
      onBatch: (batch) => this.take(batch),
      onFailure: ({ error, times }) => {
        const code = failureCode(error);
        if (times === 1 && code !== 'TOPIC_MISSING')
          this.options.logger.warn({ error: messageOf(error) }, 'what proofs found cannot be read; trying again');
        if (code !== 'OFFSET_OUT_OF_RANGE' && code !== 'LOG_TRUNCATED') return 'again';
        this.reached = undefined;
        return 'anew';
      },
    });
  }

  private async begin(): Promise<LogPosition> {
    const sinceMs = this.options.clock.nowMs() - proofViewLimits.sinceMs;
    const nextOffset = await this.log.offsetAt(this.topics.digests, asPartition(0), sinceMs);
    return { nextOffset, leaderEpoch: -1 };
  }

  private take({ records, nextOffset, endOffset }: LogBatch): void {
    for (const { key, value } of records) {
      if (value === null || key?.toString('latin1', 0, keyPrefix.length) !== keyPrefix) continue;
      try {
        this.keep(decodeAs('ChunkProof', value));
      } catch (error) {
        this.options.logger.debug({ error: messageOf(error) }, 'a proof cannot be read');
      }
    }
    if (nextOffset >= endOffset) this.caughtUp = true;
  }
}
