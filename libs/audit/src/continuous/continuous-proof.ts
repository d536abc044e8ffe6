import type { ChunkProof } from '@levee/events';
import { type ClusterView, type ControlTopics, DigestTail, proofRecord, type ProofView, submit } from '@levee/journal';
import {
  asPartition,
  assert,
  ByteRate,
  type Clock,
  type Logger,
  messageOf,
  type NewId,
  Pause,
  RareWarning,
  type Timers,
} from '@levee/kernel';
import type { Log } from '@levee/log';
import { type DueChunks, nextDue } from './due-chunks';
import { replicaKey } from './judge-chunk';
import { proofSummary, type ProofSummary } from './proof-summary';
import { proofOf, proveChunks } from './prove-chunks';
import type { ProvedChunk, ProvingWorld } from './proving-world';

export interface ContinuousProofConfig {
  /** Who proves, in records and commands. */
  readonly instance: string;
  readonly topics: ControlTopics;
  /** Each chunk is proved within this time. */
  readonly intervalMs: number;
  /** Most bytes of binlogs that are read in a second; 0 = no limit. */
  readonly bytesPerSecond: number;
}

export interface ContinuousProofWorld {
  readonly log: Log;
  readonly view: ClusterView;
  readonly proofs: ProofView;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly logger: Logger;
  readonly newId: NewId;
  /** Another process proves, or this one cannot: it waits. */
  readonly waits: () => boolean;
}

const continuousProofLimits = {
  /** What the fold of one partition may take in memory, whatever the partition holds. */
  tableBytesMax: 64 << 20,
  /** A process that has just started lets the cluster come to rest first. */
  firstAfterMs: 5 * 60_000,
  /** Rest between two groups of chunks. */
  restMsMax: 60_000,
  restMsMin: 50,
  /** How often it looks for something that is due. */
  lookMsMax: 10_000,
  /** How long the decision about a replica is waited for. */
  outcomeMs: 10_000,
} as const;

assert(
  continuousProofLimits.restMsMin < continuousProofLimits.restMsMax,
  'the shortest rest between two proofs is shorter than the longest',
);

/**
 * Compares every chunk's replicas with each other and with the log, again and again, each within the interval. What it
 * finds is recorded in the topic of digests, so that another process goes on where this one ended. A replica that two
 * comparisons blame is reported to the master (`RebuildReplica`); nothing else is changed by it, ever.
 */
export class ContinuousProof {
  private readonly stopping = new AbortController();
  private readonly pause: Pause;
  private readonly digests: DigestTail;
  private readonly warning: RareWarning;
  private readonly counts = { looks: 0, rounds: 0, chunks: 0, failed: 0, bytesRead: 0, blamed: 0, refused: 0, held: 0 };
  /** By chunk that could not be looked at: until when it is left alone, by the monotonic clock. */
  private readonly blocked = new Map<string, number>();
  /** By replica that was blamed: when, by the monotonic clock. */
  private readonly blamedAt = new Map<string, number>();
  private running: Promise<void> | undefined;
  private lastRoundMs = 0;

  constructor(
    private readonly config: ContinuousProofConfig,
    private readonly world: ContinuousProofWorld,
  ) {
    const { log, clock, timers, logger } = world;
    this.pause = new Pause(timers, this.stopping.signal);
    this.digests = new DigestTail(log, config.topics, { timers, logger });
    this.warning = new RareWarning(logger, clock);
  }

  start(): void {
    this.running ??= this.run();
  }

  async stop(): Promise<void> {
    this.stopping.abort();
    await this.digests.close();
    await this.running;
  }

  summary(): ProofSummary {
    const { view, proofs, clock } = this.world;
    return proofSummary(view.state, (chunkId) => proofs.of(chunkId), clock.nowMs());
  }

  stats(): Record<string, number> {
    const { chunks, proved, late, oldestMs, findings } = this.summary();
    return {
      ...Object.fromEntries(Object.entries(this.counts).map(([name, count]) => [`${name}_total`, count])),
      round_ms: Math.round(this.lastRoundMs),
      chunks,
      chunks_proved: proved,
      chunks_late: late,
      oldest_age_ms: oldestMs ?? NaN,
      findings: findings.length,
    };
  }

  private async run(): Promise<void> {
    const { intervalMs } = this.config;
    const { firstAfterMs, restMsMax, restMsMin, lookMsMax } = continuousProofLimits;
    await this.pause.for(Math.min(firstAfterMs, intervalMs / 8));
    while (!this.stopping.signal.aborted) {
      const due = this.next();
      if (due === undefined) {
        await this.pause.for(Math.min(lookMsMax, intervalMs / 16));
        continue;
      }
      await this.round(due);
      // Spread out, so that nobody notices, but within an eighth of the time.
      const groups = Math.max(1, this.world.view.state.counts.chunks);
      await this.pause.for(Math.max(restMsMin, Math.min(restMsMax, intervalMs / (8 * groups))));
    }
  }

  private next(): DueChunks | undefined {
    const { view, proofs, clock, waits } = this.world;
    this.counts.looks++;
    if (waits() || !proofs.isRead || view.problem !== undefined) return undefined;
    const nowMs = clock.monotonicMs();
    for (const [chunkId, untilMs] of this.blocked) if (untilMs <= nowMs) this.blocked.delete(chunkId);
    return nextDue(view.state, (chunkId) => proofs.of(chunkId)?.latest, {
      nowMs: clock.nowMs(),
      intervalMs: this.config.intervalMs,
      blocked: new Set(this.blocked.keys()),
    });
  }

  private async round(due: DueChunks): Promise<void> {
    const { clock, logger } = this.world;
    const beganMs = clock.monotonicMs();
    try {
      const first = await proveChunks(this.proving(), due);
      const doubtful = new Set(first.filter(isDifference).map(({ chunkId }) => chunkId));
      // Looked at once more, at another barrier: what only one comparison says may be its own mistake.
      const again = doubtful.size === 0 ? [] : await proveChunks(this.proving(), { ...due, chunkIds: [...doubtful] });
      for (const found of first) {
        const second = again.find(({ chunkId }) => chunkId === found.chunkId);
        if (doubtful.has(found.chunkId) && second === undefined) continue;
        const last = second ?? found;
        await this.record(last, due.namespace, clock.monotonicMs() - beganMs);
        if (second !== undefined) await this.act(second, found);
      }
      this.counts.chunks += first.length;
    } catch (error) {
      if (this.stopping.signal.aborted) return;
      this.counts.failed++;
      const untilMs = clock.monotonicMs() + this.config.intervalMs / 16;
      for (const chunkId of due.chunkIds) this.blocked.set(chunkId, untilMs);
      this.warning.warn(messageOf(error), { error, ...due }, 'chunks could not be compared with their log');
    } finally {
      this.counts.rounds++;
      this.lastRoundMs = clock.monotonicMs() - beganMs;
      logger.debug({ ...due, tookMs: this.lastRoundMs }, 'chunks were compared with their log');
    }
  }

  private async record(found: ProvedChunk, namespace: string, tookMs: number): Promise<void> {
    const { log, proofs, clock, logger } = this.world;
    const { topics, intervalMs, instance } = this.config;
    const times = { checkedAtMs: clock.nowMs(), tookMs: Math.round(tookMs), intervalMs };
    const proof: ChunkProof = proofOf(found, { namespace, by: instance, ...times });
    if (isDifference(found))
      logger.error({ chunkId: found.chunkId, verdict: found.verdict, what: found.message }, 'a proof has a finding');
    await log.append(topics.digests, asPartition(0), [proofRecord(proof)]);
    proofs.keep(proof);
  }

  /**
   * Whether the replica was blamed within the interval: one that differs again so soon differs for a reason that building
   * it anew does not end, such as a bug of one version. It stays a finding, or it would be built anew for ever.
   */
  private isHeld(key: string): boolean {
    const nowMs = this.world.clock.monotonicMs();
    for (const [blamed, atMs] of this.blamedAt)
      if (nowMs - atMs >= this.config.intervalMs) this.blamedAt.delete(blamed);
    return this.blamedAt.has(key);
  }

  /** [safety] Only of whom both comparisons blame, and on the evidence of the second. */
  private async act(second: ProvedChunk, first: ProvedChunk): Promise<void> {
    const { view, log, clock, newId, logger } = this.world;
    for (const { replica, agrees, at } of second.blamed) {
      const before = first.blamed.some((each) => each.replica.unitId === replica.unitId);
      const key = replicaKey(replica);
      const told = at.replicas.get(key);
      if (!before || told === undefined || at.log === undefined) continue;
      const { chunkId } = second;
      const { proofId } = at;
      if (this.isHeld(key)) {
        this.counts.held++;
        logger.warn({ chunkId, unitId: replica.unitId }, 'a replica that was built anew differs again: it stays');
        continue;
      }
      const { nodeId, storeId, unitId, generation } = replica;
      const payload = {
        namespace: view.state.chunk(chunkId)?.namespace,
        ...{ chunkId, proofId, partition: at.partition, barrierOffset: at.barrierOffset },
        replica: { nodeId, storeId, unitId, generation },
        incarnation: told.incarnation,
        digest: told.digest,
        logDigest: at.log.digest,
        agrees: {
          nodeId: agrees.nodeId,
          storeId: agrees.storeId,
          unitId: agrees.unitId,
          generation: agrees.generation,
        },
      };
      this.counts.blamed++;
      const command = { kind: 'RebuildReplica', payload, principal: this.principal };
      const id = await submit(log, this.config.topics, command, clock, newId);
      const { rejectionCode, rejectionMessage } = await view.outcome(id, continuousProofLimits.outcomeMs);
      if (rejectionCode === null) {
        this.blamedAt.set(key, clock.monotonicMs());
        continue;
      }
      this.counts.refused++;
      logger.warn({ chunkId, unitId, rejectionCode, rejectionMessage }, 'a replica that differs stays for now');
    }
  }

  private get principal(): string {
    return `dispatcher ${this.config.instance}`;
  }

  private proving(): ProvingWorld {
    const { log, view, clock, timers, newId } = this.world;
    const { topics, bytesPerSecond } = this.config;
    return {
      ...{ log, view, clock, timers, newId, principal: this.principal, digests: this.digests },
      submit: (command) => submit(log, topics, command, clock, newId),
      rate: new ByteRate(bytesPerSecond, clock, timers),
      signal: this.stopping.signal,
      tableBytesMax: continuousProofLimits.tableBytesMax,
      onBytes: (bytes) => void (this.counts.bytesRead += bytes),
    };
  }
}

const isDifference = ({ verdict }: Pick<ChunkProof, 'verdict'>): boolean =>
  verdict === 'replicaDiffers' || verdict === 'logDiffers' || verdict === 'undecided';
