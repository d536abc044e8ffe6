import type { RespClientFailureCode } from '@levee/wire';
import type { ReadContext } from '../engine-context';
import { type ReadBatch, readLanes } from './read-batch';

/** Unanswered batches are looked at in this rhythm. */
const lookMs = 2;

/**
 * Notices nodes that take longer than they use to. Reads of a batch that its node has not answered within the p99 of
 * its recent round trips may be sent to the next replica as well, within a budget; a node that takes several times
 * as long is asked last for a while. The second is what copes with a frozen or slow node, and costs no request twice;
 * the first covers the moments until it is noticed.
 */
export class Hedges {
  private waiting: ReadBatch[] = [];
  private looking = false;
  /** Reads that may be sent twice. */
  private budget: number;
  private counts = { sent: 0, won: 0, refused: 0, slow: 0 };

  constructor(
    private readonly context: ReadContext,
    /** Asks the next replica for what the batch still lacks. */
    private readonly hedge: (batch: ReadBatch) => void,
  ) {
    this.budget = context.limits.hedgesAtOnceMax;
  }

  stats(): Readonly<Record<string, number>> {
    const { sent, won, refused, slow } = this.counts;
    return { hedgesSent: sent, hedgesWon: won, hedgesRefused: refused, slowBatches: slow };
  }

  /** Call when the batch goes out. */
  sent(batch: ReadBatch): void {
    const { hedgeShare, hedgesAtOnceMax } = this.context.limits;
    const { link } = batch.target;
    batch.sentAtMs = this.context.clock.monotonicMs();
    this.budget = Math.min(hedgesAtOnceMax, this.budget + batch.reads.length * hedgeShare);
    link.asked(batch.sentAtMs);
    this.waiting.push(batch);
    if (!this.looking) this.lookLater();
  }

  /** Call when the node has answered, whatever it said. */
  answered(batch: ReadBatch): void {
    batch.over = true;
    const { link } = batch.target;
    const tookMs = this.context.clock.monotonicMs() - batch.sentAtMs;
    const slowMs = this.slowMs(batch);
    link.roundTrips[batch.lane].add(tookMs);
    if (tookMs <= slowMs) link.trust();
  }

  /** Call when no answer will come. */
  failed(batch: ReadBatch, code: RespClientFailureCode): void {
    batch.over = true;
    const nowMs = this.context.clock.monotonicMs();
    if (code === 'LIMIT') batch.target.link.slow(nowMs);
    else batch.target.link.doubt(nowMs);
  }

  /** Takes a read out of the budget. */
  take(): boolean {
    if (this.budget < 1) {
      this.counts.refused++;
      return false;
    }
    this.budget--;
    this.counts.sent++;
    return true;
  }

  won(): void {
    this.counts.won++;
  }

  /** Not in the timer itself: after a pause of this process, answers that have arrived meanwhile are read first. */
  private lookLater(): void {
    this.looking = true;
    this.context.timers.after(lookMs, () => setImmediate(this.look));
  }

  private readonly look = (): void => {
    const nowMs = this.context.clock.monotonicMs();
    const still: ReadBatch[] = [];
    for (const batch of this.waiting) {
      if (batch.over) continue;
      still.push(batch);
      this.lookAt(batch, nowMs - batch.sentAtMs, nowMs);
    }
    this.waiting = still;
    this.looking = false;
    if (still.length > 0) this.lookLater();
  };

  private lookAt(batch: ReadBatch, ageMs: number, nowMs: number): void {
    if (!batch.hedged && ageMs > this.delayMs(batch)) {
      batch.hedged = true;
      this.hedge(batch);
    }
    if (!batch.slow && ageMs > this.slowMs(batch)) {
      batch.slow = true;
      this.counts.slow++;
      batch.target.link.slow(nowMs);
    }
  }

  /** How long a batch waits before its reads are hedged. */
  private delayMs({ target, lane }: ReadBatch): number {
    const { hedgeDelayMinMs, hedgeDelayMaxMs, hedgeDelayFirstMs } = this.context.limits;
    const p99Ms = target.link.roundTrips[lane].p99Ms ?? hedgeDelayFirstMs;
    return Math.min(hedgeDelayMaxMs, Math.max(hedgeDelayMinMs, p99Ms));
  }

  /** How long a node may take before others are asked first. */
  private slowMs(batch: ReadBatch): number {
    const { slowDelays, positionWaitMs } = this.context.limits;
    return this.delayMs(batch) * slowDelays + (batch.lane === readLanes.waiting ? positionWaitMs : 0);
  }
}
