import type { ChunkReplica, ChunkState, NodeState } from '@levee/events';
import type { DecideContext } from '../../decide-context';
import type { ClusterEvent } from '../../state/event';
import { isStorm, stormRule } from '../../liveness/storm';
import { chunkChanged, distinctChunksOn, primariesMoved, Promotions, replicasRevived } from './promotion';
import { reject, type Rejection } from '../../rejection';
import type { ClusterState } from '../../state/state';
import { stamp, type Decider } from '../decider';
import { readBehind, readObserved } from './liveness-evidence';

/**
 * `{nodeId, incarnation, silentMs, observers, reports, behind?}`: the master's own. Readers prefer other nodes from now
 * on, and in the same decision followers on nodes that are up take over its primaries: one that is not among those
 * `behind` where there is one. No data moves, and nothing is given up.
 */
export const suspectNode: Decider = (state, fields, context) => {
  const behind = readBehind(fields);
  const node = readObserved(state, fields);
  if ('code' in node) return node;
  if (node.state === 'suspect' || node.state === 'lost') return [];
  if (node.state === 'maintenance') return silentWithLeave(node);
  return [
    nodeBecomes(node, 'suspect', { change: 'NodeSuspected', context }),
    ...primariesMoved(state, { nodeId: node.nodeId, becomes: 'suspect', behind }, context),
  ];
};

/**
 * The same fields, the master's own: gives a suspect node up. Of namespaces that fail over automatically its replicas
 * are dead, except the last one of a chunk; of the others they stay as they are. Refused while so many nodes are silent
 * that the observer may be the one cut off [safety].
 */
export const loseNode: Decider = (state, fields, context) => {
  const behind = readBehind(fields);
  const node = readObserved(state, fields);
  if ('code' in node) return node;
  if (node.state === 'lost') return [];
  if (node.state === 'maintenance') return silentWithLeave(node);
  if (node.state === 'up')
    return reject('NODE_NOT_SUSPECT', `node ${node.nodeId} is up: it must be suspect before it can be given up`);
  const storm = stormIn(state);
  if (storm !== undefined) return storm;
  const promotions = new Promotions(state, new Map([[node.nodeId, 'lost']]), behind);
  return [
    nodeBecomes(node, 'lost', { change: 'NodeLost', context }),
    ...[...distinctChunksOn(state, node.nodeId)].flatMap((chunk) => {
      const automatic = state.namespace(chunk.namespace)?.failoverStrategy !== 'manual';
      const replicas = automatic
        ? withoutNode(chunk, node.nodeId, promotions)
        : promotions.improve(chunk.replicas, chunk);
      return chunkChanged(state, chunk, { replicas, name: automatic ? 'ReplicaLost' : 'PrimaryMoved', context });
    }),
  ];
};

/**
 * The same fields, the master's own: the process that was suspect or lost is heard again. Replicas given up are
 * followers again; the node reads its logs to the end before it serves them.
 */
export const reviveNode: Decider = (state, fields, context) => {
  const node = readObserved(state, fields);
  if ('code' in node) return node;
  if (node.state === 'up') return [];
  if (node.state === 'maintenance') return silentWithLeave(node);
  const { nodeId, storeId } = node;
  return [
    nodeBecomes(node, 'up', { change: 'NodeRevived', context }),
    ...replicasRevived(state, { nodeId, storeId, becomes: 'up' }, context),
  ];
};

/** The node in another state. */
export function nodeBecomes(
  node: NodeState,
  next: NodeState['state'],
  { change, context }: { readonly change: string; readonly context: DecideContext },
): ClusterEvent {
  return { kind: 'node', entity: { ...node, state: next, ...stamp(context, change) } };
}

/** The chunk's replicas with the readable ones on the node dead, unless nothing is left that could be read. */
function withoutNode(chunk: ChunkState, nodeId: string, promotions: Promotions): readonly ChunkReplica[] {
  const replicas = promotions.improve(chunk.replicas, { anyNode: true, chunkId: chunk.chunkId });
  const readable = (of: ChunkReplica): boolean => of.role === 'primary' || of.role === 'follower';
  // Of several that were lost one after the other none is given up for another: whichever returns first serves.
  const left = replicas.some((of) => readable(of) && promotions.stateOf(of.nodeId) !== 'lost');
  // Learners and retired replicas are nobody's to read: their plans see that the node is lost.
  const goes = (of: ChunkReplica): boolean => of.nodeId === nodeId && readable(of) && left;
  return replicas.some(goes) ? replicas.map((of) => (goes(of) ? { ...of, role: 'dead' } : of)) : replicas;
}

function stormIn(state: ClusterState): Rejection | undefined {
  let silent = 0;
  let watched = 0;
  for (const { state: is } of state.nodes()) {
    if (is === 'up' || is === 'suspect') watched++;
    if (is === 'suspect') silent++;
  }
  if (!isStorm({ silent, watched })) return undefined;
  return reject(
    'STORM_BRAKE',
    `${silent} of ${watched} nodes are suspect, more than ${(stormRule.shareMax * 100).toFixed(0)} % at once: none is ` +
      `given up; look at the network and at Kafka first`,
  );
}

function silentWithLeave(node: NodeState): Rejection {
  return reject(
    'NODE_IN_MAINTENANCE',
    `node ${node.nodeId} is in maintenance: its silence means nothing until that ends (EndMaintenance)`,
  );
}
