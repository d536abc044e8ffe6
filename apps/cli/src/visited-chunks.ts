import type { Row } from './output';

/** What the portal says of chunks that a scan visited, over all of its pages. */
export class VisitedChunks {
  private readonly byChunk = new Map<string, Row>();

  add(visited: unknown): void {
    for (const row of Array.isArray(visited) ? (visited as Row[]) : []) {
      const chunkId = String(row['chunkId']);
      const known = this.byChunk.get(chunkId);
      this.byChunk.set(chunkId, known === undefined ? row : together(known, row));
    }
  }

  /** By their slots. */
  get rows(): Row[] {
    return [...this.byChunk.values()].sort((a, b) => Number(a['slotStart']) - Number(b['slotStart']));
  }

  get lines(): string[] {
    return this.rows.map(({ chunkId, slotStart, slotEnd, nodeIds, keys }) => {
      const slots = `slots ${String(slotStart)} to ${String(slotEnd)}`;
      return `visited ${String(chunkId)}  ${slots}  ${namesIn(nodeIds).join(' ')}  ${String(keys)} keys`;
    });
  }
}

const namesIn = (nodeIds: unknown): string[] => (Array.isArray(nodeIds) ? nodeIds.map(String) : []);

function together(a: Row, b: Row): Row {
  const sum = (name: string): number => Number(a[name]) + Number(b[name]);
  const nodeIds = [...new Set([...namesIn(a['nodeIds']), ...namesIn(b['nodeIds'])])];
  return { ...a, nodeIds, pages: sum('pages'), keys: sum('keys') };
}
