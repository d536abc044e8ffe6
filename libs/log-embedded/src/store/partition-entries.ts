import { readU53 } from '../slot';
import type { Section } from './runs';

/** An entry that is in the journal and in no run yet. */
export interface HeldEntry {
  readonly base: number;
  readonly next: number;
  readonly bytes: Buffer;
}

/** The part `[from, to)` of a section that counts; the rest of it was replaced or dropped. */
export interface Extent {
  readonly section: Section;
  readonly from: number;
  readonly to: number;
}

/** Fields of an entry's head (see `entry.ts`), read without judging it. */
const baseAt = 20;
const nextAt = 28;
const headBytes = 64;

/** `base` counts when the head says something else: it is what the entry is stored under. */
export function heldEntry(base: number, bytes: Buffer): HeldEntry {
  const told = bytes.length >= headBytes && readU53(bytes, baseAt) === base ? readU53(bytes, nextAt) : base + 1;
  return { base, next: Math.max(told, base + 1), bytes };
}

/**
 * Where the entries of one partition are: some held in memory, the others in stretches of run files. Stretches and
 * held entries never overlap: what comes later hides what it covers. The arrays are not changed but replaced, except
 * that the newest entry is pushed; so a reader may go on with what it began with.
 */
export class PartitionEntries {
  private heldNow: HeldEntry[] = [];
  private extentsNow: readonly Extent[] = [];

  get held(): readonly HeldEntry[] {
    return this.heldNow;
  }

  get extents(): readonly Extent[] {
    return this.extentsNow;
  }

  put(entry: HeldEntry): void {
    const last = this.heldNow.at(-1);
    const topExtent = this.extentsNow.at(-1);
    if ((last === undefined || last.next <= entry.base) && (topExtent === undefined || topExtent.to <= entry.base)) {
      this.heldNow.push(entry);
      return;
    }
    this.hide(entry.base, entry.next);
    this.heldNow = inserted(this.heldNow, ({ base }) => base, entry);
  }

  remove(base: number): void {
    if (this.heldNow.some((entry) => entry.base === base))
      this.heldNow = this.heldNow.filter((entry) => entry.base !== base);
  }

  /** Nothing of `[from, to)` counts any more. */
  hide(from: number, to: number): void {
    if (this.heldNow.some((entry) => entry.base >= from && entry.base < to))
      this.heldNow = this.heldNow.filter(({ base }) => base < from || base >= to);
    this.hideExtents(from, to);
  }

  /** Entries that end at or below `offset` do not count any more. */
  hideBelow(offset: number): void {
    if (this.heldNow.some(({ next }) => next <= offset))
      this.heldNow = this.heldNow.filter(({ next }) => next > offset);
    const [first] = this.extentsNow;
    if (first === undefined || first.from >= offset) return;
    this.extentsNow = this.extentsNow.flatMap((extent): Extent[] => {
      if (extent.to <= offset) return [];
      return [extent.from >= offset ? extent : { ...extent, from: offset }];
    });
  }

  /** A section of a run now holds `[from, to)`. */
  install(extent: Extent): void {
    this.hide(extent.from, extent.to);
    this.extentsNow = inserted(this.extentsNow, ({ from }) => from, extent);
  }

  /** These held entries are in `section`, whole; what was replaced since stays replaced. */
  flushed(section: Section, entries: readonly HeldEntry[]): void {
    const written = new Set(entries);
    const kept = this.heldNow.filter((entry) => written.has(entry));
    this.heldNow = this.heldNow.filter((entry) => !written.has(entry));
    let from: number | undefined;
    let to = 0;
    for (const entry of kept) {
      if (from !== undefined && entry.base !== to) {
        this.install({ section, from, to });
        from = undefined;
      }
      from ??= entry.base;
      to = entry.next;
    }
    if (from !== undefined) this.install({ section, from, to });
  }

  /** A run that holds nothing any more is gone. */
  forget(run: number): void {
    if (this.extentsNow.some(({ section }) => section.run === run))
      this.extentsNow = this.extentsNow.filter(({ section }) => section.run !== run);
  }

  private hideExtents(from: number, to: number): void {
    if (!this.extentsNow.some((extent) => extent.from < to && extent.to > from)) return;
    this.extentsNow = this.extentsNow.flatMap((extent): Extent[] => {
      if (extent.from >= to || extent.to <= from) return [extent];
      const below = extent.from < from ? [{ ...extent, to: from }] : [];
      const above = extent.to > to ? [{ ...extent, from: to }] : [];
      return [...below, ...above];
    });
  }
}

/** Index of the last element whose `key` is at most `wanted`, -1 when there is none. Ascending. */
export function floorIndex<T>(sorted: readonly T[], key: (one: T) => number, wanted: number): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (key(sorted[middle] as T) <= wanted) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

function inserted<T>(sorted: readonly T[], key: (one: T) => number, added: T): T[] {
  const at = floorIndex(sorted, key, key(added)) + 1;
  return [...sorted.slice(0, at), added, ...sorted.slice(at)];
}
