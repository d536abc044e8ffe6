import type { Offset } from '@levee/kernel';
import type { LiveValue } from './key-state';

/** Larger values are read from the disk each time. */
const cachedValueBytesMax = 64 * 1024;
/** What a value in memory costs beside its key and its bytes: its object, two texts, its places in a map and a ring. */
const entryBytes = 200;
/** To make room, so many values are passed over at most because they were asked for: nobody waits long for that. */
const sparedMax = 64;

/**
 * Memory for hot values, shared by the caches of all replicas of a node. When it is full a hand goes round the values and
 * takes those out that were not asked for since it came by last (known as CLOCK): nearly as good as exact LRU, and a
 * hit costs one map lookup and a flag.
 */
export class ValueBudget {
  private readonly ring: (HotValue | undefined)[] = [];
  private readonly freePlaces: number[] = [];
  private hand = 0;
  private used = 0;

  constructor(readonly bytesMax: number) {}

  /** What the caches hold. */
  get usedBytes(): number {
    return this.used;
  }

  /** Makes room first. False: it is larger than all the room there is. */
  add(value: HotValue): boolean {
    if (value.bytes > this.bytesMax) return false;
    while (this.used + value.bytes > this.bytesMax) this.takeOut().leave();
    this.used += value.bytes;
    value.place = this.freePlaces.pop() ?? this.ring.length;
    this.ring[value.place] = value;
    return true;
  }

  remove({ place, bytes }: HotValue): void {
    this.ring[place] = undefined;
    this.freePlaces.push(place);
    this.used -= bytes;
  }

  /** The next that nobody asks for; there is one at least. */
  private takeOut(): HotValue {
    for (let spared = 0; ;) {
      const value = this.ring[this.hand];
      this.hand = (this.hand + 1) % this.ring.length;
      if (value === undefined) continue;
      if (!value.asked || spared++ === sparedMax) return value;
      value.asked = false;
    }
  }
}

/** Values of one replica, verified when they were read from the disk. Whoever writes a key must `delete` it. */
export class ValueCache {
  private readonly values = new Map<string, HotValue>();
  readonly counts = { hits: 0, misses: 0 };

  constructor(private readonly budget: ValueBudget) {}

  get size(): number {
    return this.values.size;
  }

  /** `name` is the key as latin1 text. */
  get(name: string): LiveValue | undefined {
    const found = this.values.get(name);
    if (found === undefined) {
      this.counts.misses++;
      return undefined;
    }
    this.counts.hits++;
    found.asked = true;
    return found;
  }

  /** It is not held yet. */
  set(name: string, value: LiveValue): void {
    if (value.value.length > cachedValueBytesMax) return;
    const hot = new HotValue(this.values, this.budget, name, value);
    if (this.budget.add(hot)) this.values.set(name, hot);
  }

  delete(name: string): void {
    this.values.get(name)?.leave();
  }

  /** For good: others have the room at once. */
  clear(): void {
    for (const value of this.values.values()) value.leave();
  }
}

/**
 * One value, its bytes as text of one byte a character: beside a Buffer of its own it takes half as much, and collections
 * of the heap have one part to look at, not four.
 */
class HotValue implements LiveValue {
  readonly offset: Offset;
  readonly expiresAtMs: number;
  /** Since the hand came by last. */
  asked = false;
  place = 0;
  private readonly text: string;

  constructor(
    private readonly among: Map<string, HotValue>,
    private readonly budget: ValueBudget,
    private readonly name: string,
    { offset, expiresAtMs, value }: LiveValue,
  ) {
    this.offset = offset;
    this.expiresAtMs = expiresAtMs;
    this.text = value.toString('latin1');
  }

  get readable(): true {
    return true;
  }

  get value(): Buffer {
    return Buffer.from(this.text, 'latin1');
  }

  get bytes(): number {
    return this.name.length + this.text.length + entryBytes;
  }

  leave(): void {
    this.among.delete(this.name);
    this.budget.remove(this);
  }
}
