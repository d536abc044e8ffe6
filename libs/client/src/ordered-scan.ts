import { hashOf, slotOf } from '@levee/keyspace';
import type { RangeItem } from '@levee/wire';
import type { PortalRoute } from './namespace-routes';
import type { NamespaceStore } from './namespace-store';
import type { RangeQuery, Ranges } from './ranges';

/** One chunk's part of an ordered scan. */
interface Stream {
  readonly route: PortalRoute;
  items: readonly RangeItem[];
  at: number;
  /** `undefined`: the chunk is done after `items`. */
  nextKey: Buffer | undefined;
}

/** Pages asked for at the same time. */
const pagesAtOnce = 8;
const firstPageMin = 16;

/**
 * Keys of a range in byte order over all chunks: pages of every chunk merged by key. When routes change underneath,
 * it goes on after the last key it gave, with the new ones. The consumer's pace is the producer's: nothing is fetched
 * before it is asked for.
 */
export async function* orderedScan(
  ranges: Ranges,
  namespace: NamespaceStore,
  query: RangeQuery,
): AsyncGenerator<RangeItem, void, undefined> {
  let left = query.limit;
  let { from } = query;
  while (left > 0) {
    const table = namespace.table;
    if (!table) return;
    const routes = [...new Map(table.all.map((route) => [route.chunkId, route])).values()];
    const pageKeys = Math.max(firstPageMin, Math.ceil((left / routes.length) * 1.5));
    const streams: Stream[] = routes.map((route) => ({ route, items: [], at: 0, nextKey: from }));
    const fill = async (stream: Stream): Promise<boolean> => {
      const start = stream.nextKey ?? from;
      const limit = Math.min(pageKeys, left);
      const page = await ranges.page(namespace, stream.route, { ...query, from: start, limit });
      if (!page) return false;
      stream.items = page.items.filter((item) => belongs(namespace, stream.route, item.key));
      stream.at = 0;
      stream.nextKey = page.nextKey;
      return true;
    };
    let routesHold = await fillAll(streams, fill);
    while (routesHold && left > 0) {
      const stream = await smallest(streams, fill);
      if (stream === 'moved') routesHold = false;
      else if (stream === 'done') return;
      else {
        const item = stream.items[stream.at++] as RangeItem;
        from = Buffer.concat([item.key, zero]);
        left--;
        yield item;
      }
    }
  }
}

const zero = Buffer.alloc(1);

async function fillAll(streams: readonly Stream[], fill: (stream: Stream) => Promise<boolean>): Promise<boolean> {
  for (let at = 0; at < streams.length; at += pagesAtOnce) {
    const filled = await Promise.all(streams.slice(at, at + pagesAtOnce).map(fill));
    if (filled.includes(false)) return false;
  }
  return true;
}

/** The stream with the smallest next key; fetches pages until each stream has one or is done. */
async function smallest(
  streams: readonly Stream[],
  fill: (stream: Stream) => Promise<boolean>,
): Promise<Stream | 'moved' | 'done'> {
  let best: Stream | undefined;
  for (const stream of streams) {
    while (stream.at >= stream.items.length && stream.nextKey !== undefined) if (!(await fill(stream))) return 'moved';
    const key = stream.items[stream.at]?.key;
    if (key && (!best || key.compare((best.items[best.at] as RangeItem).key) < 0)) best = stream;
  }
  return best ?? 'done';
}

/** A replica may hold more slots than its route says, while its chunk is being split. */
function belongs(namespace: NamespaceStore, route: PortalRoute, key: Buffer): boolean {
  const { hashAlgorithm, partitions } = namespace.state;
  const slot = slotOf(hashOf(key, hashAlgorithm), partitions);
  return slot >= route.slotStart && slot < route.slotEnd;
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
