import { decodeAs } from '@levee/codec';
import type { Barrier, Genesis } from '@levee/events';
import { messageOf, reservedKeyPrefix } from '@levee/kernel';
import type { ReplicaIdentity } from '@levee/chunk-store';
import type { StoredRecord } from '@levee/log';

/** What stands under a reserved key of a binlog. */
export type ControlRecord =
  | { readonly kind: 'genesis'; readonly genesis: Genesis }
  | { readonly kind: 'barrier'; readonly barrier: Barrier }
  | { readonly kind: 'fence' }
  /** Not ours: only quarantined, it changes nothing. */
  | { readonly kind: 'foreign'; readonly message: string };

/** The binlog partition that control records must speak of. */
export type BinlogPlace = Pick<
  ReplicaIdentity,
  'clusterId' | 'namespace' | 'binlog' | 'partitions' | 'sourceTopicId'
> & {
  readonly partition: number;
};

/** Reads a record whose key begins with the reserved prefix; never throws (I17). */
export function readControlRecord(record: StoredRecord, place: BinlogPlace): ControlRecord {
  const name = record.key?.toString('latin1', reservedKeyPrefix.length) ?? '';
  const { value } = record;
  if (place.sourceTopicId !== undefined) return foreign(`the reserved key '${name}' in a topic of others`);
  if (value === null) return foreign(`a tombstone under the reserved key '${name}'`);
  try {
    if (name === 'genesis') {
      const genesis = decodeAs('Genesis', value);
      const problem = genesisProblem(genesis, place);
      return problem === undefined ? { kind: 'genesis', genesis } : foreign(problem);
    }
    if (name === 'barrier') {
      const barrier = decodeAs('Barrier', value);
      if (barrier.clusterId === place.clusterId) return { kind: 'barrier', barrier };
      return foreign(`a barrier of cluster ${barrier.clusterId}`);
    }
    if (name.startsWith('fence/')) {
      decodeAs('Fence', value);
      return { kind: 'fence' };
    }
  } catch (error) {
    return foreign(`the reserved key '${name}' holds no record of ours: ${messageOf(error)}`);
  }
  return foreign(`the reserved key '${name}' is none of ours`);
}

/** Why a Genesis is not that of `place`; `undefined` when it is. */
export function genesisProblem(genesis: Genesis, place: BinlogPlace): string | undefined {
  for (const field of ['clusterId', 'namespace', 'binlog', 'partition', 'partitions'] as const)
    if (genesis[field] !== place[field])
      return `the Genesis names ${field} ${genesis[field]}, this is ${place[field]}: the log is not ours`;
  return undefined;
}

const foreign = (message: string): ControlRecord => ({ kind: 'foreign', message });
