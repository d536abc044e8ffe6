import type { ClusterState } from '@levee/cluster';
import { StoreFailure } from '../store-errors';

/** Why a request for namespace `name` cannot be served here: nothing was read yet, it is being made, or there is none. */
export function absentNamespace(state: ClusterState, name: string): StoreFailure {
  const known = state.namespace(name)?.state;
  if (known === undefined && state.clusterId === undefined)
    return new StoreFailure('LVNOTREADY', 'no cluster was read from the log yet: try again in a moment');
  if (known === 'creating') return new StoreFailure('LVNAMESPACE', `${name} is being created: try again in a moment`);
  const mend = `create it with: levee namespace create ${name}`;
  return new StoreFailure('LVNAMESPACE', `there is no namespace '${name}'; ${mend}`);
}

/** Why nothing that waits in a namespace has anything to wait for any more. */
export function goneNamespace(name: string): StoreFailure {
  return new StoreFailure('LVNAMESPACE', `${name} was deleted, created anew or rewound`);
}
