import fc from 'fast-check';
import { hashOf, slotOf } from '@levee/keyspace';
import type { RangeItem, RangeReply } from '@levee/wire';
import type { PortalRoute } from '../routes/namespace-routes';
import type { NamespaceStore } from '../routes/namespace-store';
import { StoreFailure } from '../store-errors';
import { ChunkMerge, orderedScan } from './ordered-scan';
import type { RangeQuery, Ranges } from './ranges';

const slots = 1_000_000;
const none = Buffer.alloc(0);

/** Chunks of equal size with keys in them; pages as nodes give them: at least one key, then as many as fit. */
class ChunkedKeys {
  readonly routes: PortalRoute[];
  private readonly keysOf = new Map<string, Buffer[]>();
  deliveredBytes = 0;
  pages = 0;
  moving: string | undefined;

  constructor(
    chunks: number,
    keys: readonly string[],
    private readonly valueBytes: (key: string) => number = () => 10,
  ) {
    this.routes = Array.from({ length: chunks }, (_, i) => ({
      chunkId: `ns#1/c${i}`,
      slotStart: Math.ceil((i * slots) / chunks),
      slotEnd: Math.ceil(((i + 1) * slots) / chunks),
    })) as PortalRoute[];
    for (const key of keys.map((text) => Buffer.from(text)).sort(Buffer.compare)) {
      const slot = slotOf(hashOf(key, 'murmur2'), 1);
      const route = this.routes.find(({ slotEnd }) => slot < slotEnd) as PortalRoute;
      const known = this.keysOf.get(route.chunkId);
      if (known) known.push(key);
      else this.keysOf.set(route.chunkId, [key]);
    }
  }

  get namespace(): NamespaceStore {
    return {
      table: { all: this.routes },
      state: { hashAlgorithm: 'murmur2', partitions: 1 },
    } as unknown as NamespaceStore;
  }

  readonly ranges = {
    page: (_namespace: unknown, route: PortalRoute, query: RangeQuery): Promise<RangeReply | undefined> => {
      this.pages++;
      if (this.moving === route.chunkId) {
        this.moving = undefined;
        return Promise.resolve(undefined);
      }
      const keys = (this.keysOf.get(route.chunkId) ?? []).filter(
        (key) => key.compare(query.from) >= 0 && (query.to.length === 0 || key.compare(query.to) < 0),
      );
      const items: RangeItem[] = [];
      let bytes = 0;
      for (const key of keys.slice(0, query.limit)) {
        const value = query.keysOnly ? none : Buffer.alloc(this.valueBytes(key.toString()), key);
        if (items.length > 0 && bytes + value.length > (query.bytesMax ?? Infinity)) break;
        bytes += value.length;
        items.push({ key, offset: 1, expiresAtMs: null, value });
      }
      this.deliveredBytes += bytes;
      const nextKey = keys[items.length];
      return Promise.resolve({ ageMs: 0, tableVersion: 1, items, positions: [], nextKey });
    },
  } as unknown as Ranges;
}

const query = (but: Partial<RangeQuery> = {}): RangeQuery => ({
  ...{ from: none, to: none, limit: 1_000_000, keysOnly: false, session: undefined },
  ...but,
});

async function scanned(data: ChunkedKeys, but: Partial<RangeQuery> = {}, heldBytesMax = 1 << 24): Promise<RangeItem[]> {
  const items: RangeItem[] = [];
  for await (const item of orderedScan(data.ranges, data.namespace, query(but), heldBytesMax)) items.push(item);
  return items;
}

const names = (count: number): string[] => Array.from({ length: count }, (_, i) => `key-${String(i).padStart(6, '0')}`);
const textOf = (items: readonly RangeItem[]): string[] => items.map(({ key }) => key.toString());

describe('an ordered scan', () => {
  it('I19: without routes is no empty range: it fails, saying why there are none', async () => {
    for (const problem of [undefined, 'slot 7 has no chunk']) {
      const namespace = { table: undefined, problem } as unknown as NamespaceStore;
      const first = orderedScan({} as Ranges, namespace, query(), 1 << 24).next();
      const failure = await first.then(
        () => undefined,
        (error: unknown) => error as StoreFailure,
      );
      expect(failure?.text).toBe(`LVUNAVAILABLE ${problem ?? 'there are no routes yet'}`);
    }
  });

  it('gives every key once and in order, whatever fits into memory, and over moves', async () => {
    const key = fc.string({ unit: 'binary-ascii', minLength: 1, maxLength: 3 });
    await fc.assert(
      fc.asyncProperty(
        fc.uniqueArray(key, { maxLength: 120 }),
        fc.constantFrom(1, 3, 70, 130),
        fc.constantFrom(1, 5_000, 100_000),
        fc.constantFrom(1, 20_000),
        fc.integer({ min: 1, max: 150 }),
        fc.nat(200),
        async (keys, chunks, heldBytesMax, valueBytes, limit, moveAfter) => {
          const data = new ChunkedKeys(chunks, keys, () => valueBytes);
          const items: RangeItem[] = [];
          for await (const item of orderedScan(data.ranges, data.namespace, query({ limit }), heldBytesMax)) {
            if (items.push(item) === moveAfter) data.moving = data.routes[moveAfter % chunks]?.chunkId;
          }
          const expected = keys.map((text) => Buffer.from(text)).sort(Buffer.compare);
          expect(textOf(items)).toEqual(expected.slice(0, limit).map(String));
          for (const { key: of, value } of items) expect(value.equals(Buffer.alloc(valueBytes, of))).toBe(true);
        },
      ),
      { numRuns: 60 },
    );
  }, 60_000);

  it('holds a bounded part of a thousand chunks with large values, and begins without reading a page of each', async () => {
    const heldBytesMax = 1 << 20;
    const valueBytes = 64 << 10;
    const keys = names(3_000);
    const data = new ChunkedKeys(1_000, keys, () => valueBytes);
    const merge = new ChunkMerge(data.ranges, data.namespace, query(), heldBytesMax);
    expect(await merge.next()).toMatchObject({ key: Buffer.from('key-000000') });
    expect(data.deliveredBytes).toBeLessThan(2 * valueBytes);
    let most = 0;
    let count = 1;
    for (let next = await merge.next(); next !== 'done'; next = await merge.next()) {
      expect(next).toMatchObject({ key: Buffer.from(keys[count] as string) });
      most = Math.max(most, merge.heldBytes);
      count++;
    }
    expect(count).toBe(3_000);
    expect(most).toBeGreaterThan(heldBytesMax / 2);
    expect(most).toBeLessThanOrEqual(heldBytesMax + valueBytes);
    // Letting go costs reading again, but not over and over: every key is its stream's next one once.
    expect(data.deliveredBytes).toBeLessThan(3_000 * valueBytes * 2.5);
  }, 60_000);

  it('asks for smaller pages the more chunks there are, so that small values are read once', async () => {
    const data = new ChunkedKeys(200, names(20_000), () => 100);
    expect(textOf(await scanned(data))).toEqual(names(20_000));
    expect(data.deliveredBytes).toBeLessThan(20_000 * 100 * 1.2);
    expect(data.pages).toBeLessThan(1_500);
  }, 60_000);
});
