/**
 * Maps and sets in layers: a draft writes into its own layer and reads through to the state below, so that trying a
 * decision costs what it changes, not what exists.
 */
export class LayeredMap<Value> {
  private readonly own = new Map<string, Value | undefined>();
  private entries = 0;

  constructor(private readonly below?: LayeredMap<Value>) {
    this.entries = below?.size ?? 0;
  }

  get size(): number {
    return this.entries;
  }

  get(key: string): Value | undefined {
    const value = this.own.get(key);
    if (value !== undefined || this.below === undefined || this.own.has(key)) return value;
    return this.below.get(key);
  }

  set(key: string, value: Value): void {
    const { size } = this.own;
    if (this.below !== undefined) {
      if (this.get(key) === undefined) this.entries++;
      this.own.set(key, value);
    } else if (this.own.set(key, value).size > size) this.entries++;
  }

  delete(key: string): void {
    if (this.get(key) === undefined) return;
    this.entries--;
    if (this.below === undefined) this.own.delete(key);
    else this.own.set(key, undefined);
  }

  /** True when this layer, not the one below, says what `key` is. */
  overrides(key: string): boolean {
    return this.own.has(key);
  }

  /** Those below first, in the order of their first insertion. */
  *values(): Iterable<Value> {
    if (this.below !== undefined) for (const [key, value] of this.below.pairs()) if (!this.own.has(key)) yield value;
    for (const value of this.own.values()) if (value !== undefined) yield value;
  }

  private *pairs(): Iterable<[string, Value]> {
    if (this.below !== undefined) for (const pair of this.below.pairs()) if (!this.own.has(pair[0])) yield pair;
    for (const [key, value] of this.own) if (value !== undefined) yield [key, value];
  }
}

/** Sets of ids by group, in layers. */
export class LayeredGroups {
  private readonly added = new Map<string, Set<string>>();
  private readonly removed = new Map<string, Set<string>>();

  constructor(private readonly below?: LayeredGroups) {}

  has(group: string, id: string): boolean {
    if (this.added.get(group)?.has(id) === true) return true;
    return this.below?.has(group, id) === true && this.removed.get(group)?.has(id) !== true;
  }

  add(group: string, id: string): void {
    if (this.has(group, id)) return;
    if (this.removed.get(group)?.delete(id) !== true) setOf(this.added, group).add(id);
  }

  remove(group: string, id: string): void {
    if (!this.has(group, id)) return;
    const added = this.added.get(group);
    if (added?.delete(id) !== true) setOf(this.removed, group).add(id);
    else if (added.size === 0) this.added.delete(group);
  }

  count(group: string): number {
    return (this.below?.count(group) ?? 0) + (this.added.get(group)?.size ?? 0) - (this.removed.get(group)?.size ?? 0);
  }

  *members(group: string): Iterable<string> {
    const removed = this.removed.get(group);
    if (this.below !== undefined) for (const id of this.below.members(group)) if (removed?.has(id) !== true) yield id;
    yield* this.added.get(group) ?? [];
  }
}

function setOf(sets: Map<string, Set<string>>, group: string): Set<string> {
  let set = sets.get(group);
  if (set === undefined) sets.set(group, (set = new Set()));
  return set;
}
