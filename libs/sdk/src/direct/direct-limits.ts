import { checkStoreLimits, storeLimits, type StoreLimits } from '@levee/client';
import { assert } from '@levee/kernel';

/** Reads of nodes fail when every well replica was asked: a portal is asked then. */
export const directStoreLimits: StoreLimits = {
  ...storeLimits,
  // A node that takes long is noticed long before, by hedges: this process may be what has no time.
  attemptMs: 4_000,
  readMs: 9_000,
  // All reads of a client are those of one asker.
  readsAtOnceMax: 2_048,
  readsOfOneMax: 2_047,
  readBatchFull: 16,
  readBytesAtOnceMax: 8 * 1024 * 1024,
};

export const directLimits = {
  /** How often a portal is asked for newer routes, while a namespace is read. */
  routesMs: 1_000,
  /** A hint that there are newer ones is followed at once, then with growing pauses as long as there are none. */
  hintMsMin: 20,
  /** A portal has so long to answer. */
  routesWaitMs: 1_000,
  /** Routes that no portal has confirmed for so long are not gone by. */
  routesKeptMs: 60_000,
  /** A namespace that was not read for so long is not asked for any more. */
  idleMs: 30_000,
  /** A read that no node answered by then is asked of a portal too, or after half of its time. */
  patienceMs: 500,
  /** The same of a page. */
  pagePatienceMs: 1_500,
  lookMs: 10,
  pageBytesMax: 1024 * 1024,
  /** Pages of chunks that one page of a scan holds together. */
  heldBytesMax: 8 * 1024 * 1024,
} as const;

export function checkDirectLimits(): void {
  checkStoreLimits(directStoreLimits);
  const { routesMs, routesWaitMs, routesKeptMs, patienceMs } = directLimits;
  assert(routesMs + routesWaitMs < routesKeptMs, 'routes are confirmed before they are too old');
  assert(patienceMs < directStoreLimits.attemptMs, 'a read of the only replica has a portal before that is given up');
}
