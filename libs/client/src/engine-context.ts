import type { Clock, Logger, Random, Timers } from '@levee/kernel';
import type { StoreLimits } from './store-limits';

/** What the parts of the store share. */
export interface EngineContext {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
  readonly logger: Logger;
  readonly limits: StoreLimits;
  /** Wall clock for expiry, ms since 1970, which never falls: an expired key does not come back in a session. */
  expiryNowMs(): number;
}
