import type { Clock } from '@levee/kernel';

/** Replicas of these chunks (none = all) digest the partition at `nextOffset`, and publish that under `digestPlan`. */
export interface DigestAt {
  readonly digestPlan: string;
  readonly chunks: readonly string[];
  readonly nextOffset: number;
  /** Log time by which expiry is judged, ms since 1970. */
  readonly timeMs: number;
}

const digestOrderLimits = {
  /** Of one partition; the oldest goes. */
  ordersMax: 64,
  /** Whoever waits for a digest does not wait longer. */
  keptMs: 120_000,
} as const;

/** Places of a partition at which digests were asked for and that some replica has not come to yet. */
export class DigestOrders {
  private readonly orders: { readonly at: DigestAt; readonly untilMs: number }[] = [];

  constructor(private readonly clock: Pick<Clock, 'monotonicMs'>) {}

  add(at: DigestAt): void {
    if (this.orders.length >= digestOrderLimits.ordersMax) this.orders.shift();
    this.orders.push({ at, untilMs: this.clock.monotonicMs() + digestOrderLimits.keptMs });
  }

  /** Those that a reader passes who goes from one offset to another, ascending. */
  between(fromOffset: number, toOffset: number): DigestAt[] {
    if (this.orders.length === 0) return none;
    const nowMs = this.clock.monotonicMs();
    while (this.orders[0] !== undefined && this.orders[0].untilMs <= nowMs) this.orders.shift();
    return this.orders
      .flatMap(({ at }) => (at.nextOffset > fromOffset && at.nextOffset <= toOffset ? at : []))
      .sort((a, b) => a.nextOffset - b.nextOffset);
  }
}

const none: DigestAt[] = [];
