import type { HashAlgorithm } from '@levee/keyspace';
import type { ReplicaDatabase } from './engine';

/** Which chunk a database holds, and as which generation of which unit. Written once, compared at every open. */
export interface ReplicaIdentity {
  readonly clusterId: string;
  readonly namespace: string;
  readonly binlog: string;
  readonly chunkId: string;
  readonly unitId: string;
  readonly generation: number;
  /** Slots `[slotStart, slotEnd)`. */
  readonly slotStart: number;
  readonly slotEnd: number;
  /** Partitions of the whole binlog. */
  readonly partitions: number;
  readonly hashAlgorithm: HashAlgorithm;
}

export const identityKey = Buffer.from('!m/identity');

const fields = [
  'clusterId',
  'namespace',
  'binlog',
  'chunkId',
  'unitId',
  'generation',
  'slotStart',
  'slotEnd',
  'partitions',
  'hashAlgorithm',
] as const satisfies readonly (keyof ReplicaIdentity)[];

export function encodeIdentity(identity: ReplicaIdentity): Buffer {
  return Buffer.from(JSON.stringify(Object.fromEntries(fields.map((field) => [field, identity[field]]))));
}

/** Which chunk a database says that it holds; `undefined` when it does not say. */
export async function storedIdentity(db: Pick<ReplicaDatabase, 'get'>): Promise<ReplicaIdentity | undefined> {
  const stored = await db.get(identityKey);
  if (stored === undefined) return undefined;
  try {
    const found = JSON.parse(stored.toString()) as Partial<ReplicaIdentity>;
    return fields.every((field) => found[field] !== undefined) ? (found as ReplicaIdentity) : undefined;
  } catch {
    return undefined;
  }
}

/** The first field in which the stored identity differs, as a text for people; `undefined` when it is the same. */
export function identityProblem(stored: Buffer, expected: ReplicaIdentity): string | undefined {
  let found: Partial<Record<string, unknown>>;
  try {
    found = JSON.parse(stored.toString()) as Partial<Record<string, unknown>>;
  } catch {
    return 'its identity is unreadable';
  }
  for (const field of fields)
    if (found[field] !== expected[field])
      return `its ${field} is ${String(found[field])}, expected ${String(expected[field])}`;
  return undefined;
}
