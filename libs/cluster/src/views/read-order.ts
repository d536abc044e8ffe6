import type { ChunkRoute, NodeState, RouteReplica } from '@levee/events';
import type { ClusterState } from '../state/state';

export interface ReadableReplica {
  readonly replica: RouteReplica;
  readonly node: NodeState;
}

/** The replicas of a route that are read, in the order in which a reader tries them: the primary, then followers, suspect nodes last. */
export function readOrder(
  state: ClusterState,
  { replicas }: ChunkRoute,
): { readonly readable: readonly ReadableReplica[]; readonly upCount: number } {
  const readable: ReadableReplica[] = [];
  for (const replica of replicas) {
    const node = state.node(replica.nodeId);
    // A disk that is another one by now does not hold it.
    if (replica.role !== 'retired' && node?.storeId === replica.storeId) readable.push({ replica, node });
  }
  const rank = ({ node, replica }: ReadableReplica): number =>
    (node.state === 'up' ? 0 : 2) + (replica.role === 'primary' ? 0 : 1);
  readable.sort((a, b) => rank(a) - rank(b));
  return { readable, upCount: readable.filter(({ node }) => node.state === 'up').length };
}
