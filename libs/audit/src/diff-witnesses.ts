import type { FoldedRecord } from './fold-store';

/** An entry of a witness: the last record of a key that it applied. */
export interface WitnessEntry {
  readonly key: Buffer;
  readonly offset: number;
  /** Milliseconds since 1970, 0 = never. */
  readonly expiresAtMs: number;
  /** The record's value as it stood in the log. */
  readonly raw: Buffer;
  /** CRC-32C of `raw`. */
  readonly crc: number;
}

/** One witness of a chunk: what it holds of the partition, by ascending key. */
interface WitnessReading {
  readonly name: string;
  /** It applied everything below. */
  readonly nextOffset: number;
  readonly entries: AsyncIterator<WitnessEntry>;
}

/** What one key needs, or why nothing may be written for it. */
export type Difference =
  | { readonly kind: 'restore'; readonly key: Buffer; readonly entry: WitnessEntry }
  /** It was deleted in what the log lost, and would come back. */
  | { readonly kind: 'delete'; readonly key: Buffer; readonly offset: number }
  | { readonly kind: 'conflict'; readonly key: Buffer; readonly what: string }
  /** The log holds a record from behind the cut: it is newer and stays. */
  | { readonly kind: 'newer'; readonly key: Buffer; readonly offset: number }
  | { readonly kind: 'same'; readonly key: Buffer };

export interface DiffQuestion {
  /** The fold of the log, by ascending key: only keys of the chunk. */
  readonly fold: AsyncIterator<FoldedRecord>;
  /** All of them stand behind the same cut. */
  readonly witnesses: readonly WitnessReading[];
  /** Below it log and witnesses saw the same records; what the log holds from here on was written afterwards. */
  readonly cutOffset: number;
  /** By which expiry is judged: an expired value counts as absent. */
  readonly nowMs: number;
}

/**
 * [safety] Compares the log with the witnesses of one chunk, key by key. It never chooses: not between two values at
 * one offset, not between two witnesses, not between a witness and a record written after the cut (which stays). A key
 * in the log that the witness has not was deleted in the lost stretch, and becomes a deletion again (I5).
 */
export async function* diffWitnesses({ fold, witnesses, cutOffset, nowMs }: DiffQuestion): AsyncGenerator<Difference> {
  const log = new Cursor(fold);
  const ours = witnesses.map(({ name, nextOffset, entries }) => ({ name, nextOffset, cursor: new Cursor(entries) }));
  const cursors: readonly Cursor<{ readonly key: Buffer }>[] = [log, ...ours.map(({ cursor }) => cursor)];
  await Promise.all(cursors.map((cursor) => cursor.next()));
  for (;;) {
    const key = lowest(cursors);
    if (key === undefined) return;
    const record = log.at(key);
    const held = ours.map(({ name, nextOffset, cursor }) => ({ name, nextOffset, entry: cursor.at(key) }));
    yield judge(key, record, held, { cutOffset, nowMs });
    for (const cursor of cursors) if (cursor.at(key) !== undefined) await cursor.next();
  }
}

interface Held {
  readonly name: string;
  readonly nextOffset: number;
  readonly entry: WitnessEntry | undefined;
}

function judge(
  key: Buffer,
  record: FoldedRecord | undefined,
  held: readonly Held[],
  { cutOffset, nowMs }: { readonly cutOffset: number; readonly nowMs: number },
): Difference {
  const lives = (of: { readonly expiresAtMs: number }): boolean => of.expiresAtMs === 0 || of.expiresAtMs > nowMs;
  if (record !== undefined && record.offset >= cutOffset) return { kind: 'newer', key, offset: record.offset };
  const furthest = held.reduce((a, b) => (b.nextOffset > a.nextOffset ? b : a));
  for (const other of held) {
    const what = disagreement(furthest, other, lives);
    if (what !== undefined) return { kind: 'conflict', key, what };
  }
  const entry = furthest.entry !== undefined && lives(furthest.entry) ? furthest.entry : undefined;
  const stands = record !== undefined && !record.tombstone && lives(record) ? record : undefined;
  if (furthest.entry !== undefined && furthest.entry.offset < cutOffset) {
    const what = contradiction(record, furthest, cutOffset, lives);
    return what === undefined ? { kind: 'same', key } : { kind: 'conflict', key, what };
  }
  if (entry !== undefined) return { kind: 'restore', key, entry };
  return stands === undefined ? { kind: 'same', key } : { kind: 'delete', key, offset: stands.offset };
}

type Lives = (of: { readonly expiresAtMs: number }) => boolean;

/** Why two witnesses cannot both be right; the further one may know of later records only. */
function disagreement(furthest: Held, other: Held, lives: Lives): string | undefined {
  if (other === furthest) return undefined;
  const [a, b] = [furthest.entry, other.entry];
  const both = `${other.name} (up to ${other.nextOffset}) and ${furthest.name} (up to ${furthest.nextOffset}) disagree`;
  if (b === undefined) {
    if (a === undefined || a.offset >= other.nextOffset || !lives(a)) return undefined;
    return `${both}: only the second one has a record at offset ${a.offset}`;
  }
  if (a === undefined) {
    if (furthest.nextOffset > other.nextOffset || !lives(b)) return undefined;
    return `${both}: only the first one has a record at offset ${b.offset}`;
  }
  if (a.offset === b.offset) return a.crc === b.crc ? undefined : `${both}: two values at offset ${a.offset}`;
  if (a.offset >= other.nextOffset) return undefined;
  return `${both}: their last records are at offsets ${b.offset} and ${a.offset}`;
}

/** Why the log and a witness cannot both be right about what lies below the cut. */
function contradiction(
  record: FoldedRecord | undefined,
  { name, entry }: Held,
  cutOffset: number,
  lives: Lives,
): string | undefined {
  if (entry === undefined) return undefined;
  if (record === undefined)
    return lives(entry) ? `${name} has a record at offset ${entry.offset}, which the log has not` : undefined;
  if (record.offset !== entry.offset || record.tombstone)
    return `below the cut at ${cutOffset} the log has offset ${record.offset}, ${name} has ${entry.offset}`;
  return record.crc === entry.crc ? undefined : `two values at offset ${entry.offset}: the log's and that of ${name}`;
}

class Cursor<T extends { readonly key: Buffer }> {
  current: T | undefined;

  constructor(private readonly items: AsyncIterator<T>) {}

  async next(): Promise<void> {
    const step = await this.items.next();
    this.current = step.done === true ? undefined : step.value;
  }

  at(key: Buffer): T | undefined {
    return this.current !== undefined && this.current.key.equals(key) ? this.current : undefined;
  }
}

function lowest(cursors: readonly Cursor<{ readonly key: Buffer }>[]): Buffer | undefined {
  let key: Buffer | undefined;
  for (const { current } of cursors)
    if (current !== undefined && (key === undefined || Buffer.compare(current.key, key) < 0)) key = current.key;
  return key;
}
