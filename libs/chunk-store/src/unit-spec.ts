import { ChunkStoreFailure } from './chunk-store-failure';
import type { EngineName } from './engine';

/** A fixed-size storage place that a node offers. */
export interface UnitSpec {
  /** Unique in the cluster: `<nodeId>/u01`. */
  readonly unitId: string;
  readonly capacityBytes: number;
  readonly engine: EngineName;
}

const sizes: Readonly<Record<string, number>> = { KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30, TiB: 2 ** 40 };
const unitLimits = { unitsMax: 1_024, capacityBytesMin: 2 ** 20, capacityBytesMax: 2 ** 42 } as const;

/** `32x256MiB:leveldb,4x1GiB:memory` -> 36 units `<nodeId>/u01`, …; throws UNIT_SPEC_INVALID naming the wrong part. */
export function parseUnitSpecs(text: string, nodeId: string): UnitSpec[] {
  const units: UnitSpec[] = [];
  for (const part of text.split(',')) {
    const match = /^(\d{1,5})x(\d{1,9})(KiB|MiB|GiB|TiB)(?::(leveldb|memory))?$/.exec(part.trim());
    const capacityBytes = Number(match?.[2]) * (sizes[match?.[3] ?? ''] ?? 0);
    if (match === null || Number(match[1]) < 1)
      throw invalid(part, 'write <count>x<size><KiB|MiB|GiB|TiB>[:leveldb|:memory], as in 32x256MiB:leveldb');
    if (capacityBytes < unitLimits.capacityBytesMin || capacityBytes > unitLimits.capacityBytesMax)
      throw invalid(part, 'a unit holds 1MiB to 4TiB');
    const engine = (match[4] ?? 'leveldb') as EngineName;
    for (let i = 0; i < Number(match[1]); i++)
      units.push({ unitId: `${nodeId}/u${String(units.length + 1).padStart(2, '0')}`, capacityBytes, engine });
    if (units.length > unitLimits.unitsMax) throw invalid(text, `a node has at most ${unitLimits.unitsMax} units`);
  }
  return units;
}

function invalid(part: string, mend: string): ChunkStoreFailure {
  return new ChunkStoreFailure('UNIT_SPEC_INVALID', `'${part}' is no unit spec: ${mend}`);
}
