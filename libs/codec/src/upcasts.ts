import type { NamespaceState, NamespaceStateV1, NodeState, NodeStateV1 } from '@levee/events';
import type { Upcast } from './record-registry';

/** From every version of a record to the next one. */
export const upcasts: readonly Upcast[] = [
  {
    name: 'NamespaceState',
    toVersion: 2,
    upcast: (older: NamespaceStateV1): NamespaceState => ({ ...older, multi: 'refuse', flush: 'refuse' }),
  },
  { name: 'NodeState', toVersion: 2, upcast: (older: NodeStateV1): NodeState => ({ ...older, cordoned: false }) },
];
