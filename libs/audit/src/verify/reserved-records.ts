import { bornOf } from '@levee/cluster';
import { decodeAs } from '@levee/codec';
import type { NamespaceState } from '@levee/events';
import { barrierKey, genesisKey } from '@levee/journal';
import { messageOf, reservedKeyPrefix } from '@levee/kernel';
import type { StoredRecord } from '@levee/log';

interface Problem {
  readonly rule: 'genesis' | 'reserved';
  readonly what: string;
}

const fencePrefix = Buffer.concat([reservedKeyPrefix, Buffer.from('fence/')]);

/** What is wrong with a record under a reserved key of this namespace's binlog; `undefined`: it is Levee's own. */
export function reservedProblem(
  { key, value, offset }: StoredRecord,
  namespace: NamespaceState & { readonly clusterId: string },
  partition: number,
): Problem | undefined {
  if (key === null) return undefined;
  if (namespace.sourceTopic !== null) return reserved('a reserved key in a topic of others');
  try {
    if (key.equals(genesisKey)) return genesisProblem(value, offset, { namespace, partition });
    if (key.equals(barrierKey)) {
      const { clusterId } = decodeAs('Barrier', value ?? Buffer.alloc(0));
      return clusterId === namespace.clusterId ? undefined : reserved(`a barrier of cluster ${clusterId}`);
    }
    if (key.subarray(0, fencePrefix.length).equals(fencePrefix)) {
      if (value !== null) decodeAs('Fence', value);
      return undefined;
    }
    return reserved(`a reserved key that nobody writes: ${key.toString('hex')}`);
  } catch (error) {
    return reserved(messageOf(error));
  }
}

function genesisProblem(
  value: Buffer | null,
  offset: number,
  of: { readonly namespace: NamespaceState & { readonly clusterId: string }; readonly partition: number },
): Problem | undefined {
  const found = decodeAs('Genesis', value ?? Buffer.alloc(0));
  const { clusterId, binlog, partitions, hashAlgorithm } = of.namespace;
  const { name: namespace } = bornOf(of.namespace);
  const wanted = { clusterId, namespace, binlog, partition: of.partition, partitions, hashAlgorithm };
  const differing = (Object.keys(wanted) as (keyof typeof wanted)[]).find((field) => found[field] !== wanted[field]);
  if (differing !== undefined)
    return { rule: 'genesis', what: `its ${differing} is ${found[differing]}, not ${wanted[differing]}` };
  return offset === 0 ? undefined : { rule: 'genesis', what: 'a Genesis that is not at offset 0' };
}

const reserved = (what: string): Problem => ({ rule: 'reserved', what });
