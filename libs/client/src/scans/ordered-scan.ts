import { hashOf, slotOf } from '@levee/keyspace';
import type { RangeItem } from '@levee/wire';
import type { ReadRoute } from '../routes/namespace-routes';
import type { ReadNamespace } from '../routes/read-namespace';
import { StoreFailure } from '../store-errors';
import type { RangeQuery, Ranges } from './ranges';

/** Pages asked for at the same time. */
const pagesAtOnce = 8;
const firstPageMin = 16;
/** A page is worth a request only when it may bring some keys. */
const pageBytesMin = 16 * 1024;
/** Of more chunks than this, each is asked for its first key before any is asked for a page. */
const headsFirstAbove = 64;
/** Keys asked for to find one that belongs to the chunk, which may be half of its replica's. */
const headKeys = 4;

/** One chunk's part of an ordered scan. */
class Stream {
  private items: readonly RangeItem[] = [];
  private at = 0;
  /** Its next key, when that is known and its page is not held. */
  private head: Buffer | undefined;
  /** Of the page, which stays in memory as long as one of its keys does. */
  heldBytes = 0;

  constructor(
    readonly route: ReadRoute,
    /** First key not held; `undefined`: the chunk is done after what is held. */
    public nextKey: Buffer | undefined,
  ) {}

  /** Its next key; `undefined`: not known, or the chunk is done. */
  get key(): Buffer | undefined {
    return this.items[this.at]?.key ?? this.head;
  }

  get holdsItem(): boolean {
    return this.at < this.items.length;
  }

  get done(): boolean {
    return !this.holdsItem && this.nextKey === undefined;
  }

  hold(items: readonly RangeItem[], nextKey: Buffer | undefined): void {
    this.items = items;
    this.at = 0;
    this.head = undefined;
    this.heldBytes = 0;
    for (const { key, value } of items) this.heldBytes += key.length + value.length + itemOverheadBytes;
    // Copied: a view of it would keep the page in memory.
    this.nextKey = nextKey && Buffer.from(nextKey);
  }

  /** Remembers no more than where it goes on. */
  letGo(from: Buffer): void {
    this.hold([], from);
    this.head = this.nextKey;
  }

  take(): RangeItem {
    const item = this.items[this.at++] as RangeItem;
    if (!this.holdsItem) this.hold([], this.nextKey);
    return item;
  }
}

const itemOverheadBytes = 200;

/**
 * Keys of a range in byte order over all chunks: pages of every chunk merged by key. When routes change underneath,
 * it goes on after the last key it gave, with the new ones. The consumer's pace is the producer's: nothing is fetched
 * before it is asked for. What is held is bounded whatever the number of chunks and the size of values: pages are
 * smaller the more chunks there are, and when they are too much all the same, those whose keys come last are let go
 * and fetched again when their turn comes. Fails with LVUNAVAILABLE when there are no routes: that is no empty range.
 */
export async function* orderedScan(
  ranges: Ranges,
  namespace: ReadNamespace,
  query: RangeQuery,
  heldBytesMax: number,
): AsyncGenerator<RangeItem, void, undefined> {
  let left = query.limit;
  let { from } = query;
  while (left > 0) {
    const merge = new ChunkMerge(ranges, namespace, { ...query, from, limit: left }, heldBytesMax);
    for (;;) {
      const next = await merge.next();
      if (next === 'done') return;
      if (next === 'moved') break;
      from = Buffer.concat([next.key, zero]);
      left--;
      yield next;
      if (left === 0) return;
    }
  }
}

const zero = Buffer.alloc(1);

/** An ordered scan as long as no route changes. */
export class ChunkMerge {
  private readonly streams: readonly Stream[];
  private readonly pageKeys: number;
  private readonly pageBytes: number;
  private begun = false;
  private given = 0;

  constructor(
    private readonly ranges: Ranges,
    private readonly namespace: ReadNamespace,
    private readonly query: RangeQuery,
    private readonly heldBytesMax: number,
  ) {
    const { table } = namespace;
    if (!table) throw new StoreFailure('LVUNAVAILABLE', namespace.problem ?? 'there are no routes yet');
    const routes = [...new Map(table.all.map((route) => [route.chunkId, route])).values()];
    this.streams = routes.map((route) => new Stream(route, query.from));
    this.pageKeys = Math.max(firstPageMin, Math.ceil((query.limit / routes.length) * 1.5));
    this.pageBytes = Math.max(pageBytesMin, Math.floor(heldBytesMax / routes.length));
  }

  /** The next key; `moved`: a route has changed. */
  async next(): Promise<RangeItem | 'moved' | 'done'> {
    if (!this.begun && !(await this.begin())) return 'moved';
    this.begun = true;
    for (;;) {
      let first: Stream | undefined;
      for (const stream of this.streams) {
        while (stream.key === undefined && !stream.done) if (!(await this.fill(stream))) return 'moved';
        const { key } = stream;
        if (key && (!first || key.compare(first.key as Buffer) < 0)) first = stream;
      }
      if (!first) return 'done';
      if (first.holdsItem) {
        this.given++;
        return first.take();
      }
      if (!(await this.fill(first))) return 'moved';
    }
  }

  private async begin(): Promise<boolean> {
    const headsFirst = this.streams.length > headsFirstAbove;
    for (let at = 0; at < this.streams.length; at += pagesAtOnce) {
      const some = this.streams.slice(at, at + pagesAtOnce);
      const filled = await Promise.all(some.map((stream) => (headsFirst ? this.findHead(stream) : this.fill(stream))));
      if (filled.includes(false)) return false;
    }
    return true;
  }

  /** Its next page; false: its route has changed. */
  private async fill(stream: Stream): Promise<boolean> {
    const from = stream.nextKey ?? this.query.from;
    const limit = Math.min(this.pageKeys, this.query.limit - this.given);
    const query = { ...this.query, from, limit, bytesMax: this.pageBytes };
    const page = await this.ranges.page(this.namespace, stream.route, query);
    if (!page) return false;
    stream.hold(
      page.items.filter((item) => this.belongs(stream.route, item.key)),
      page.nextKey,
    );
    this.letGo(stream);
    return true;
  }

  /** Only its first key. */
  private async findHead(stream: Stream): Promise<boolean> {
    while (stream.key === undefined && stream.nextKey !== undefined) {
      const query = { ...this.query, from: stream.nextKey, limit: headKeys, keysOnly: true };
      const page = await this.ranges.page(this.namespace, stream.route, query);
      if (!page) return false;
      const head = page.items.find((item) => this.belongs(stream.route, item.key));
      if (head) stream.letGo(head.key);
      else stream.hold([], page.nextKey);
    }
    return true;
  }

  get heldBytes(): number {
    return this.streams.reduce((sum, stream) => sum + stream.heldBytes, 0);
  }

  /** Lets go of pages until the rest may be held, the last keys first; never of the one just fetched. */
  private letGo(fetched: Stream): void {
    let { heldBytes } = this;
    while (heldBytes > this.heldBytesMax) {
      let last: Stream | undefined;
      for (const stream of this.streams) {
        if (stream === fetched || stream.heldBytes === 0) continue;
        if (!last || (stream.key as Buffer).compare(last.key as Buffer) > 0) last = stream;
      }
      if (!last) return;
      heldBytes -= last.heldBytes;
      last.letGo(last.key as Buffer);
    }
  }

  /** A replica may hold more slots than its route says, while its chunk is being split. */
  private belongs(route: ReadRoute, key: Buffer): boolean {
    const { hashAlgorithm, partitions } = this.namespace.state;
    const slot = slotOf(hashOf(key, hashAlgorithm), partitions);
    return slot >= route.slotStart && slot < route.slotEnd;
  }
}

/** The first key after all keys with this prefix; empty (= no end) when there is none. */
export function prefixEnd(prefix: Buffer): Buffer {
  let length = prefix.length;
  while (length > 0 && prefix[length - 1] === 0xff) length--;
  if (length === 0) return Buffer.alloc(0);
  const end = Buffer.from(prefix.subarray(0, length));
  end[length - 1] = (end[length - 1] as number) + 1;
  return end;
}
