import { type ClusterState, routeVersionOf } from '@levee/cluster';
import type { ClusterView } from '@levee/journal';
import type { Clock, Logger, Timers } from '@levee/kernel';
import type { NetworkBudget } from '@levee/wire';
import type { NodeIdentity } from '../node-identity';
import type { ReplicaHost } from '../replica/replica-host';

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

/** Route versions of namespaces, until the next decision. */
export type RouteVersions = Map<string, number>;

/** As decisions stand. */
export function servingContext(
  parts: Omit<ServingContext, 'state' | 'routeVersion' | 'routeOf'>,
  view: ClusterView,
  versions: RouteVersions,
): ServingContext {
  return {
    ...parts,
    get state() {
      return view.state;
    },
    routeVersion: (namespace) => {
      let version = versions.get(namespace);
      if (version === undefined) versions.set(namespace, (version = routeVersionOf(view.state, namespace)));
      return version;
    },
    routeOf: (namespace, slot) => {
      const chunk = view.state.chunksTouching(namespace, { slotStart: slot, slotEnd: slot + 1 })[0];
      const route = chunk && view.state.route(chunk.chunkId);
      return `${route?.seq ?? view.seq} ${JSON.stringify(route ?? null)}`;
    },
  };
}
