import { asSeq, defined, type Seq } from '@levee/kernel';
import { slotsTotal } from './slot';

/** What a table needs of a route; `seq` is its version. `ChunkRoute` of `@levee/events` is one. */
export interface SlotRoute {
  readonly slotStart: number;
  readonly slotEnd: number;
  readonly seq: number;
}

/** Why no table was built: publish nothing, keep the table in force. */
export interface RouteTableProblem {
  readonly problem: string;
}

/** log2 of the slots of a stride. 256 slots: a floor search stays within few entries, and few cache lines. */
const strideBits = 8;

/**
 * The routes of one namespace, immutable: a reader that holds one never sees half a change. Lookup is a floor
 * search in a sorted array, begun from the entries of the slot's stride.
 */
export class RouteTable<Route extends SlotRoute> {
  /** By stride of 256 slots: index of the entry that holds its first slot; one more at the end. */
  private readonly strides: Int32Array;

  private constructor(
    /** Highest seq of any route (or, by `versionAtLeast`, node event) in it. */
    readonly version: Seq,
    private readonly starts: Int32Array,
    private readonly routes: readonly Route[],
  ) {
    this.strides = new Int32Array(((slotsTotal - 1) >> strideBits) + 2).fill(starts.length - 1);
    for (let stride = 0, i = 0; stride < this.strides.length - 1; stride++) {
      while (i + 1 < starts.length && (starts[i + 1] as number) <= stride << strideBits) i++;
      this.strides[stride] = i;
    }
  }

  /**
   * For each slot the route with the highest seq wins, so that a parent that was split, and is not removed yet, does
   * no harm. I9: no table comes out unless every slot then belongs to exactly one route. O(n log n).
   */
  static build<Route extends SlotRoute>(
    candidates: Iterable<Route>,
    versionAtLeast = 0,
  ): RouteTable<Route> | RouteTableProblem {
    const sorted = [...candidates].sort((a, b) => a.slotStart - b.slotStart || b.seq - a.seq);
    const starts: number[] = [];
    const routes: Route[] = [];
    let version = versionAtLeast;
    for (const route of sorted) {
      version = Math.max(version, route.seq);
      const { slotStart, slotEnd } = route;
      if (!(slotStart >= 0 && slotStart < slotEnd && slotEnd <= slotsTotal))
        return { problem: `I9: a route of slots ${slotStart}..${slotEnd} lies outside 0..${slotsTotal}` };
    }
    const open = new NewestFirst<Route>();
    let next = 0;
    let at = 0;
    while (at < slotsTotal) {
      for (; next < sorted.length && defined(sorted[next], 'route').slotStart <= at; next++)
        open.push(defined(sorted[next], 'route'));
      const winner = open.newestBeyond(at);
      if (winner === undefined) return { problem: `I9: no route covers slot ${at}` };
      const rival = open.rivalBeyond(at);
      if (rival !== undefined)
        return { problem: `I9: two routes of version ${rival.seq} claim slot ${at}: which one holds is unknown` };
      if (routes.at(-1) !== winner) {
        starts.push(at);
        routes.push(winner);
      }
      const nextStart = sorted[next]?.slotStart ?? slotsTotal;
      at = Math.min(winner.slotEnd, nextStart);
    }
    return new RouteTable(asSeq(version), Int32Array.from(starts), routes);
  }

  /** The route of `slot` (0..999,999). */
  at(slot: number): Route {
    return this.routes[this.indexAt(slot)] as Route;
  }

  /** The routes that touch `[slotStart, slotEnd)`, by ascending slot. */
  overlapping(slotStart: number, slotEnd: number): Route[] {
    const found: Route[] = [];
    for (let i = this.indexAt(slotStart); i < this.starts.length && (this.starts[i] as number) < slotEnd; i++)
      found.push(this.routes[i] as Route);
    return found;
  }

  /** One route per piece, by ascending slot; a route cut in two by a newer one appears twice. */
  get all(): readonly Route[] {
    return this.routes;
  }

  get size(): number {
    return this.routes.length;
  }

  /** The first slot at which `older` has a newer route than this table, else `undefined`. O(n). */
  fallsBehind(older: RouteTable<Route>): number | undefined {
    let i = 0;
    let j = 0;
    for (let at = 0; at < slotsTotal;) {
      if ((this.routes[i] as Route).seq < (older.routes[j] as Route).seq) return at;
      const mine = this.starts[i + 1] ?? slotsTotal;
      const theirs = older.starts[j + 1] ?? slotsTotal;
      at = Math.min(mine, theirs);
      if (mine === at) i++;
      if (theirs === at) j++;
    }
    return undefined;
  }

  private indexAt(slot: number): number {
    let low = this.strides[slot >> strideBits] as number;
    let high = this.strides[(slot >> strideBits) + 1] as number;
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      if ((this.starts[middle] as number) <= slot) low = middle;
      else high = middle - 1;
    }
    return low;
  }
}

/** Holds the table in force. Readers take `current` once per request and keep it for its whole length. */
export class RouteTableSource<Route extends SlotRoute> {
  private table: RouteTable<Route> | undefined;

  /** `undefined` until the first table was published. */
  get current(): RouteTable<Route> | undefined {
    return this.table;
  }

  /** Swaps the table in one assignment. I9: refuses (with the reason) one in which any version falls. */
  publish(next: RouteTable<Route>): RouteTableProblem | undefined {
    const before = this.table;
    if (before !== undefined) {
      if (next.version < before.version)
        return { problem: `I9: version ${next.version} is below version ${before.version} in force` };
      const slot = next.fallsBehind(before);
      if (slot !== undefined)
        return {
          problem: `I9: at slot ${slot} version ${next.at(slot).seq} is below version ${before.at(slot).seq} in force`,
        };
    }
    this.table = next;
    return undefined;
  }
}

/** Binary heap of the routes that began, newest first; those that ended are dropped when they surface. */
class NewestFirst<Route extends SlotRoute> {
  private readonly heap: Route[] = [];

  push(route: Route): void {
    this.heap.push(route);
    this.rise(this.heap.length - 1);
  }

  newestBeyond(slot: number): Route | undefined {
    for (;;) {
      const top = this.heap[0];
      if (top === undefined || top.slotEnd > slot) return top;
      this.pop();
    }
  }

  /** Another live route as new as the newest one. */
  rivalBeyond(slot: number): Route | undefined {
    const top = this.newestBeyond(slot);
    if (top === undefined) return undefined;
    this.pop();
    const second = this.newestBeyond(slot);
    this.push(top);
    return second !== undefined && second.seq === top.seq ? second : undefined;
  }

  private pop(): void {
    const last = this.heap.pop();
    if (last === undefined || this.heap.length === 0) return;
    this.heap[0] = last;
    this.sink();
  }

  private rise(from: number): void {
    for (let i = from; i > 0;) {
      const parent = (i - 1) >> 1;
      if (this.seqAt(parent) >= this.seqAt(i)) return;
      this.swap(parent, i);
      i = parent;
    }
  }

  private sink(): void {
    for (let i = 0; ;) {
      let newest = i;
      for (const child of [2 * i + 1, 2 * i + 2])
        if (child < this.heap.length && this.seqAt(child) > this.seqAt(newest)) newest = child;
      if (newest === i) return;
      this.swap(i, newest);
      i = newest;
    }
  }

  private seqAt(i: number): number {
    return (this.heap[i] as Route).seq;
  }

  private swap(i: number, j: number): void {
    const held = this.heap[i] as Route;
    this.heap[i] = this.heap[j] as Route;
    this.heap[j] = held;
  }
}
