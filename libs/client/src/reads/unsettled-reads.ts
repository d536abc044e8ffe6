import type { Append, PointRead } from '../operations';

/** Of so many reads each is looked at; of more an index is made. */
const looksMax = 32;

/**
 * Reads of one connection that are not settled, in the order in which they came. One that is settled is forgotten at
 * once: its key and its reply are views of buffers that may be large, and a connection may stay for days.
 */
export class UnsettledReads {
  private newest: PointRead | undefined;
  private first: PointRead | undefined;
  private count = 0;
  /** Newest read by hash, once a write had to look at many; kept until no read is left. */
  private byHash: Map<number, PointRead> | undefined;

  get size(): number {
    return this.count;
  }

  /** `read.hash` must be known before the next `newestOf`. */
  add(read: PointRead): void {
    read.unsettledIn = this;
    read.older = this.newest;
    if (this.newest) this.newest.newer = read;
    else this.first = read;
    this.newest = read;
    this.count++;
    if (this.byHash) this.index(read);
  }

  remove(read: PointRead): void {
    const { older, newer } = read;
    if (newer) newer.older = older;
    else this.newest = older;
    if (older) older.newer = newer;
    else this.first = newer;
    read.older = undefined;
    read.newer = undefined;
    read.unsettledIn = undefined;
    if (--this.count === 0) this.byHash = undefined;
    if (this.byHash?.get(read.hash) === read) {
      const same = unsettledBehind(read);
      if (same) this.byHash.set(read.hash, same);
      else this.byHash.delete(read.hash);
    }
  }

  *all(): Generator<PointRead> {
    for (let read = this.first; read; read = read.newer) yield read;
  }

  /** The last read of the key that the write is for. */
  newestOf({ key, hash }: Append): PointRead | undefined {
    if (this.count > looksMax && !this.byHash) {
      this.byHash = new Map();
      for (let read = this.first; read; read = read.newer) this.index(read);
    }
    if (this.byHash) {
      let read = this.byHash.get(hash);
      while (read && (read.settled || !read.key.equals(key))) read = read.olderOfHash;
      return read;
    }
    let read = this.newest;
    while (read && (read.hash !== hash || !read.key.equals(key))) read = read.older;
    return read;
  }

  private index(read: PointRead): void {
    const { byHash } = this;
    const before = byHash?.get(read.hash);
    // What is settled must not stay in memory behind one that follows another again and again.
    if (before) before.olderOfHash = unsettledBehind(before);
    read.olderOfHash = before;
    byHash?.set(read.hash, read);
  }
}

function unsettledBehind(read: PointRead): PointRead | undefined {
  let older = read.olderOfHash;
  while (older?.settled) older = older.olderOfHash;
  return older;
}
