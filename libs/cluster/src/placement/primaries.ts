import { defined } from '@levee/kernel';

interface Placed {
  readonly nodeId: string;
}

/** Hand-overs tried beyond the greedy choice; each evens out one primary, so few are ever needed. */
const handOversMax = 10_000;

/**
 * Puts the primary of each chunk first, so that the counts per node differ by one at most where the replicas allow
 * it. A greedy choice first; then, while some node has two more than another, primaries are handed over along a chain
 * of chunks between them (an augmenting path, as in bipartite matching). `elsewhere`: primaries of other namespaces
 * per node, which decide between equals.
 */
export function spreadPrimaries<T extends Placed>(
  chunks: readonly (readonly T[])[],
  elsewhere: ReadonlyMap<string, number>,
): T[][] {
  const placed = chunks.map((replicas) => [...replicas]);
  const held = new Map<string, Set<number>>();
  for (const replicas of placed) for (const { nodeId } of replicas) if (!held.has(nodeId)) held.set(nodeId, new Set());
  const count = (nodeId: string): number => held.get(nodeId)?.size ?? 0;
  const lighter = (a: Placed, b: Placed): number =>
    count(a.nodeId) - count(b.nodeId) ||
    (elsewhere.get(a.nodeId) ?? 0) - (elsewhere.get(b.nodeId) ?? 0) ||
    (a.nodeId < b.nodeId ? -1 : 1);
  placed.forEach((replicas, chunk) => {
    const lightest = replicas.reduce((best, replica) => (lighter(replica, best) < 0 ? replica : best));
    lead(replicas, lightest.nodeId);
    held.get(lightest.nodeId)?.add(chunk);
  });
  for (let i = 0; i < handOversMax && handOver(placed, held); i++);
  return placed;
}

/** Moves one primary from a node to one with at least two less, if any chain of chunks allows it. */
function handOver<T extends Placed>(placed: T[][], held: Map<string, Set<number>>): boolean {
  const nodes = [...held].map(([nodeId, chunks]) => ({ nodeId, count: chunks.size }));
  const lowest = Math.min(...nodes.map((node) => node.count));
  nodes.sort((a, b) => b.count - a.count || (a.nodeId < b.nodeId ? -1 : 1));
  for (const { nodeId, count } of nodes) {
    if (count < lowest + 2) return false;
    const path = chainFrom(placed, held, { nodeId, count });
    if (path === undefined) continue;
    for (const { chunk, from, to } of path) {
      lead(defined(placed[chunk], 'a chunk'), to);
      held.get(from)?.delete(chunk);
      held.get(to)?.add(chunk);
    }
    return true;
  }
  return false;
}

interface HandOver {
  readonly chunk: number;
  readonly from: string;
  readonly to: string;
}

/** Breadth first from a heavy node over "is primary here, has a replica there" to a node with two less. */
function chainFrom<T extends Placed>(
  placed: readonly (readonly T[])[],
  held: ReadonlyMap<string, ReadonlySet<number>>,
  heavy: { nodeId: string; count: number },
): HandOver[] | undefined {
  const reachedBy = new Map<string, HandOver | undefined>([[heavy.nodeId, undefined]]);
  for (const [nodeId] of reachedBy) {
    for (const chunk of held.get(nodeId) ?? []) {
      for (const replica of placed[chunk] ?? []) {
        const to = replica.nodeId;
        if (reachedBy.has(to)) continue;
        reachedBy.set(to, { chunk, from: nodeId, to });
        if ((held.get(to)?.size ?? 0) <= heavy.count - 2) return pathTo(reachedBy, to);
      }
    }
  }
  return undefined;
}

function pathTo(reachedBy: ReadonlyMap<string, HandOver | undefined>, end: string): HandOver[] {
  const path: HandOver[] = [];
  for (let step = reachedBy.get(end); step !== undefined; step = reachedBy.get(step.from)) path.push(step);
  return path;
}

function lead<T extends Placed>(replicas: T[], nodeId: string): void {
  const at = replicas.findIndex((replica) => replica.nodeId === nodeId);
  const [primary] = replicas.splice(at, 1);
  replicas.unshift(defined(primary, 'the chosen primary'));
}
