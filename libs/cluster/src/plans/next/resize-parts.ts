import type { ChunkState } from '@levee/events';
import { evenSplit, slotsTotal } from '@levee/keyspace';
import { planLimits } from '../plan-limits';

/** Adjacent chunks whose outer boundaries stay, and the cuts they shall have instead of their own. */
export interface ResizePart {
  readonly chunkIds: readonly string[];
  /** Slots, ascending. */
  readonly at: readonly number[];
}

/**
 * What leads from the chunks there are (ascending, without gaps) to `wanted` of equal size: where both have a boundary
 * nothing depends on the other side of it, so each stretch between such boundaries is a part of its own.
 */
export function resizeParts(chunks: readonly ChunkState[], wanted: number): ResizePart[] {
  const edges = evenSplit(wanted).map(({ slotEnd }) => slotEnd);
  const shared = new Set(edges);
  const parts: ResizePart[] = [];
  let stretch: ChunkState[] = [];
  let next = 0;
  for (const chunk of chunks) {
    stretch.push(chunk);
    if (!shared.has(chunk.slotEnd) && chunk.slotEnd !== slotsTotal) continue;
    const at: number[] = [];
    for (; (edges[next] ?? slotsTotal) < chunk.slotEnd; next++) at.push(edges[next] as number);
    next++;
    if (stretch.length > 1 || at.length > 0) parts.push({ chunkIds: stretch.map(({ chunkId }) => chunkId), at });
    stretch = [];
  }
  return parts;
}

/**
 * The same part in smaller and smaller steps, each of which leaves fewer differences than it found: for stretches
 * beyond what one plan may change, and for clusters that have few free units. The whole comes first when it may.
 */
export function* smallerSteps(part: ResizePart, chunks: readonly ChunkState[]): Iterable<ResizePart> {
  const own = part.chunkIds.map((chunkId) => chunks.find((of) => of.chunkId === chunkId) as ChunkState);
  for (let max: number = planLimits.partPiecesMax; max >= 2; max >>= 1) {
    const sources = own.slice(0, max);
    const end = sources.at(-1)?.slotEnd ?? 0;
    const inside = part.at.filter((slot) => slot < end);
    const at = inside.length < max ? inside : evenlyChosen(inside, max - 1);
    if (isChange(sources, at)) yield { chunkIds: sources.map(({ chunkId }) => chunkId), at };
  }
  for (const chunk of own) {
    const at = part.at.filter((slot) => chunk.slotStart < slot && slot < chunk.slotEnd);
    if (at.length > 0) yield { chunkIds: [chunk.chunkId], at: evenlyChosen(at, 1) };
  }
}

function isChange(sources: readonly ChunkState[], at: readonly number[]): boolean {
  return at.length !== sources.length - 1 || at.some((slot, i) => sources[i]?.slotEnd !== slot);
}

function evenlyChosen(slots: readonly number[], count: number): number[] {
  return Array.from({ length: count }, (_, i) => slots[Math.floor(((i + 1) * slots.length) / (count + 1))] as number);
}
