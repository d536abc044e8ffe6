import { join } from 'node:path';
import { ChunkStoreFailure } from './chunk-store-failure';
import { readSealed, writeSealed } from './durable-file';
import type { UnitSpec } from './unit-spec';

/** A unit in the highest generation that holds nothing of worth any more. */
export interface ClearedUnit {
  readonly unitId: string;
  /** 0 = the unit was never taken. */
  readonly generation: number;
}

/** What a plan made of a disk. It outlives the process and wins over what the settings say. */
export interface UnitFormat {
  readonly planId: string;
  readonly units: readonly UnitSpec[];
}

/** As the folder keeps it. */
export interface RecordedFormat extends UnitFormat {
  /** Still to be cleared, no generation above these: the work that a death may cut short. */
  readonly toClear: readonly ClearedUnit[];
}

const fileName = 'units.json';

/** `undefined` when the disk was never formatted by a plan. */
export async function readFormat(folder: string): Promise<RecordedFormat | undefined> {
  const path = join(folder, fileName);
  const text = await readSealed(folder, fileName);
  if (text === undefined) return undefined;
  const recorded = parsed(text);
  if (isRecordedFormat(recorded)) return recorded;
  throw new ChunkStoreFailure(
    'FORMAT_DAMAGED',
    `${path} does not say which units the folder has: remove it to go by LEVEE_UNITS, or bring it back`,
  );
}

export async function writeFormat(folder: string, format: RecordedFormat): Promise<void> {
  await writeSealed(folder, fileName, JSON.stringify(format));
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function isRecordedFormat(value: unknown): value is RecordedFormat {
  const { planId, units, toClear } = (value ?? {}) as Partial<Record<keyof RecordedFormat, unknown>>;
  if (typeof planId !== 'string' || !Array.isArray(units) || !Array.isArray(toClear) || units.length === 0)
    return false;
  const isUnit = (unit: Partial<UnitSpec> | null): boolean =>
    typeof unit?.unitId === 'string' &&
    Number.isSafeInteger(unit.capacityBytes) &&
    (unit.engine === 'leveldb' || unit.engine === 'memory');
  const isCleared = (unit: Partial<ClearedUnit> | null): boolean =>
    typeof unit?.unitId === 'string' && Number.isSafeInteger(unit.generation);
  return (units as UnitSpec[]).every(isUnit) && (toClear as ClearedUnit[]).every(isCleared);
}
