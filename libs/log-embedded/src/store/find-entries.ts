import type { LogFiles } from './log-files';
import type { EntryCursor, FoundEntry } from './log-store';
import { type Extent, floorIndex, type PartitionEntries } from './partition-entries';
import { type ScannedEntry, type SectionIndexes, SectionScan } from './section-scan';

/** The entries that begin in `[from, until)`, as they are now, from runs and from memory, in order. */
export function findEntries(
  files: LogFiles,
  indexes: SectionIndexes,
  { held, extents }: PartitionEntries,
  from: number,
  until: number,
): EntryCursor {
  const heldCount = held.length;
  let heldAt = floorIndex(held, ({ base }) => base, from - 1) + 1;
  let extentAt = Math.max(
    0,
    floorIndex(extents, (extent) => extent.from, from),
  );
  let scan: SectionScan | undefined;
  let scanned: readonly ScannedEntry[] = [];
  let scannedAt = 0;

  /** The next entry of those that were read of `extent`. */
  const nextScanned = (extent: Extent): ScannedEntry | undefined => {
    for (; scannedAt < scanned.length; scannedAt++) {
      const entry = scanned[scannedAt] as ScannedEntry;
      if (entry.base >= extent.to || entry.base >= until) return undefined;
      if (entry.base >= from && entry.next > extent.from) return entry;
    }
    return undefined;
  };

  /** Reads on in `extent`, or goes on to the one behind it. */
  const readOn = async (extent: Extent): Promise<void> => {
    if (scannedAt < scanned.length) scanned = [];
    else {
      scan ??= new SectionScan(files, extent.section, indexes, Math.max(extent.from, from));
      scanned = await scan.more();
    }
    scannedAt = 0;
    if (scanned.length > 0) return;
    scan = undefined;
    extentAt++;
  };

  return {
    next: async (count) => {
      const found: FoundEntry[] = [];
      while (found.length < count) {
        const entry = heldAt < heldCount ? held[heldAt] : undefined;
        const below = entry === undefined ? until : Math.min(entry.base, until);
        const extent = extents[extentAt];
        const isNext = extent !== undefined && extent.from < below;
        const run = isNext ? nextScanned(extent) : undefined;
        if (isNext && run === undefined) {
          // The only wait: none for each entry.
          await readOn(extent);
          continue;
        }
        if (run !== undefined && run.base < below) {
          scannedAt++;
          found.push(run);
        } else if (entry !== undefined && entry.base < until) {
          heldAt++;
          found.push(entry);
        } else break;
      }
      return found;
    },
    close: () => Promise.resolve(),
  };
}

/** The last entry that begins below `until`. */
export async function findLastBefore(
  files: LogFiles,
  indexes: SectionIndexes,
  { held, extents }: PartitionEntries,
  until: number,
): Promise<FoundEntry | undefined> {
  const entry = held[floorIndex(held, ({ base }) => base, until - 1)];
  for (let at = floorIndex(extents, ({ from }) => from, until - 1); at >= 0; at--) {
    const extent = extents[at] as Extent;
    if (entry !== undefined && entry.base >= extent.from) return entry;
    const offset = Math.min(until, extent.to) - 1;
    const found =
      (await lastIn(new SectionScan(files, extent.section, indexes, offset), extent, until)) ??
      // Where it was remembered to be it is damaged: look at all of the section.
      (await lastIn(new SectionScan(files, extent.section, indexes, -1), extent, until));
    if (found !== undefined) return found;
  }
  return entry;
}

async function lastIn(scan: SectionScan, extent: Extent, until: number): Promise<ScannedEntry | undefined> {
  let last: ScannedEntry | undefined;
  for (;;) {
    const scanned = await scan.more();
    if (scanned.length === 0) return last;
    for (const entry of scanned) {
      if (entry.base >= until || entry.base >= extent.to) return last;
      if (entry.next > extent.from) last = entry;
    }
  }
}
