import type { ChunkState } from '@levee/events';

/** The chunks of each namespace by ascending first slot; `overlapping` relies on I9: they do not overlap each other. */
export class SlotOrder {
  private readonly byNamespace = new Map<string, ChunkState[]>();

  add(chunk: ChunkState): void {
    let chunks = this.byNamespace.get(chunk.namespace);
    if (chunks === undefined) this.byNamespace.set(chunk.namespace, (chunks = []));
    chunks.splice(firstFrom(chunks, chunk.slotStart), 0, chunk);
  }

  remove(chunk: ChunkState): void {
    const chunks = this.byNamespace.get(chunk.namespace);
    if (chunks === undefined) return;
    let at = firstFrom(chunks, chunk.slotStart);
    while (chunks[at]?.slotStart === chunk.slotStart && chunks[at]?.chunkId !== chunk.chunkId) at++;
    if (chunks[at]?.chunkId === chunk.chunkId) chunks.splice(at, 1);
    if (chunks.length === 0) this.byNamespace.delete(chunk.namespace);
  }

  overlapping(namespace: string, slotStart: number, slotEnd: number): ChunkState[] {
    const chunks = this.byNamespace.get(namespace) ?? [];
    let from = firstFrom(chunks, slotStart);
    const before = chunks[from - 1];
    if (before !== undefined && before.slotEnd > slotStart) from--;
    return chunks.slice(from, firstFrom(chunks, slotEnd));
  }
}

/** Index of the first chunk that starts at `slot` or later. */
function firstFrom(chunks: readonly ChunkState[], slot: number): number {
  let low = 0;
  let high = chunks.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((chunks[middle] as ChunkState).slotStart < slot) low = middle + 1;
    else high = middle;
  }
  return low;
}
