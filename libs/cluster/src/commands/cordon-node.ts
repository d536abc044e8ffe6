import { unknownNode } from '../unknown-node';
import type { NodeState } from '@levee/events';
import type { ClusterEvent } from '../event';
import { reject, type Rejection } from '../rejection';
import type { ClusterState } from '../state';
import { stamp, type CommandContext, type Decider } from './decider';
import { readHeardLevels, type HeardLevel } from './heard-levels';

/** Processes of a lower level cannot read that a node is cordoned: they stand still there. */
export const cordonFeatureLevel = 2;

/**
 * `{nodeId}`: no new replica comes to the node, by whatever rule, until UncordonNode. What it has stays and serves; it
 * remains cordoned through restarts, silence and another disk.
 */
export const cordonNode: Decider = (state, fields, context) => {
  const nodeId = fields.text('nodeId', 63);
  const heard = readHeardLevels(fields);
  fields.refuseOthers('BAD_COMMAND', 'field');
  if (fields.problem !== undefined) return fields.problem;
  const node = state.node(nodeId);
  if (node === undefined) return unknownNode(state, nodeId);
  return cordonProblem(state, heard) ?? cordoned(node, true, context);
};

/** `{nodeId}`: the node takes replicas again, once no drain or format under way empties it. */
export const uncordonNode: Decider = (state, fields, context) => {
  const nodeId = fields.text('nodeId', 63);
  fields.refuseOthers('BAD_COMMAND', 'field');
  if (fields.problem !== undefined) return fields.problem;
  const node = state.node(nodeId);
  return node === undefined ? unknownNode(state, nodeId) : cordoned(node, false, context);
};

/** Nothing when the node is so already. */
export function cordoned(node: NodeState, is: boolean, context: CommandContext): ClusterEvent[] {
  if (node.cordoned === is) return [];
  const change = is ? 'NodeCordoned' : 'NodeUncordoned';
  return [{ kind: 'node', entity: { ...node, cordoned: is, ...stamp(context, change) } }];
}

/**
 * Why no node can be cordoned yet; `undefined` = any can. Nodes are registered; portals, dispatchers and masters are known
 * by their heartbeats, which the master records in the command.
 */
export function cordonProblem(state: ClusterState, heard: readonly HeardLevel[]): Rejection | undefined {
  for (const { nodeId, featureLevel } of state.nodes())
    if (featureLevel < cordonFeatureLevel)
      return reject(
        'NODE_TOO_OLD',
        `node ${nodeId} reads records of feature level ${featureLevel}, a cordon needs ${cordonFeatureLevel}: upgrade it first`,
      );
  for (const { process, featureLevel } of heard)
    if (featureLevel < cordonFeatureLevel)
      return reject(
        'NODE_TOO_OLD',
        `${process} reads records of feature level ${featureLevel}, a cordon needs ${cordonFeatureLevel}: upgrade it first; ` +
          'one that was stopped counts for ten minutes after its last heartbeat',
      );
  return undefined;
}
