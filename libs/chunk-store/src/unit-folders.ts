import { readdir, rename, rm, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import { assert } from '@levee/kernel';
import { ignoreMissing } from './durable-file';
import type { HeldGeneration } from './node-disk';
import { bytesIn } from './set-aside';
import type { ClearedUnit } from './unit-format';
import { UnitOwner } from './unit-owner';

/** `n1/u03` -> `u03`. */
export function unitFolder(unitId: string): string {
  const name = unitId.slice(unitId.lastIndexOf('/') + 1);
  assert(/^[A-Za-z0-9_-]+$/.test(name), `I10: '${unitId}' is no unit id`);
  return name;
}

/** Of the folder of a unit's generation, by its name; `undefined` for any other. */
export function generationOf(name: string): number | undefined {
  const digits = /^g(\d+)$/.exec(name)?.[1];
  return digits === undefined ? undefined : Number(digits);
}

/** Whether any unit below `folder` holds a generation. */
export async function holdsGenerations(folder: string): Promise<boolean> {
  for (const unit of (await readdir(join(folder, 'units')).catch(ignoreMissing)) ?? []) {
    const names = await readdir(join(folder, 'units', unit)).catch(() => []);
    if (names.some((name) => generationOf(name) !== undefined)) return true;
  }
  return false;
}

/** What is there of a unit in the generations that are asked for, the lowest first. */
export async function generationsIn(
  folder: string,
  unitId: string,
  isAsked: (generation: number) => boolean,
): Promise<HeldGeneration[]> {
  const unit = join(folder, 'units', unitFolder(unitId));
  const entries = (await readdir(unit, { withFileTypes: true }).catch(ignoreMissing)) ?? [];
  const held: HeldGeneration[] = [];
  for (const entry of entries) {
    const generation = entry.isDirectory() ? generationOf(entry.name) : undefined;
    if (generation === undefined || !isAsked(generation)) continue;
    const path = join(unit, entry.name);
    held.push({ unitId, generation, folder: path, bytes: await bytesIn(path) });
  }
  return held.sort((a, b) => a.generation - b.generation);
}

/** Removes what a generation holds, whose folder is `path`: a database may be made in it then. Idempotent. */
export async function clearGeneration(path: string): Promise<void> {
  const doomed = `${path}.cleared`;
  await rm(doomed, { recursive: true, force: true });
  await new UnitOwner(path).givenUp();
  // Renamed first: a half deleted database must never be opened as this generation again.
  await rename(path, doomed).catch(ignoreMissing);
  await rm(doomed, { recursive: true, force: true });
}

/** Removes every generation of a unit up to the one given, and what is left of others that were being removed. */
export async function clearUpTo(folder: string, { unitId, generation }: ClearedUnit): Promise<void> {
  const unit = join(folder, 'units', unitFolder(unitId));
  const names = (await readdir(unit).catch(ignoreMissing)) ?? [];
  const found = names.map((name) => /^g(\d+)(\.cleared|\.owner|\.opening)?$/.exec(name)?.[1] ?? '');
  for (const number of new Set(found)) {
    if (number === '' || Number(number) > generation) continue;
    const path = join(unit, `g${number}`);
    await clearGeneration(path);
    await new UnitOwner(path).forget();
  }
  // Stays while it holds a higher generation.
  await rmdir(unit).catch(() => undefined);
}
