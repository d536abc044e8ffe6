import type { Clock, Timers } from '@levee/kernel';
import { embeddedLimits } from './limits';

/**
 * When the next synced batch begins. A batch costs about the same for one record as for fifty, and callers who were
 * just answered mostly come back at once; a batch that began without them would have them wait for two. So while many
 * records are outstanding the next batch waits until most of them are here again, at most `gatherMs`. Few callers, or
 * the first after a pause, wait for nobody.
 */
export class Gathering {
  /** Records with which the next batch begins at once. */
  private wanted = 0;
  private endedAtMs = 0;
  private cancel: (() => void) | undefined;

  constructor(
    private readonly clock: Clock,
    private readonly timers: Timers,
    private readonly begin: () => void,
  ) {}

  /** A batch of `answered` records is over; `waiting` came meanwhile. */
  ended(answered: number, waiting: number): void {
    const outstanding = answered + waiting;
    this.wanted = outstanding < embeddedLimits.gatherRecordsMin ? 0 : outstanding * embeddedLimits.gatherShare;
    if (this.wanted > 0) this.endedAtMs = this.clock.monotonicMs();
  }

  /** Begins the next batch, now or when enough of `waiting` records are here. */
  consider(waiting: number): void {
    if (waiting >= this.wanted) return this.beginNow();
    if (this.cancel !== undefined) return;
    const leftMs = embeddedLimits.gatherMs - (this.clock.monotonicMs() - this.endedAtMs);
    if (leftMs <= 0) return this.beginNow();
    this.cancel = this.timers.after(leftMs, () => this.beginNow());
  }

  stop(): void {
    this.cancel?.();
    this.cancel = undefined;
  }

  private beginNow(): void {
    this.stop();
    this.wanted = 0;
    this.begin();
  }
}
