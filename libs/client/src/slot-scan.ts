import { hashOf, slotOf, slotsTotal } from '@levee/keyspace';
import type { RangeItem } from '@levee/wire';
import type { NamespaceStore } from './namespace-store';
import type { RangeQuery, Ranges } from './ranges';
import { StoreFailure } from './store-errors';

/** Slots still to be scanned, and from which key on. */
export interface SlotSpan {
  readonly slotStart: number;
  readonly slotEnd: number;
  readonly from: Buffer;
}

/** Where an unordered scan stands: in slots, not in chunks, so that it survives moves and splits. */
export interface SlotScanState {
  readonly spans: readonly SlotSpan[];
}

export const wholeScan: SlotScanState = { spans: [{ slotStart: 0, slotEnd: slotsTotal, from: Buffer.alloc(0) }] };

export interface SlotScanPage {
  readonly items: readonly RangeItem[];
  /** `undefined`: everything was scanned. */
  readonly next: SlotScanState | undefined;
}

/**
 * At least one page of keys in no particular order, about `query.limit` of them. Every key present from the scan's
 * begin to its end is given at least once.
 */
export async function slotScanPage(
  ranges: Ranges,
  namespace: NamespaceStore,
  state: SlotScanState,
  query: Omit<RangeQuery, 'from' | 'to'>,
): Promise<SlotScanPage> {
  const items: RangeItem[] = [];
  let [span, ...rest] = state.spans;
  while (span && items.length < query.limit) {
    const route = namespace.table?.at(span.slotStart);
    if (!route) throw new StoreFailure('LVUNAVAILABLE', namespace.problem ?? 'there are no routes yet');
    if (route.slotEnd < span.slotEnd) rest = [{ ...span, slotStart: route.slotEnd }, ...rest];
    const own: SlotSpan = { ...span, slotEnd: Math.min(route.slotEnd, span.slotEnd) };
    const limit = query.limit - items.length;
    const page = await ranges.page(namespace, route, { ...query, limit, from: own.from, to: noEnd });
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

const noEnd = Buffer.alloc(0);

function inside(namespace: NamespaceStore, span: SlotSpan, key: Buffer): boolean {
  const { hashAlgorithm, partitions } = namespace.state;
  const slot = slotOf(hashOf(key, hashAlgorithm), partitions);
  return slot >= span.slotStart && slot < span.slotEnd;
}
