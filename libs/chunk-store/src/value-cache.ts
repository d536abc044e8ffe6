import type { LiveValue } from './key-state';

/**
 * Memory for hot values, shared by the caches of all replicas of a node. Ages in generations: once half of it was
 * filled anew, every cache lets go of what was not asked for since the last time. Cheaper than exact LRU: one map
 * lookup per hit, nothing per eviction.
 */
export class ValueBudget {
  private addedBytes = 0;
  /** Added in the generation before, of which the caches keep what was asked for since. */
  private olderBytes = 0;
  private age = 0;
  private joined = 0;
  private readonly caches = new Map<number, WeakRef<ValueCache>>();

  constructor(readonly bytesMax: number) {}

  /** What the caches hold, at most. */
  get usedBytes(): number {
    return this.olderBytes + this.addedBytes;
  }

  get generation(): number {
    return this.age;
  }

  /** To be called before the value is kept: it may belong to the next generation. */
  add(bytes: number): void {
    this.addedBytes += bytes;
    if (this.addedBytes * 2 <= this.bytesMax) return;
    this.olderBytes = this.addedBytes - bytes;
    this.addedBytes = bytes;
    this.age++;
    // Those too of which nothing is asked any more; replicas that are gone took theirs with them.
    for (const [at, held] of this.caches) {
      const cache = held.deref();
      if (cache === undefined) this.caches.delete(at);
      else cache.turnIfOld();
    }
  }

  join(cache: ValueCache): void {
    this.caches.set(++this.joined, new WeakRef(cache));
  }
}

/** Larger values are read from the disk each time. */
const cachedValueBytesMax = 64 * 1024;
/** What a map entry, its key and its objects cost beside the value. */
const entryBytes = 280;

/** Values of one replica, verified when they were read from the disk. Whoever writes a key must `delete` it. */
export class ValueCache {
  private young = new Map<string, LiveValue>();
  private old = new Map<string, LiveValue>();
  private generation: number;
  readonly counts = { hits: 0, misses: 0 };

  constructor(private readonly budget: ValueBudget) {
    this.generation = budget.generation;
    budget.join(this);
  }

  get size(): number {
    return this.young.size + this.old.size;
  }

  /** `name` is the key as latin1 text. */
  get(name: string): LiveValue | undefined {
    this.turnIfOld();
    const found = this.young.get(name);
    if (found !== undefined) {
      this.counts.hits++;
      return found;
    }
    const older = this.old.get(name);
    if (older === undefined) {
      this.counts.misses++;
      return undefined;
    }
    this.counts.hits++;
    this.old.delete(name);
    this.keep(name, older);
    return older;
  }

  set(name: string, value: LiveValue): void {
    if (value.value.length <= cachedValueBytesMax) this.keep(name, value);
  }

  delete(name: string): void {
    this.young.delete(name);
    this.old.delete(name);
  }

  private keep(name: string, value: LiveValue): void {
    this.budget.add(name.length + value.value.length + entryBytes);
    this.turnIfOld();
    this.young.set(name, value);
  }

  /** Lets go of what is too old by now. */
  turnIfOld(): void {
    if (this.generation !== this.budget.generation) this.turn();
  }

  private turn(): void {
    this.old = this.budget.generation - this.generation > 1 ? new Map() : this.young;
    this.young = new Map();
    this.generation = this.budget.generation;
  }
}
