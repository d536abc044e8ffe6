import { type ChunkProofState, chunkProofs, proofSummary, type ProofSummary } from '@levee/audit';
import { controlTopics, ProofView } from '@levee/journal';
import type { Logger } from '@levee/kernel';
import { systemClock, systemTimers, type Log } from '@levee/log';
import type { Portal } from './portal';

/** What comparisons of replicas with the log have found, chunk by chunk. */
export class Proofs {
  private readonly found: ProofView;

  constructor(
    log: Log,
    private readonly portal: Portal,
    topicPrefix: string,
    logger: Logger,
  ) {
    const world = { clock: systemClock, timers: systemTimers, logger };
    this.found = new ProofView(log, controlTopics(topicPrefix), world);
  }

  start(): void {
    this.found.start();
  }

  close(): Promise<void> {
    return this.found.close();
  }

  summary(): ProofSummary {
    return proofSummary(this.portal.view.state, (chunkId) => this.found.of(chunkId), systemClock.nowMs());
  }

  /** `undefined`: of all namespaces. */
  list(namespace: string | undefined): ChunkProofState[] {
    const of = { nowMs: systemClock.nowMs(), namespace };
    return [...chunkProofs(this.portal.view.state, (chunkId) => this.found.of(chunkId), of)];
  }

  stats(): Record<string, number> {
    const { chunks, proved, late, oldestMs, findings } = this.summary();
    return { chunks, proved, late, oldestAgeMs: oldestMs ?? NaN, findings: findings.length };
  }
}
