import type { LogCut } from '@levee/follow';
import type { Partition } from '@levee/kernel';
import type { LogHole } from '../holes/log-hole';
import type { PositionWaits } from './position-waits';

/** One partition of a hosted replica. */
export interface HostedPlace {
  readonly partition: Partition;
  readonly waits: PositionWaits;
  /** Monotonic ms at which the end was last seen and then applied; `undefined` before the first time. */
  atEndMs: number | undefined;
  /** [safety] The partition's end as read after the decision that gave us the replica; unknown at first. */
  mustReach: number | undefined;
  trouble: string | undefined;
  /** The log lost what the replica holds here. */
  cut: LogCut | undefined;
  /** What the replica needs next and the log does not give any more. */
  hole: LogHole | undefined;
}
