import { reject, type Rejection } from '../../rejection';
import type { ClusterState } from '../../state/state';

const namedMax = 20;

/** Names are exact, `N1` is not `n1`: so those that there are come with it. */
export function unknownNode(state: ClusterState, nodeId: string): Rejection {
  const names = [...state.nodes()].map((node) => node.nodeId).sort();
  const more = names.length > namedMax ? ` and ${names.length - namedMax} more` : '';
  const known = names.length === 0 ? 'there is none yet' : `there are ${names.slice(0, namedMax).join(', ')}${more}`;
  return reject('NODE_UNKNOWN', `there is no node '${nodeId.slice(0, 80)}': ${known}`);
}
