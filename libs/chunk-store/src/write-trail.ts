/** Bytes of keys that a trail keeps, so that a flood of writes does not fill the memory (I16). */
const trailBytesMax = 8 << 20;
/** What a key takes beside its bytes. */
const entryBytes = 64;

/**
 * The keys written to a replica since the trail began, by partition. With it a digest at a barrier can be had from a
 * snapshot taken later: only these keys may differ between the two. See `Replica.trails`.
 */
export class WriteTrail {
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
    if (this.bytes > trailBytesMax) this.end();
  }

  end(): void {
    this.over = true;
  }
}

const none: ReadonlySet<string> = new Set();

/** The trails that a replica leaves now. */
export class WriteTrails {
  private readonly open = new Set<WriteTrail>();

  get size(): number {
    return this.open.size;
  }

  /** Of what is written from now on, to be called between two writes. */
  begin(): WriteTrail {
    const trail = new WriteTrail();
    this.open.add(trail);
    return trail;
  }

  forget(trail: WriteTrail): void {
    this.open.delete(trail);
  }

  note(partition: number, key: Buffer): void {
    for (const trail of this.open) trail.note(partition, key);
  }

  /** Something is written that is not noted. */
  end(): void {
    for (const trail of this.open) trail.end();
  }
}
