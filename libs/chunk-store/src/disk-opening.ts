import { readdir, realpath, rm, statfs, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { failureCode, HeldHere } from '@levee/kernel';
import { ChunkStoreFailure } from './chunk-store-failure';
import { writeSealed } from './durable-file';
import { openFolderLock, type ReplicaDatabase } from './engine';
import { holdsGenerations, unitFolder } from './unit-folders';
import type { UnitSpec } from './unit-spec';

/** A folder that no other process has, and nobody else in this one. */
export interface HeldFolder {
  close(): Promise<void>;
}

/** [safety] As for the embedded log's folder: a second attempt of one process would drop the lock of the first. */
const heldHere = new HeldHere();

/** DISK_IN_USE when somebody has it. */
export async function holdFolder(folder: string): Promise<HeldFolder> {
  // By whichever name: two names of one folder have one lock file.
  const place = await realpath(folder);
  const held = await heldHere.hold(place, () => lockOf(place));
  if (held === undefined) throw new ChunkStoreFailure('DISK_IN_USE', `${folder} is open in this process already`);
  return held;
}

/** The lock holds nothing: a damaged one is made anew. */
async function lockOf(folder: string): Promise<ReplicaDatabase> {
  const path = join(folder, 'lock');
  try {
    return await openFolderLock(path);
  } catch (error) {
    if (failureCode(error) !== 'REPLICA_DAMAGED') throw error;
    await rm(path, { recursive: true, force: true });
    return openFolderLock(path);
  }
}

/** [safety] Replicas whose disk forgot who it is may be the last that hold what they hold: it is not begun anew (I14). */
export async function beginStore(folder: string, newStoreId: () => string): Promise<string> {
  if (await holdsGenerations(folder))
    throw new ChunkStoreFailure(
      'DISK_DAMAGED',
      `${join(folder, 'storeId')} and its copy are missing, and the folder holds replicas: bring one of them back, or ` +
        'empty the folder, and what it held is built anew from the log',
    );
  const storeId = newStoreId();
  await writeSealed(folder, 'storeId', storeId);
  return storeId;
}

export async function unitsThatFit(specs: readonly UnitSpec[], folder: string, free: number): Promise<UnitSpec[]> {
  const used = new Set(await readdir(join(folder, 'units')));
  let left = free;
  return specs.filter((spec) => {
    if (spec.engine === 'memory' || used.has(unitFolder(spec.unitId))) return true;
    left -= spec.capacityBytes;
    return left >= 0;
  });
}

/** A file can be made in the folder, and written: it is not read-only, immutable, or without room after all. */
export async function takesWrites(folder: string): Promise<boolean> {
  const path = join(folder, 'probe');
  try {
    await writeFile(path, 'levee', { flush: true });
    // Who looks at the same time may have removed it.
    await rm(path, { force: true });
    return true;
  } catch {
    return false;
  }
}

export async function freeBytesOf(folder: string): Promise<number> {
  const found = await statfs(folder);
  return found.bavail * found.bsize;
}
