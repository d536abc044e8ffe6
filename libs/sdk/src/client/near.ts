import type { Network } from '@levee/wire';
import type { ClientLimits, ClientStatus, ReadsChoice } from '../api';
import type { LeveeError } from '../errors';
import type { PortalReach } from '../portal/portal-reach';
import type { PortalRequests } from '../portal/portal-requests';
import type { RetryBudget } from '../portal/retry-budget';
import type { World } from '../world';
import type { Reach } from './reach';

/** What `direct()` and `local()` give. */
export interface NearChoice extends ReadsChoice {
  open(host: NearHost): NearDistance;
}

/** What a distance that is nearer than portals is given by its client. */
export interface NearHost {
  readonly network: Network;
  readonly credentials: readonly [user: string, secret: string] | undefined;
  readonly limits: ClientLimits;
  readonly budget: RetryBudget;
  readonly world: World;
  /** What an error of a node is to whoever reads. */
  failure(text: string): LeveeError;
}

/** A namespace by way of portals: what a nearer distance does not answer itself goes there. */
export interface PortalSide {
  readonly reach: PortalReach;
  readonly requests: PortalRequests;
}

/**
 * Reads without portals. It is bundled apart from its client: no class of one is known to the other, and only objects go
 * between them.
 */
export interface NearDistance {
  reach(side: PortalSide): Reach;
  status(): Pick<ClientStatus, 'direct' | 'local'>;
  /** Nothing is asked any more. */
  close(): void | Promise<void>;
}
