import { unknownNode } from './unknown-node';
import { featureLevels, type NodeState } from '@levee/events';
import type { ClusterEvent } from '../../state/event';
import type { Rejection } from '../../rejection';
import type { ClusterState } from '../../state/state';
import { stamp, type CommandContext, type Decider } from '../decider';
import { levelProblem, readHeardLevels, type HeardLevel } from '../heard-levels';

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

/** Why no node can be cordoned yet; `undefined` = any can. */
export function cordonProblem(state: ClusterState, heard: readonly HeardLevel[]): Rejection | undefined {
  return levelProblem(state, heard, { what: 'a cordon', level: featureLevels.cordonedNodes });
}
