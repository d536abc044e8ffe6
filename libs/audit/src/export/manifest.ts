import type { NamespaceState } from '@levee/events';
import { hashAlgorithms } from '@levee/keyspace';
import { damaged } from './avro-bytes';

/** Under it the manifest stands in the metadata of the file, as JSON. */
export const manifestKey = 'levee.manifest';

/** Settings of a namespace that another one can be created with; chunks and their size are the new cluster's matter. */
const settingNames = [
  'partitions',
  'hashAlgorithm',
  'recordFormat',
  'replicas',
  'ack',
  'consistency',
  'maxStalenessMs',
  'requestsPerSecond',
  'chunkRequestsPerSecond',
  'failoverStrategy',
  'expectedBytes',
  'expectedRequestsPerSecond',
  'historyWindowMs',
  'maxTtlMs',
  'manualPlans',
  'multi',
  'flush',
] as const satisfies readonly (keyof NamespaceState)[];

export type ExportedSettings = Pick<NamespaceState, (typeof settingNames)[number]>;

export interface ExportedPartition {
  readonly partition: number;
  /** Everything below is in the export. */
  readonly nextOffset: number;
  /** With a value that had not expired. */
  readonly keys: number;
  readonly deleted: number;
  readonly expired: number;
  /** The sum of the digests that replicas have of the chunks in this partition. */
  readonly digest: string;
}

/** What a file of an export says of itself. */
export interface ExportManifest {
  readonly format: 1;
  /** Version of Levee that wrote it. */
  readonly software: string;
  readonly featureLevel: number;
  readonly clusterId: string;
  readonly namespace: string;
  readonly binlog: string;
  /** The time that was asked for, ms since 1970; null: as it was at the positions. */
  readonly atMs: number | null;
  /** What had expired by then is left out, and counts in no digest. */
  readonly judgedAtMs: number;
  readonly settings: ExportedSettings;
  readonly keys: number;
  readonly digest: string;
  readonly partitions: readonly ExportedPartition[];
}

export function settingsOf(namespace: NamespaceState): ExportedSettings {
  return Object.fromEntries(settingNames.map((name) => [name, namespace[name]])) as unknown as ExportedSettings;
}

/** What to create a namespace with: settings that are none, and the default of the binding, are left out. */
export function creationOf({ settings }: Pick<ExportManifest, 'settings'>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(settings).filter(([, value]) => value !== null && !(Array.isArray(value) && value.length === 0)),
  );
}

/** Fails with EXPORT_DAMAGED. */
export function readManifest(bytes: Buffer): ExportManifest {
  let read: Partial<ExportManifest> | null;
  try {
    read = JSON.parse(bytes.toString('utf8')) as Partial<ExportManifest> | null;
  } catch {
    throw damaged('has a manifest that is no JSON');
  }
  const { partitions, settings } = read ?? {};
  if (read?.format !== 1)
    throw damaged(`has a manifest of format ${String(read?.format)}: this version reads format 1`);
  const known =
    Array.isArray(partitions) &&
    partitions.length === settings?.partitions &&
    partitions.every(
      (each, i) =>
        each.partition === i &&
        [each.nextOffset, each.keys, each.deleted, each.expired].every((n) => Number.isSafeInteger(n) && n >= 0) &&
        /^[0-9a-f]{32}$/.test(each.digest),
    ) &&
    (settings.recordFormat === 'put' || settings.recordFormat === 'raw') &&
    hashAlgorithms.includes(settings.hashAlgorithm) &&
    Number.isSafeInteger(read.judgedAtMs);
  if (!known) throw damaged('has a manifest that is not whole');
  return read as ExportManifest;
}
