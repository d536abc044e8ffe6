import type { Clock } from '@levee/kernel';
import type { LogBatch } from '@levee/log';

/** How long ago a reader last had all that its log held. */
export class Freshness {
  private atMs = -Infinity;

  constructor(private readonly clock: Clock) {}

  stands(): void {
    this.atMs = this.clock.monotonicMs();
  }

  /** Also of an empty batch: it proves that the log answers and has no more. */
  take({ nextOffset, endOffset }: Pick<LogBatch, 'nextOffset' | 'endOffset'>): void {
    if (nextOffset >= endOffset) this.stands();
  }

  /** Infinity: never yet. */
  get ageMs(): number {
    return this.clock.monotonicMs() - this.atMs;
  }
}
