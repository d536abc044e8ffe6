import { failureCode } from '@levee/kernel';
import { systemClock } from '@levee/log';
import type { Pace } from './breather';
import { checkFiles, type FilesChecked, type FilesToCheck } from './leveldb-files/check-files';
import type { ReaderThread } from './snapshot/reader-thread';

/** Checks the files of a database, in a thread or here. Throws REPLICA_DAMAGED. */
export type FileChecker = (location: string, what: PacedCheck) => Promise<FilesChecked>;

/** Without a pace: as fast as can be. */
export type PacedCheck = FilesToCheck & { readonly pace?: Pace; readonly signal?: AbortSignal };

export const checkHere: FileChecker = (location, { pace, signal, ...what }) =>
  checkFiles(location, what, pace ?? systemClock, signal);

/** In the reader thread; here when there is none to be had. What waits to be served is checked at full speed. */
export function checkIn(thread: ReaderThread | undefined): FileChecker {
  if (thread === undefined) return checkHere;
  return async (location, all) => {
    const { pace, signal, ...what } = all;
    try {
      return await thread.check(location, what, async (bytes) => pace?.giveWay?.(bytes), signal);
    } catch (error) {
      if (failureCode(error) !== 'READER_GONE') throw error;
      return checkHere(location, all);
    }
  };
}

/** A look at an open unit: which tables need none, and how many are looked at in one go. */
export interface UnitScrub {
  /** Tables looked at since (monotonic ms) need no look now; new ones always do. */
  readonly sinceMs: number;
  readonly tablesMax: number;
  readonly pace: Pace;
}

/** How far the check of a unit is that waits to be opened. */
export interface CheckProgress {
  readonly bytes: number;
  readonly bytesTotal: number;
}

/** Counts what a check has read; it gives way to everything else after each slice. */
export class CountingPace implements Pace {
  bytes = 0;

  monotonicMs(): number {
    return systemClock.monotonicMs();
  }

  async giveWay(bytes: number): Promise<void> {
    this.bytes += bytes;
    await new Promise<void>((resolve) => setImmediate(resolve));
  }
}

/** How long before the opening of a unit its check may have begun. */
export const checkedAheadMsMax = 60_000;

/** Checks of closed units that were begun before anybody asked for them. Each is good for the next opening alone. */
export class ChecksAhead {
  private readonly byPlace = new Map<string, { readonly check: Promise<FilesChecked>; readonly atMs: number }>();

  begun(place: string, check: Promise<FilesChecked>, nowMs: number): void {
    // Whoever opens the unit hears of it.
    check.catch(() => undefined);
    this.byPlace.set(place, { check, atMs: nowMs });
  }

  /** `undefined` too for one that was begun long ago: bytes may have changed since. */
  take(place: string, nowMs: number): Promise<FilesChecked> | undefined {
    const found = this.byPlace.get(place);
    this.byPlace.delete(place);
    return found !== undefined && nowMs - found.atMs <= checkedAheadMsMax ? found.check : undefined;
  }

  delete(place: string): void {
    this.byPlace.delete(place);
  }

  clear(): void {
    this.byPlace.clear();
  }
}

/** When each file of a unit that is open was last proven to be what was written. */
export class UnitChecks {
  private readonly tables = new Map<number, number>();
  /** Of CURRENT, manifest and write-ahead files. */
  private restMs: number;

  constructor(atOpen: FilesChecked | undefined, nowMs: number) {
    for (const number of atOpen?.checked ?? []) this.tables.set(number, nowMs);
    this.restMs = nowMs;
  }

  /** Monotonic ms: nothing of the unit was looked at before. */
  get oldestMs(): number {
    let oldest = this.restMs;
    for (const atMs of this.tables.values()) if (atMs < oldest) oldest = atMs;
    return oldest;
  }

  what({ sinceMs, tablesMax, pace }: UnitScrub): PacedCheck {
    const skip = [...this.tables].filter(([, atMs]) => atMs >= sinceMs).map(([number]) => number);
    return { state: 'open', skip, tablesMax, logs: this.restMs < sinceMs, pace };
  }

  note({ checked, live }: FilesChecked, what: FilesToCheck, nowMs: number): void {
    for (const number of checked) this.tables.set(number, nowMs);
    const known = new Set(live);
    for (const number of this.tables.keys()) if (!known.has(number)) this.tables.delete(number);
    if (what.logs !== false) this.restMs = nowMs;
  }
}
