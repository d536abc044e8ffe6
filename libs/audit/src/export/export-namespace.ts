import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { featureLevel } from '@levee/events';
import { Digest, Failure, failureCode } from '@levee/kernel';
import { rebuildNamespace } from '../rebuild/rebuild';
import { RebuiltFolder } from '../rebuild/rebuilt-folder';
import { stillProved } from '../rebuild/still-proved';
import type { AuditWorld } from '../verify/walk-partition';
import type { ContainerCodec } from './container';
import type { CarriedRecord } from './exported-record';
import { type ExportedPartition, type ExportManifest, settingsOf } from './manifest';
import { countPartition, livingRecords, writeExport } from './write-export';

export interface Exported {
  readonly manifest: ExportManifest;
  readonly bytes: number;
}

/**
 * A namespace as one file that any Avro tool reads: as it is now, or as it was at a time, if that is provable for every
 * key. What is folded lies in `path`.work until the file is whole: an export that was ended goes on from there. Fails with
 * FILE_EXISTS, NOT_PROVABLE, INTERRUPTED, and as `rebuildNamespace` does.
 */
export async function exportNamespace(
  world: AuditWorld,
  options: {
    readonly name: string;
    readonly atMs: number | undefined;
    readonly path: string;
    readonly codec: ContainerCodec;
    /** Version of Levee, for the manifest. */
    readonly software: string;
    readonly clockMarginMs?: number | undefined;
  },
): Promise<Exported> {
  const { name, atMs, path, codec, software, clockMarginMs } = options;
  if (existsSync(path)) throw new Failure('FILE_EXISTS', `${path} is there already: remove it, or name another file`);
  const { signal, progress } = world;
  const folder = `${path}.work`;
  const rebuilt = await rebuildNamespace(world, { name, atMs, folder, clockMarginMs, keepsRecords: true }).catch(
    async (error: unknown) => {
      if (failureCode(error) === 'NOT_PROVABLE') await rm(folder, { recursive: true, force: true });
      throw error;
    },
  );
  const { positions, binlog, clusterId, begunAtMs } = rebuilt.manifest;
  const { namespace } = rebuilt.windows;
  try {
    await stillProved(world, rebuilt, { atMs, clockMarginMs });
  } catch (error) {
    // What was folded can no longer be told from what it should be.
    await rm(folder, { recursive: true, force: true });
    throw error;
  }
  const made = new RebuiltFolder(folder, rebuilt.manifest);
  // What a topic that forgets by age let go of while it was read is expired by now.
  const isAging = namespace.hiddenAfterMs !== null;
  const judgedAtMs = atMs ?? (isAging ? undefined : begunAtMs) ?? world.clock.nowMs();
  const { recordFormat } = namespace;
  const partitions: ExportedPartition[] = [];
  for (const [partition, nextOffset] of positions.entries()) {
    const counted = await withPartition(made, partition, (store) =>
      countPartition(store, { partition, judgedAtMs, recordFormat }, { signal }),
    );
    partitions.push({ nextOffset, ...counted });
    progress?.(`counting ${name}`, partition + 1, positions.length);
  }
  const digest = new Digest();
  for (const each of partitions) digest.merge(Digest.fromHex(each.digest));
  const manifest: ExportManifest = {
    ...{ format: 1, software, featureLevel, clusterId, namespace: name, binlog },
    ...{ atMs: atMs ?? null, judgedAtMs, settings: settingsOf(namespace) },
    keys: partitions.reduce((sum, { keys }) => sum + keys, 0),
    digest: digest.toHex(),
    partitions,
  };
  const records = everyRecord(made, judgedAtMs);
  const onKeys = (keys: number): void => progress?.(`writing ${path}`, keys, manifest.keys);
  const where = { path, unfinished: join(folder, 'export.avro') };
  const { bytes } = await writeExport(where, { manifest, records, codec }, { signal, onKeys });
  await rm(folder, { recursive: true, force: true });
  return { manifest, bytes };
}

async function* everyRecord(made: RebuiltFolder, judgedAtMs: number): AsyncGenerator<CarriedRecord> {
  for (let partition = 0; partition < made.manifest.partitions; partition++) {
    const store = await made.partition(partition);
    try {
      yield* livingRecords(store, { partition, judgedAtMs });
    } finally {
      await store.close();
    }
  }
}

async function withPartition<T>(
  made: RebuiltFolder,
  partition: number,
  work: (store: Awaited<ReturnType<RebuiltFolder['partition']>>) => Promise<T>,
): Promise<T> {
  const store = await made.partition(partition);
  try {
    return await work(store);
  } finally {
    await store.close();
  }
}
