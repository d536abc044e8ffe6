import type { UnitState } from '@levee/events';

export interface UnitSpecs {
  readonly count: number;
  readonly capacityBytes: number;
  readonly engine: UnitState['engine'];
}

/** Of one node: each unit is a database of its own. What a node refuses to make a plan would await for ever. */
export const unitSpecLimits = { unitsMax: 1_024, capacityBytesMin: 2 ** 20, capacityBytesMax: 2 ** 42 } as const;

const entry = /^(\d{1,5})x(\d{1,9})(KiB|MiB|GiB|TiB)(?::(leveldb|memory))?$/;
const bytesOf: Readonly<Record<string, number>> = { KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30, TiB: 2 ** 40 };

/** Units as LEVEE_UNITS writes them, `8x1GiB:leveldb,4x256MiB:memory`, leveldb where nothing is said; `undefined` when the text is no such list. */
export function parseUnitSpecs(text: string): UnitSpecs[] | undefined {
  const specs: UnitSpecs[] = [];
  const { unitsMax, capacityBytesMin, capacityBytesMax } = unitSpecLimits;
  for (const part of text.split(',')) {
    const [, count, size, unit, engine = 'leveldb'] = entry.exec(part.trim()) ?? [];
    const capacityBytes = Number(size) * (bytesOf[unit ?? ''] ?? 0);
    if (Number(count) < 1 || !(capacityBytes >= capacityBytesMin && capacityBytes <= capacityBytesMax))
      return undefined;
    if (engine !== 'leveldb' && engine !== 'memory') return undefined;
    specs.push({ count: Number(count), capacityBytes, engine });
  }
  return specs.reduce((sum, { count }) => sum + count, 0) <= unitsMax ? specs : undefined;
}

/** The units are as the specs want them, in whatever order. */
export function unitsAreAs(units: Iterable<UnitState>, specs: readonly UnitSpecs[]): boolean {
  const missing = new Map<string, number>();
  const keyOf = ({ capacityBytes, engine }: { capacityBytes: number; engine: string }): string =>
    `${capacityBytes}:${engine}`;
  for (const spec of specs) missing.set(keyOf(spec), (missing.get(keyOf(spec)) ?? 0) + spec.count);
  for (const unit of units) missing.set(keyOf(unit), (missing.get(keyOf(unit)) ?? 0) - 1);
  return [...missing.values()].every((count) => count === 0);
}
