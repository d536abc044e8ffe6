/** Bytes of keys that are remembered, so that a flood of writes does not fill the memory (I16). */
const dirtyBytesMax = 8 << 20;
/** What a key takes beside its bytes. */
const entryBytes = 64;

/**
 * The keys written to a replica since a moment, by partition. With them a digest at a barrier can be had from a snapshot
 * taken later: only these keys may differ between the two. See `Replica.dirtyKeys`.
 */
export class DirtyKeys {
  private readonly keys = new Map<number, Set<string>>();
  private bytes = 0;
  private over = false;

  /** False from the first write on that is not in it; what is there, is right for every snapshot taken before. */
  get goesOn(): boolean {
    return !this.over;
  }

  /** Keys of the partition, as latin1. */
  of(partition: number): ReadonlySet<string> {
    return this.keys.get(partition) ?? none;
  }

  note(partition: number, key: Buffer): void {
    if (this.over) return;
    let known = this.keys.get(partition);
    if (known === undefined) this.keys.set(partition, (known = new Set()));
    const before = known.size;
    known.add(key.toString('latin1'));
    if (known.size === before) return;
    this.bytes += key.length + entryBytes;
    if (this.bytes > dirtyBytesMax) this.end();
  }

  end(): void {
    this.over = true;
  }
}

const none: ReadonlySet<string> = new Set();

/** Everybody who wants to know which keys of a replica are written, each since a moment of its own. */
export class DirtyKeyTracking {
  private readonly open = new Set<DirtyKeys>();

  get size(): number {
    return this.open.size;
  }

  /** Of what is written from now on, to be called between two writes. */
  begin(): DirtyKeys {
    const dirty = new DirtyKeys();
    this.open.add(dirty);
    return dirty;
  }

  forget(dirty: DirtyKeys): void {
    this.open.delete(dirty);
  }

  note(partition: number, key: Buffer): void {
    for (const dirty of this.open) dirty.note(partition, key);
  }

  /** Something is written that is not noted. */
  end(): void {
    for (const dirty of this.open) dirty.end();
  }
}
