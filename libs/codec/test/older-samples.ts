import type { RecordName } from '@levee/events';
import {
  keptForEver,
  namespace,
  namespacesV3,
  namespacesV4,
  namespacesV5,
  namespacesV6,
  namespacesV7,
  namespacesV8,
  namespaceV2,
  own,
  thawed,
  unacknowledged,
  unforked,
  unswapped,
  unseen,
} from './namespace-samples';
import { samples } from './samples';

/** Of older versions that are written still: what the newest one says of them is `added`. */
export const olderSamples: readonly {
  readonly name: RecordName;
  readonly version: number;
  readonly record: object;
  readonly added: object;
}[] = [
  {
    name: 'NamespaceState',
    version: 1,
    record: namespace,
    added: {
      multi: 'refuse',
      flush: 'refuse',
      recordFormat: 'put',
      ...own,
      ...unseen,
      ...thawed,
      ...unforked,
      ...unswapped,
      ...unacknowledged,
      ...keptForEver,
    },
  },
  {
    name: 'NamespaceState',
    version: 2,
    record: namespaceV2,
    added: {
      recordFormat: 'put',
      ...own,
      ...unseen,
      ...thawed,
      ...unforked,
      ...unswapped,
      ...unacknowledged,
      ...keptForEver,
    },
  },
  {
    name: 'NamespaceState',
    version: 2,
    record: { ...namespaceV2, multi: 'refuse', flush: 'sweep' },
    added: {
      recordFormat: 'put',
      ...own,
      ...unseen,
      ...thawed,
      ...unforked,
      ...unswapped,
      ...unacknowledged,
      ...keptForEver,
    },
  },
  ...namespacesV3.map((record) => ({
    name: 'NamespaceState' as const,
    version: 3,
    record,
    added: { ...unseen, ...thawed, ...unforked, ...unswapped, ...unacknowledged, ...keptForEver },
  })),
  ...namespacesV4.map((record) => ({
    name: 'NamespaceState' as const,
    version: 4,
    record,
    added: { ...thawed, ...unforked, ...unswapped, ...unacknowledged, ...keptForEver },
  })),
  ...namespacesV5.map((record) => ({
    name: 'NamespaceState' as const,
    version: 5,
    record,
    added: { ...unforked, ...unswapped, ...unacknowledged, ...keptForEver },
  })),
  ...namespacesV6.map((record) => ({
    name: 'NamespaceState' as const,
    version: 6,
    record,
    added: { ...unswapped, ...unacknowledged, ...keptForEver },
  })),
  ...namespacesV7.map((record) => ({
    name: 'NamespaceState' as const,
    version: 7,
    record,
    added: { ...unacknowledged, ...keptForEver },
  })),
  ...namespacesV8.map((record) => ({ name: 'NamespaceState' as const, version: 8, record, added: keptForEver })),
  ...samples.Quarantined.slice(0, 2).map((record) => ({
    name: 'Quarantined' as const,
    version: 1,
    record: { ...record, toOffset: undefined },
    added: { toOffset: null },
  })),
];
