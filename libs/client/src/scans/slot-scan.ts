import { asPartition, type Offset, type Partition } from '@levee/kernel';
import { hashOf, partitionsOf, slotOf, slotsTotal } from '@levee/keyspace';
import type { RangeItem } from '@levee/wire';
import type { PortalRoute } from '../routes/namespace-routes';
import type { NamespaceStore } from '../routes/namespace-store';
import { StoreFailure } from '../store-errors';
import type { RangeQuery, Ranges } from './ranges';

/** Slots still to be scanned, and from which key on. */
interface SlotSpan {
  readonly slotStart: number;
  readonly slotEnd: number;
  readonly from: Buffer;
}

/** Where an unordered scan stands: in slots, not in chunks, so that it survives moves and splits. */
export interface SlotScanState {
  readonly spans: readonly SlotSpan[];
}

export const wholeScan: SlotScanState = { spans: [{ slotStart: 0, slotEnd: slotsTotal, from: Buffer.alloc(0) }] };

/** A position of a partition that covers everything acknowledged before the call; see `Store.fenceOf`. */
export type FenceOf = (partition: Partition) => Promise<Offset>;

export interface SlotScanPage {
  readonly items: readonly RangeItem[];
  /** `undefined`: everything was scanned. */
  readonly next: SlotScanState | undefined;
}

/**
 * At least one page of keys in no particular order, about `query.limit` of them. Every key present from the scan's
 * begin to its end is given at least once; with `fenceOf` also every key acknowledged before this page was asked for.
 */
export async function slotScanPage(
  ranges: Ranges,
  namespace: NamespaceStore,
  state: SlotScanState,
  query: Omit<RangeQuery, 'from' | 'to' | 'fences'>,
  fenceOf?: FenceOf,
): Promise<SlotScanPage> {
  const items: RangeItem[] = [];
  const fences = new Map<number, Offset>();
  let [span, ...rest] = state.spans;
  while (span && items.length < query.limit) {
    const route = namespace.table?.at(span.slotStart);
    if (!route) throw new StoreFailure('LVUNAVAILABLE', namespace.problem ?? 'there are no routes yet');
    if (route.slotEnd < span.slotEnd) rest = [{ ...span, slotStart: route.slotEnd }, ...rest];
    const own: SlotSpan = { ...span, slotEnd: Math.min(route.slotEnd, span.slotEnd) };
    const limit = query.limit - items.length;
    if (fenceOf) await fence(namespace, route, fenceOf, fences);
    const page = await ranges.page(namespace, route, { ...query, limit, fences, from: own.from, to: noEnd });
    // The route changed: the span is looked up again.
    if (!page) {
      rest = [own, ...rest];
    } else {
      for (const item of page.items) if (inside(namespace, own, item.key)) items.push(item);
      if (page.nextKey) rest = [{ ...own, from: page.nextKey }, ...rest];
    }
    [span, ...rest] = rest;
  }
  const spans = span ? [span, ...rest] : [];
  return { items, next: spans.length > 0 ? { spans } : undefined };
}

/** Every page, from the first slot to the last. */
export async function* slotScanPages(
  ranges: Ranges,
  namespace: NamespaceStore,
  query: Omit<RangeQuery, 'from' | 'to' | 'fences'>,
  fenceOf?: FenceOf,
): AsyncGenerator<readonly RangeItem[], void, undefined> {
  let state: SlotScanState | undefined = wholeScan;
  while (state) {
    const page: SlotScanPage = await slotScanPage(ranges, namespace, state, query, fenceOf);
    yield page.items;
    state = page.next;
  }
}

const noEnd = Buffer.alloc(0);

/** Fences the partitions of a chunk that are not fenced yet. */
async function fence(
  namespace: NamespaceStore,
  route: PortalRoute,
  fenceOf: FenceOf,
  fences: Map<number, Offset>,
): Promise<void> {
  const partitions = [...partitionsOf(route.slotStart, route.slotEnd, namespace.state.partitions)];
  const missing = partitions.filter((partition) => !fences.has(partition)).map(asPartition);
  await Promise.all(missing.map(async (partition) => void fences.set(partition, await fenceOf(partition))));
}

function inside(namespace: NamespaceStore, span: SlotSpan, key: Buffer): boolean {
  const { hashAlgorithm, partitions } = namespace.state;
  const slot = slotOf(hashOf(key, hashAlgorithm), partitions);
  return slot >= span.slotStart && slot < span.slotEnd;
}
