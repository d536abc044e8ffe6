import { asOffset, asPartition, failureCode } from '@levee/kernel';
import type { LogDamage, StoredRecord } from '@levee/log';
import { readHead } from './entry';
import { readStretch } from './entry-reader';
import { embeddedLimits } from './limits';
import { type PartitionLog, placeOf } from './partition-log';
import type { LogStore } from './store/log-store';

/** `[from, to)` was confirmed and cannot be read. */
export interface Damage {
  readonly from: number;
  readonly to: number;
  readonly what: string;
}

/** Where reading can go on after `offset`, which cannot be read: the next whole entry, else the end. */
async function nextReadable(store: LogStore, partition: PartitionLog, offset: number): Promise<number> {
  const cursor = store.entries(placeOf(partition), offset + 1, partition.end);
  try {
    for (let found = await cursor.next(16); found.length > 0; found = await cursor.next(16))
      for (const { base, bytes } of found) {
        const head = readHead(bytes);
        if (typeof head !== 'string' && head.baseOffset === base) return base;
      }
  } finally {
    await cursor.close();
  }
  return partition.end;
}

/** Reads `[from, until)` and tells what of it cannot be read, in order. `seen` gets everything readable. */
export async function damageWithin(
  store: LogStore,
  partition: PartitionLog,
  range: { readonly from: number; readonly until: number },
  options: {
    readonly seen?: (records: readonly StoredRecord[]) => void;
    /** Asked after each stretch, with about its bytes and where it ended: whether to go on. */
    readonly breath?: (bytes: number, reached: number) => boolean;
  } = {},
): Promise<Damage[]> {
  const found: Damage[] = [];
  let position = range.from;
  let chain: number | undefined;
  while (position < range.until) {
    try {
      const bytesMax = embeddedLimits.checkBytes;
      const wants = options.seen === undefined ? ('links' as const) : ('records' as const);
      const asked = { from: position, until: range.until, bytesMax, chain, wants };
      const stretch = await readStretch(store, partition, asked);
      options.seen?.(stretch.records);
      position = stretch.nextOffset;
      chain = stretch.chain;
      if (options.breath?.(stretch.bytes, position) === false) break;
    } catch (error) {
      const damage = await damageOf(store, partition, error);
      if (damage === undefined) throw error;
      found.push(damage);
      position = Math.max(damage.to, position + 1);
      chain = undefined;
    }
  }
  return found;
}

/** The stretch that a RECORD_CORRUPT is about; `undefined` for any other error. */
export async function damageOf(store: LogStore, partition: PartitionLog, error: unknown): Promise<Damage | undefined> {
  if (failureCode(error) !== 'RECORD_CORRUPT') return undefined;
  const { offset, to, why } = (error as { details: { offset: number; to?: number; why: string } }).details;
  return { from: offset, to: to ?? (await nextReadable(store, partition, offset)), what: why };
}

/** Sets what is known of `[from, until)`; neighbours that touch become one stretch. */
export function noteDamage(partition: PartitionLog, range: { from: number; until: number }, found: Damage[]): void {
  const { from, until } = range;
  const others = partition.damage.flatMap((known): Damage[] => {
    const below = known.from < from ? [{ ...known, to: Math.min(known.to, from) }] : [];
    const above = known.to > until ? [{ ...known, from: Math.max(known.from, until) }] : [];
    return [...below, ...above];
  });
  const merged: Damage[] = [];
  for (const damage of [...others, ...found].sort((a, b) => a.from - b.from)) {
    const last = merged.at(-1);
    if (last !== undefined && damage.from <= last.to) merged[merged.length - 1] = join(last, damage);
    else merged.push(damage);
  }
  partition.damage = merged;
}

const join = (a: Damage, b: Damage): Damage => ({ from: a.from, to: Math.max(a.to, b.to), what: a.what });

export function damageFor(partition: PartitionLog): LogDamage[] {
  const topic = partition.topic.stored.name;
  return partition.damage.map(({ from, to, what }) => ({
    topic,
    partition: asPartition(partition.number),
    fromOffset: asOffset(from),
    toOffset: asOffset(to),
    what,
  }));
}
