import type { ClientLimits, ClientMetrics } from '../api';
import type { SteadyClock } from '@levee/kernel';
import type { World } from '../world';
import type { PortalDoor, PortalUps } from './portal-door';
import type { RetryBudget } from './retry-budget';

/** What all requests of a client share. */
export interface RequestsChoice {
  readonly doors: readonly PortalDoor[];
  readonly ups: PortalUps;
  readonly limits: ClientLimits;
  readonly metrics: ClientMetrics;
  readonly budget: RetryBudget;
  readonly world: World;
  /** How old a write is that may be asked for again: by a clock that stands still while the machine sleeps it would seem young. */
  readonly steady: SteadyClock;
}
