import { assert } from '@levee/kernel';

export interface WatchLimits {
  /** Watchers of all namespaces at one portal. */
  readonly watchersMax: number;
  /** Pause between signs of life while nothing changes. */
  readonly aliveMs: number;
  /** A reader that does not take what was sent for so long is cut. */
  readonly slowMs: number;
  /** How long the last event of a stream may take to leave before the connection is closed. */
  readonly lastEventMs: number;
  /** How long a version that this portal has not read yet is waited for before it counts as wrong. */
  readonly futureMs: number;
}

export const watchLimits: WatchLimits = {
  watchersMax: 512,
  aliveMs: 5_000,
  slowMs: 15_000,
  lastEventMs: 2_000,
  futureMs: 1_000,
};

export function checkWatchLimits(limits: WatchLimits): void {
  assert(limits.aliveMs < limits.slowMs, 'slow readers are looked for with every sign of life');
}
