/** A chunk of which a scan asked pages, and the replicas that gave them. */
export interface VisitedChunk {
  readonly chunkId: string;
  readonly slotStart: number;
  readonly slotEnd: number;
  /** Ids of the nodes that answered, in the order in which they first did. */
  readonly nodeIds: readonly string[];
  readonly pages: number;
  /** Keys in these pages. A key may be read twice: when its page had to be let go, or its chunk changed meanwhile. */
  readonly keys: number;
}

/** Which chunks a scan found its keys in; a chunk that was split or merged while it ran stands beside what came of it. */
export class ScanVisits {
  private readonly byChunk = new Map<string, { -readonly [K in keyof VisitedChunk]: VisitedChunk[K] }>();

  note(
    { chunkId, slotStart, slotEnd }: Pick<VisitedChunk, 'chunkId' | 'slotStart' | 'slotEnd'>,
    page: { readonly nodeId: string; readonly keys: number },
  ): void {
    const known = this.byChunk.get(chunkId) ?? { chunkId, slotStart, slotEnd, nodeIds: [], pages: 0, keys: 0 };
    if (!known.nodeIds.includes(page.nodeId)) known.nodeIds = [...known.nodeIds, page.nodeId];
    known.pages++;
    known.keys += page.keys;
    this.byChunk.set(chunkId, known);
  }

  /** By their slots. */
  all(): VisitedChunk[] {
    return [...this.byChunk.values()].sort((a, b) => a.slotStart - b.slotStart || a.slotEnd - b.slotEnd);
  }
}
