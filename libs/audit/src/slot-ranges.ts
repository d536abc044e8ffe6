import type { WitnessFacts } from '@levee/wire';

/** Slots `[slotStart, slotEnd)` with everybody who holds all of them. */
export interface SlotRange {
  readonly slotStart: number;
  readonly slotEnd: number;
  readonly witnesses: readonly WitnessFacts[];
}

/**
 * [safety] Divides what witnesses hold so that whoever knows of a key is asked about it at once: chunks of a split or
 * merge that the journal lost overlap those in force, and neither may be believed without the other.
 */
export function slotRanges(witnesses: readonly WitnessFacts[]): readonly SlotRange[] {
  const bounds = [...new Set(witnesses.flatMap(({ slotStart, slotEnd }) => [slotStart, slotEnd]))].sort(
    (a, b) => a - b,
  );
  return bounds.slice(0, -1).flatMap((slotStart, i) => {
    const slotEnd = bounds[i + 1] as number;
    const holding = witnesses.filter((of) => of.slotStart <= slotStart && slotEnd <= of.slotEnd);
    return holding.length === 0 ? [] : [{ slotStart, slotEnd, witnesses: holding }];
  });
}
