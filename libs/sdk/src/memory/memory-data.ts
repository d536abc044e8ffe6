import { hashOf, partitionOf, slotOf } from '@levee/keyspace';
import type { RawChange, RawEntry } from '../client/reach';

/** As of a namespace that nobody said otherwise of. */
export const memoryPartitions = 4;

interface StoredKey extends RawEntry {
  readonly key: Buffer;
}

/** The keys of one namespace, with the positions that a log would give them. */
export class MemoryData {
  private readonly keys = new Map<string, StoredKey>();
  private readonly nextOffsets = new Array<number>(memoryPartitions).fill(0);
  /** Every write since the beginning, in their order. */
  readonly changes: RawChange[] = [];
  private readonly listeners = new Set<() => void>();
  private forgotten = false;
  /** In byte order; undefined: a key came or went since it was made. */
  private ordered: StoredKey[] | undefined;

  /** `creation`: no two of one name have the same. */
  constructor(readonly creation: number) {}

  /** There is another one under its name; watches of it end. */
  get isForgotten(): boolean {
    return this.forgotten;
  }

  forget(): void {
    this.forgotten = true;
    for (const told of this.listeners) told();
  }

  get(key: Buffer, nowMs: number): RawEntry | undefined {
    const found = this.keys.get(key.toString('latin1'));
    return found && isLive(found, nowMs) ? found : undefined;
  }

  /** Sets or deletes the key; the position behind it. */
  write(
    key: Buffer,
    value: Buffer | undefined,
    { expiresAtMs, nowMs }: { readonly expiresAtMs: number; readonly nowMs: number },
  ): string {
    const { partition } = placeOf(key);
    const nextOffset = (this.nextOffsets[partition] as number) + 1;
    this.nextOffsets[partition] = nextOffset;
    const position = `${partition}:${nextOffset}`;
    const name = key.toString('latin1');
    // Bytes stay the caller's, who may change them.
    const kept = { key: Buffer.from(key), value: value ? Buffer.from(value) : null, expiresAtMs };
    if (kept.value) this.keys.set(name, { ...kept, value: kept.value, position });
    else this.keys.delete(name);
    this.ordered = undefined;
    this.changes.push({ ...kept, partition, nextOffset, timestampMs: nowMs, error: undefined });
    for (const told of this.listeners) told();
    return position;
  }

  /** Next offset by partition. */
  ends(): Map<number, number> {
    return new Map(this.nextOffsets.entries());
  }

  /** Calls `told` at each write, until what it gives is called. */
  onChange(told: () => void): () => void {
    this.listeners.add(told);
    return () => this.listeners.delete(told);
  }

  /** At most `count` live entries of `[from, to)`, and whether there are more; an empty `to` is no end. */
  page(from: Buffer, to: Buffer, { count, nowMs }: { readonly count: number; readonly nowMs: number }) {
    this.ordered ??= [...this.keys.values()].sort((a, b) => a.key.compare(b.key));
    const entries: StoredKey[] = [];
    for (const stored of this.ordered) {
      if (stored.key.compare(from) < 0 || !isLive(stored, nowMs)) continue;
      if (to.length > 0 && stored.key.compare(to) >= 0) break;
      if (entries.length === count) return { entries, next: stored.key };
      entries.push(stored);
    }
    return { entries, next: undefined };
  }

  count(nowMs: number): number {
    let live = 0;
    for (const stored of this.keys.values()) if (isLive(stored, nowMs)) live++;
    return live;
  }
}

export function placeOf(key: Buffer) {
  const hash = hashOf(key, 'murmur2');
  return { partition: partitionOf(hash, memoryPartitions), slot: slotOf(hash, memoryPartitions) };
}

const isLive = ({ expiresAtMs }: StoredKey, nowMs: number): boolean => expiresAtMs === 0 || expiresAtMs > nowMs;
