import type { RecordFormatName } from '@levee/codec';
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
  readonly recordFormat: RecordFormatName;
  /** Id of the topic of others that `binlog` names; absent: the binlog is Levee's own. */
  readonly sourceTopicId?: string | undefined;
  /** Age from which on values are expired, by the times of their records; absent: only what records say counts. */
  readonly hiddenAfterMs?: number | undefined;
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
  'recordFormat',
] as const satisfies readonly (keyof ReplicaIdentity)[];

/** Not in databases of binlogs of ours. */
const optionalFields = ['sourceTopicId', 'hiddenAfterMs'] as const satisfies readonly (keyof ReplicaIdentity)[];

export function encodeIdentity(identity: ReplicaIdentity): Buffer {
  const all = [...fields, ...optionalFields];
  return Buffer.from(JSON.stringify(Object.fromEntries(all.map((field) => [field, identity[field]]))));
}

/** Which chunk a database says that it holds; `undefined` when it does not say. */
export async function storedIdentity(db: Pick<ReplicaDatabase, 'get'>): Promise<ReplicaIdentity | undefined> {
  const stored = await db.get(identityKey);
  if (stored === undefined) return undefined;
  try {
    const found = parsed(stored) as Partial<ReplicaIdentity>;
    return fields.every((field) => found[field] !== undefined) ? (found as ReplicaIdentity) : undefined;
  } catch {
    return undefined;
  }
}

/** The first field in which the stored identity differs, as a text for people; `undefined` when it is the same. */
export function identityProblem(stored: Buffer, expected: ReplicaIdentity): string | undefined {
  let found: Partial<Record<string, unknown>>;
  try {
    found = parsed(stored);
  } catch {
    return 'its identity is unreadable';
  }
  for (const field of [...fields, ...optionalFields])
    if (found[field] !== expected[field])
      return `its ${field} is ${String(found[field])}, expected ${String(expected[field])}`;
  return undefined;
}

/** Databases that were made before there was another format do not name theirs. */
const parsed = (stored: Buffer): Partial<Record<string, unknown>> => ({
  recordFormat: 'put',
  ...(JSON.parse(stored.toString()) as object),
});
