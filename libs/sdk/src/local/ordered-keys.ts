/** Keys of a block; a full one is halved. */
const blockKeysMax = 512;
/** Blocks that are smaller together are joined. */
const joinedKeysMax = 256;

/**
 * Texts in the order of their code units, which for keys as latin1 is that of their bytes: blocks of a bounded size, so that one
 * more or less costs the same however many there are. The texts themselves are those of whoever adds them.
 */
export class OrderedKeys {
  /** @internal None is empty, and all of one come before all of the next. */
  readonly blocks: string[][] = [];
  private held = 0;
  /** It has met all keys that it is for. */
  isWhole = false;

  get size(): number {
    return this.held;
  }

  /** False: it is there. */
  add(key: string): boolean {
    const { blocks } = this;
    const at = Math.max(0, this.blockOf(key));
    const block = blocks[at];
    if (block === undefined) blocks.push([key]);
    else {
      const i = placeIn(block, key);
      if (block[i] === key) return false;
      if (block.length < blockKeysMax) block.splice(i, 0, key);
      // Keys that come in their order fill blocks.
      else if (i === block.length && at === blocks.length - 1) blocks.push([key]);
      else {
        const upper = block.splice(blockKeysMax / 2);
        blocks.splice(at + 1, 0, upper);
        if (i <= block.length) block.splice(i, 0, key);
        else upper.splice(i - block.length, 0, key);
      }
    }
    this.held++;
    return true;
  }

  /** False: it is not there. */
  remove(key: string): boolean {
    const { blocks } = this;
    const at = this.blockOf(key);
    const block = blocks[at];
    if (block === undefined) return false;
    const i = placeIn(block, key);
    if (block[i] !== key) return false;
    block.splice(i, 1);
    this.held--;
    if (block.length === 0) blocks.splice(at, 1);
    else if (!this.join(at)) this.join(at - 1);
    return true;
  }

  private join(at: number): boolean {
    const [block, next] = [this.blocks[at], this.blocks[at + 1]];
    if (block === undefined || next === undefined || block.length + next.length > joinedKeysMax) return false;
    block.push(...next);
    this.blocks.splice(at + 1, 1);
    return true;
  }

  /** @internal The last one whose first key is not above it; -1: there is none. */
  blockOf(key: string): number {
    let [low, high] = [0, this.blocks.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (((this.blocks[middle] as string[])[0] as string) <= key) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }
}

/** Stands at the first key that is not below `from`, and goes on from there, for as long as none is added or removed. */
export class KeyCursor {
  key: string | undefined;
  private readonly blocks: OrderedKeys['blocks'];
  private at: number;
  private i: number;

  constructor(keys: OrderedKeys, from: string) {
    this.blocks = keys.blocks;
    this.at = Math.max(0, keys.blockOf(from));
    const block = this.blocks[this.at];
    this.i = block === undefined ? 0 : placeIn(block, from);
    this.read();
  }

  next(): void {
    this.i++;
    this.read();
  }

  private read(): void {
    let block = this.blocks[this.at];
    if (block !== undefined && this.i >= block.length) {
      block = this.blocks[++this.at];
      this.i = 0;
    }
    this.key = block?.[this.i];
  }
}

/** Where it is, or would be. */
function placeIn(block: readonly string[], key: string): number {
  let [low, high] = [0, block.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((block[middle] as string) < key) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Several of them as one: the cursor whose key comes first is always the first one. */
export class MergedKeys<C extends KeyCursor> {
  private readonly heap: C[] = [];

  constructor(cursors: Iterable<C>) {
    for (const cursor of cursors) if (cursor.key !== undefined) this.heap.push(cursor);
    for (let i = (this.heap.length >> 1) - 1; i >= 0; i--) this.sink(i);
  }

  /** `undefined`: all are at their ends. */
  get first(): C | undefined {
    return this.heap[0];
  }

  /** The first one goes on. */
  next(): void {
    const { heap } = this;
    const first = heap[0] as C;
    first.next();
    if (first.key === undefined) {
      const last = heap.pop() as C;
      if (heap.length === 0) return;
      heap[0] = last;
    }
    this.sink(0);
  }

  private sink(from: number): void {
    const { heap } = this;
    const moved = heap[from] as C;
    const key = moved.key as string;
    let at = from;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      const right = heap[child + 1];
      if (right !== undefined && (right.key as string) < ((heap[child] as C).key as string)) child++;
      const below = heap[child] as C;
      if (key <= (below.key as string)) break;
      heap[at] = below;
      at = child;
    }
    heap[at] = moved;
  }
}
