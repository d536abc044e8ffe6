import { unknownNode } from './unknown-node';
import { primariesMoved } from './promotion';
import { reject } from '../../rejection';
import { type Decider } from '../decider';
import { nodeBecomes } from './node-liveness';

export const maintenanceLimits = { forMsMin: 1_000, forMsMax: 7 * 86_400_000 } as const;

/**
 * `{nodeId, forMs}`: for so long the node may be silent: it is neither suspect nor lost. Its primaries are handed over
 * at once, readers prefer other nodes. A node in maintenance stays in it for the time first given; the master ends it.
 */
export const maintainNode: Decider = (state, fields, context) => {
  const nodeId = fields.text('nodeId', 63);
  fields.integer('forMs', { min: maintenanceLimits.forMsMin, max: maintenanceLimits.forMsMax, unit: 'ms' });
  fields.refuseOthers('BAD_COMMAND', 'field');
  if (fields.problem !== undefined) return fields.problem;
  const node = state.node(nodeId);
  if (node === undefined) return unknownNode(state, nodeId);
  if (node.state === 'maintenance') return [];
  if (node.state === 'lost')
    return reject(
      'NODE_IS_LOST',
      `node ${nodeId} is lost, its replicas were given up: maintenance would change nothing`,
    );
  return [
    nodeBecomes(node, 'maintenance', { change: 'MaintenanceStarted', context }),
    ...primariesMoved(state, { nodeId, becomes: 'maintenance' }, context),
  ];
};

/** `{nodeId}`: silence counts again. The node is suspect until it is heard, since nobody knows yet whether it is there. */
export const endMaintenance: Decider = (state, fields, context) => {
  const nodeId = fields.text('nodeId', 63);
  fields.refuseOthers('BAD_COMMAND', 'field');
  if (fields.problem !== undefined) return fields.problem;
  const node = state.node(nodeId);
  if (node === undefined) return unknownNode(state, nodeId);
  if (node.state !== 'maintenance') return [];
  return [nodeBecomes(node, 'suspect', { change: 'MaintenanceEnded', context })];
};
