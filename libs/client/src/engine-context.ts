import type { Clock, Logger, Random, Timers } from '@levee/kernel';
import type { StoreLimits } from './store-limits';
import type { StoreTimes } from './store-times';
import type { WriteCounts } from './writes/write-counts';

/** What reads need. */
export interface ReadContext {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
  readonly logger: Logger;
  readonly limits: StoreLimits;
  /** Wall clock for expiry, ms since 1970, which never falls: an expired key does not come back in a session. */
  expiryNowMs(): number;
  /**
   * Reads that no replica could answer begin again until their deadline, and ask nodes that are in doubt too. Else they
   * fail when no replica that is well is left, for who knows better what to do then.
   */
  readonly isPatient: boolean;
}

/** What the parts of the store share. */
export interface EngineContext extends ReadContext {
  readonly times: StoreTimes;
  readonly counts: WriteCounts;
  /** Why this process may not write at the moment, in words. Fences are no writes. */
  mayNotWrite(): string | undefined;
}
