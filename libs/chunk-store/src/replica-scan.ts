import { Breather, type Pace } from './breather';
import type { KeyState } from './key-state';
import type { Replica } from './replica';
import { dataKey, dataPrefixBytes, dataRange } from './stored-value';
import { upperBound } from './partition-log';

export interface ScanRange {
  /** First key, inclusive. */
  readonly from?: Uint8Array;
  /** First key, exclusive: to go on after the last one of a page. Wins over `from` when larger. */
  readonly after?: Uint8Array;
  /** Last key, exclusive. */
  readonly to?: Uint8Array;
  readonly prefix?: Uint8Array;
  readonly reverse?: boolean;
}

export interface ScanLimits {
  /** Entries of a page; 1..10,000. */
  readonly limit: number;
  /** Bytes of keys and values after which a page ends early (default 1 MiB); one entry always passes. */
  readonly bytesMax?: number;
  /** Database entries looked at, expired ones included, after which a page ends early (default 10,000). */
  readonly visitsMax?: number;
}

interface ScanEntry {
  readonly key: Buffer;
  readonly state: Exclude<KeyState, undefined>;
}

export interface ScanPage {
  readonly entries: readonly ScanEntry[];
  /** Go on after (before, if reversed) this key; `undefined` when the range is exhausted. */
  readonly resumeAt: Buffer | undefined;
}

const scanLimits = { entriesMax: 10_000, bytesMaxDefault: 1 << 20, visitsMaxDefault: 10_000, chunkEntries: 256 };

/** One ordered page of what the replica holds at `nowMs`, from a snapshot of its own. Unreadable keys are listed too. */
export async function scanReplica(
  replica: Replica,
  range: ScanRange,
  limits: ScanLimits,
  nowMs: number,
  pace?: Pace,
): Promise<ScanPage> {
  const breather = pace && new Breather(pace);
  let lookedAtBytes = 0;
  const bytesMax = limits.bytesMax ?? scanLimits.bytesMaxDefault;
  const visitsMax = limits.visitsMax ?? scanLimits.visitsMaxDefault;
  const limit = Math.min(limits.limit, scanLimits.entriesMax);
  const bounds = databaseBounds(range);
  if (bounds === undefined || limit < 1) return { entries: [], resumeAt: undefined };
  const entries: ScanEntry[] = [];
  let bytes = 0;
  let visits = 0;
  const iterator = replica.db.iterator({ ...bounds, reverse: range.reverse ?? false });
  try {
    for (;;) {
      const found = await iterator.nextv(Math.min(scanLimits.chunkEntries, limit - entries.length));
      if (found.length === 0) return { entries, resumeAt: undefined };
      for (const [databaseKey, stored] of found) {
        const key = databaseKey.subarray(dataPrefixBytes);
        const state = replica.interpret(databaseKey, stored, nowMs);
        visits++;
        lookedAtBytes += databaseKey.length + stored.length;
        if (state !== undefined) {
          entries.push({ key, state });
          bytes += key.length + (state.readable ? state.value.length : 0) + 32;
        }
        if (entries.length >= limit || bytes >= bytesMax || visits >= visitsMax) return { entries, resumeAt: key };
      }
      if (breather?.tired(found.length, lookedAtBytes) === true) await breather.breathe();
      lookedAtBytes = 0;
    }
  } finally {
    breather?.tired(0, lookedAtBytes);
    breather?.end();
    await iterator.close();
  }
}

interface Bounds {
  gte?: Buffer;
  gt?: Buffer;
  lt: Buffer;
}

/** Database keys of a range; `undefined` when it is empty. With `reverse`, `after` bounds it from above. */
function databaseBounds(range: ScanRange): Bounds | undefined {
  const lows: { key: Buffer; exclusive: boolean }[] = [{ key: dataRange.gte, exclusive: false }];
  const highs: Buffer[] = [dataRange.lt];
  if (range.from !== undefined) lows.push({ key: dataKey(range.from), exclusive: false });
  if (range.to !== undefined) highs.push(dataKey(range.to));
  if (range.prefix !== undefined) {
    lows.push({ key: dataKey(range.prefix), exclusive: false });
    const end = endOfPrefix(dataKey(range.prefix));
    if (end !== undefined) highs.push(end);
  }
  if (range.after !== undefined) {
    if (range.reverse === true) highs.push(dataKey(range.after));
    else lows.push({ key: dataKey(range.after), exclusive: true });
  }
  const low = lows.reduce((a, b) => {
    const order = Buffer.compare(a.key, b.key);
    return order > 0 || (order === 0 && a.exclusive) ? a : b;
  });
  const lt = highs.reduce((a, b) => (Buffer.compare(a, b) <= 0 ? a : b));
  if (Buffer.compare(low.key, lt) >= 0) return undefined;
  return low.exclusive ? { gt: low.key, lt } : { gte: low.key, lt };
}

/** The first key after all that begin with `prefix`; `undefined` when there is none (all bytes 0xff). */
function endOfPrefix(prefix: Buffer): Buffer | undefined {
  let end = prefix.length;
  while (end > 0 && prefix[end - 1] === 0xff) end--;
  return end === 0 ? undefined : upperBound(prefix.subarray(0, end));
}
