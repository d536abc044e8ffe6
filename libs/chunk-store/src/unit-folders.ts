import { readdir, rename, rm, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import { assert } from '@levee/kernel';
import { ignoreMissing } from './durable-file';
import type { ClearedUnit } from './unit-format';
import { UnitOwner } from './unit-owner';

/** `n1/u03` -> `u03`. */
export function unitFolder(unitId: string): string {
  const name = unitId.slice(unitId.lastIndexOf('/') + 1);
  assert(/^[A-Za-z0-9_-]+$/.test(name), `I10: '${unitId}' is no unit id`);
  return name;
}

/** Removes every generation of a unit up to the one given, and what is left of others that were being removed. */
export async function clearUpTo(folder: string, { unitId, generation }: ClearedUnit): Promise<void> {
  const path = join(folder, 'units', unitFolder(unitId));
  const names = (await readdir(path).catch(ignoreMissing)) ?? [];
  for (const name of names) {
    const found = /^g(\d+)(\.cleared|\.owner|\.opening)?$/.exec(name);
    if (found === null || Number(found[1]) > generation) continue;
    if (found[2] === '.owner' || found[2] === '.opening') {
      // Of a generation whose folder is there it goes last.
      if (!names.includes(`g${found[1]}`)) await rm(join(path, name), { force: true });
      continue;
    }
    const doomed = join(path, `g${found[1]}.cleared`);
    if (found[2] === undefined) {
      await new UnitOwner(join(path, name)).givenUp();
      await rm(doomed, { recursive: true, force: true });
      await rename(join(path, name), doomed);
    }
    await rm(doomed, { recursive: true, force: true });
    for (const word of ['owner', 'opening']) await rm(join(path, `g${found[1]}.${word}`), { force: true });
  }
  // Stays while it holds a higher generation.
  await rmdir(path).catch(() => undefined);
}
