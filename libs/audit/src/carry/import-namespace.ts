import { isFrozen } from '@levee/cluster';
import { Failure } from '@levee/kernel';
import type { AuditWorld } from '../verify/walk-partition';
import { namespaceWindows } from '../proof/namespace-windows';
import { ExportReading } from '../export/export-reading';
import type { ExportManifest } from '../export/manifest';
import { ExportSource } from './carried-source';
import { fillNamespace, type Filled } from './fill-namespace';

/** What the header of an export says, before anything else of it was checked. Fails as {@link ExportReading} does. */
export async function exportManifest(path: string): Promise<ExportManifest> {
  const reading = await ExportReading.open(path);
  await reading.close();
  return reading.manifest;
}

/** The file is read from its start to its end, and all of it is right. Fails with EXPORT_DAMAGED, NOT_AN_EXPORT. */
export async function verifyExport(path: string): Promise<ExportManifest> {
  const reading = await ExportReading.open(path);
  try {
    for await (const _ of reading.records());
  } finally {
    await reading.close();
  }
  return reading.manifest;
}

/**
 * Writes an export into a namespace that is there, that holds nothing else, and that places and writes its keys as the
 * exported one did. Fails with NOT_FOUND, NAMESPACE_NOT_READY, NAMESPACE_FROZEN, NOT_COMPARABLE, EXPORT_DAMAGED, and as `fillNamespace` does.
 */
export async function importNamespace(
  { log, topics, clock, signal, rate, progress }: AuditWorld,
  { path, name }: { readonly path: string; readonly name: string },
): Promise<Filled & { readonly manifest: ExportManifest }> {
  const manifest = await exportManifest(path);
  const { namespace } = await namespaceWindows(log, topics, { name, clock, effectMs: 0 });
  if (namespace.state !== 'active')
    throw new Failure('NAMESPACE_NOT_READY', `namespace ${name} is ${namespace.state}: create it, then import`);
  if (namespace.sourceTopic !== null)
    throw new Failure(
      'NAMESPACE_NOT_READY',
      `namespace ${name} serves the topic ${namespace.sourceTopic} of others, and nothing is written there`,
    );
  if (namespace.frozenBy !== null) throw new Failure('NAMESPACE_FROZEN', isFrozen(namespace).message);
  for (const knob of ['partitions', 'hashAlgorithm', 'recordFormat'] as const)
    if (namespace[knob] !== manifest.settings[knob])
      throw new Failure(
        'NOT_COMPARABLE',
        `${knob} of ${name} is ${namespace[knob]}, and of ${path} ${manifest.settings[knob]}: create a namespace with ` +
          `the settings of the export (levee namespace create <name> --like ${path})`,
      );
  const source = new ExportSource(path, manifest, (bytes, of) => progress?.(`reading ${path}`, bytes, of));
  const world = {
    log,
    signal,
    ...(rate === undefined ? {} : { rate }),
    ...(progress === undefined ? {} : { progress }),
  };
  return { manifest, ...(await fillNamespace(world, namespace, source)) };
}
