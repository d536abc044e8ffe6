import { reject } from '../rejection';
import { stamp, type Decider } from './decider';

/** `{clusterId}`: the master's first command; the id comes from its first claim. */
export const initCluster: Decider = (state, fields, context) => {
  const clusterId = fields.text('clusterId', 64);
  fields.refuseOthers('BAD_COMMAND', 'field');
  if (fields.problem !== undefined) return fields.problem;
  if (state.clusterId === clusterId) return [];
  if (state.clusterId !== undefined)
    return reject('ALREADY_INITIALISED', `the cluster is ${state.clusterId}, it cannot become ${clusterId}`);
  return [{ kind: 'cluster', entity: { clusterId, ...stamp(context, 'ClusterFounded') } }];
};
