import { type ClusterState, numbersLostUpTo } from '@levee/cluster';
import type { Adopted } from '@levee/journal';

/** A unit that its node has in a generation which no decision gave out that the journal knows. */
export interface UnknownGeneration {
  readonly nodeId: string;
  readonly unitId: string;
  readonly generation: number;
}

interface RefusedPayload {
  readonly nodeId?: unknown;
  readonly units?: readonly { readonly unitId?: unknown; readonly generation?: unknown }[];
}

/**
 * Nodes whose last registration was refused for such a unit: also a disk that comes back long after the journal was
 * repaired tells what it holds in that way, and it is in the journal itself.
 */
export class RefusedUnits {
  private readonly refused = new Map<string, readonly UnknownGeneration[]>();

  add({ decision: { command, rejectionCode } }: Adopted): void {
    if (command.kind !== 'RegisterNode') return;
    const { nodeId, units = [] } = payloadOf(command.payload);
    if (typeof nodeId !== 'string') return;
    this.refused.delete(nodeId);
    if (rejectionCode !== 'GENERATION_FROM_FUTURE') return;
    this.refused.set(
      nodeId,
      units.map(({ unitId, generation }) => ({ nodeId, unitId: String(unitId), generation: Number(generation) })),
    );
  }

  /** Those that would be refused again. */
  in(state: ClusterState): UnknownGeneration[] {
    const lostUpTo = numbersLostUpTo(state);
    return [...this.refused.values()].flat().filter(({ unitId, generation }) => {
      const known = state.unit(unitId);
      return known !== undefined && generation > known.generation && generation > lostUpTo;
    });
  }
}

function payloadOf(json: string): RefusedPayload {
  try {
    return (JSON.parse(json) ?? {}) as RefusedPayload;
  } catch {
    return {};
  }
}
