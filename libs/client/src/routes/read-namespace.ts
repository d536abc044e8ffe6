import type { NamespaceState } from '@levee/events';
import { hashOf, partitionOf, type RouteTable, slotOf } from '@levee/keyspace';
import type { StoreFailure } from '../store-errors';
import type { WriteMarks } from '../writes/write-marks';
import type { ReadRoute } from './namespace-routes';

/** What reads need to know of a namespace, of one creation of it. */
export interface ReadNamespace {
  readonly name: string;
  /** What nodes are asked for. */
  readonly askedAs: string;
  readonly state: Pick<NamespaceState, 'partitions' | 'hashAlgorithm' | 'maxStalenessMs'>;
  readonly table: RouteTable<ReadRoute> | undefined;
  /** Why there are no routes, while there are none. */
  readonly problem: string | undefined;
  /** Set once this creation of the namespace is no more. */
  readonly gone: StoreFailure | undefined;
  /** Why nothing is read here for now. */
  readonly distrust: StoreFailure | undefined;
  /** Writes that every session here sees. */
  readonly writes: Pick<WriteMarks, 'newestOf'>;
  /** Takes one request out of the limits; the reason when there is none left. */
  refusal(slot: number): string | undefined;
  /** A node goes by routes of this version. */
  heard(tableVersion: number): void;
}

interface Placed {
  readonly key: Uint8Array;
  hash: number;
  slot: number;
  partition: number;
}

/** Sets hash, partition and slot of an operation from its key. */
export function placeIn(
  { partitions, hashAlgorithm }: Pick<NamespaceState, 'partitions' | 'hashAlgorithm'>,
  operation: Placed,
): void {
  const hash = hashOf(operation.key, hashAlgorithm);
  operation.hash = hash;
  operation.partition = partitionOf(hash, partitions);
  operation.slot = slotOf(hash, partitions);
}
