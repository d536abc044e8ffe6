import { Histogram, OutcomeTimes, type Clock } from '@levee/kernel';

/** How long what the store does takes, of all namespaces together. */
export class StoreTimes {
  /** Calls of the log. */
  readonly append: OutcomeTimes;
  /** Strong reads, until they have a position that was appended after they came. */
  readonly fence: OutcomeTimes;
  /** Writes that are in the log, until the replicas that their ack asks for have applied them. */
  readonly ack: OutcomeTimes;
  /** From a decision that changes routes, by the wall clock of the master, until reads and writes go by it. */
  readonly routeChange = new Histogram();

  constructor(clock: Pick<Clock, 'monotonicMs'>) {
    this.append = new OutcomeTimes(clock);
    this.fence = new OutcomeTimes(clock);
    this.ack = new OutcomeTimes(clock);
  }
}
