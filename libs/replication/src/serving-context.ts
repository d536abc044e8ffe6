import type { ClusterState } from '@levee/cluster';
import type { Clock, Logger, Timers } from '@levee/kernel';
import type { NetworkBudget } from '@levee/wire';
import type { NodeIdentity } from './digest-work';
import type { ReplicaHost } from './replica-host';

/** What the commands of a node need to be answered. */
export interface ServingContext {
  readonly identity: NodeIdentity;
  readonly clusterId: string;
  readonly host: ReplicaHost;
  /** Room for what is on its way to others. */
  readonly buffers: NetworkBudget;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly logger: Logger;
  readonly state: ClusterState;
  /** Highest seq of a route of the namespace, or of a node in one. */
  routeVersion(namespace: string): number;
  /** `<seq> <route as JSON>` of the chunk that holds the slot, as far as this node knows. */
  routeOf(namespace: string, slot: number): string;
}
