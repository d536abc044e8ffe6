import type { Refusal } from '../round';
import { hasRoom, takeUnits } from '../room';
import type { ChunkFigures, NodeFigures, Survey } from '../survey';

/**
 * Takes the units that replicas of `parts` new chunks need for a time beside the old ones: where the old ones are when
 * there is room, else where most is free. Says why when there are not enough.
 */
export function reserveUnitsForParts(
  survey: Survey,
  { figures, parts, mayUseSpare }: { figures: ChunkFigures; parts: number; mayUseSpare: boolean },
): Refusal | undefined {
  const bytes = figures.namespace.chunkCapacityBytes;
  const chosen = new Map<string, NodeFigures>();
  const used = new Set<string>();
  const choose = (node: NodeFigures | undefined): void => {
    if (node === undefined || chosen.size >= figures.namespace.replicas || used.has(node.node.domain)) return;
    if (!node.isOpen || spareUnits(node, figures, mayUseSpare) < parts) return;
    chosen.set(node.node.nodeId, node);
    used.add(node.node.domain);
  };
  for (const { nodeId } of figures.living) choose(survey.nodes.get(nodeId));
  if (chosen.size < figures.namespace.replicas)
    for (const node of [...survey.open].sort((a, b) => b.freeUnits.length - a.freeUnits.length)) choose(node);
  const wanted = figures.namespace.replicas;
  if (chosen.size < wanted)
    return {
      code: mayUseSpare ? 'NO_NODE' : 'ONLY_SPARE_UNITS',
      message:
        `${parts} new chunks of ${bytes} bytes need ${parts} free units${mayUseSpare ? '' : ' beyond the spare ones'} on nodes in ` +
        `${wanted} failure domains, there are ${chosen.size} such: add nodes or units`,
      facts: { parts, domainsWanted: wanted, domainsFound: chosen.size, unitBytesMin: bytes },
    };
  for (const node of chosen.values()) takeUnits(node, bytes, parts);
  return undefined;
}

function spareUnits(node: NodeFigures, figures: ChunkFigures, mayUseSpare: boolean): number {
  if (!hasRoom(node, { figures, mayUseSpare })) return 0;
  const bytes = figures.namespace.chunkCapacityBytes;
  const first = node.freeUnits.findIndex((free) => free >= bytes);
  return node.freeUnits.length - Math.max(first, mayUseSpare ? 0 : node.spare);
}
