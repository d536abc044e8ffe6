import { type ClusterEvent, type ClusterState, lossAccepted, planLimits } from '@levee/cluster';
import { Failure } from '@levee/kernel';
import type { Stamp } from './restore-events';

const chunkNumberMax = 2 ** 31 - 1;

/**
 * What is decided with a loss that a person accepted (decision record 0029): from this number on no unit generation, no
 * creation of a name and no chunk gets a number that one of the `lost` decisions may have given to something else.
 */
export function lossEvents(
  state: ClusterState,
  of: { readonly clusterId: string; readonly lost: number; readonly stamp: Stamp },
): ClusterEvent[] {
  const { clusterId, lost, stamp } = of;
  const events: ClusterEvent[] = [
    { kind: 'cluster', entity: { ...state.identity, clusterId, change: lossAccepted, ...stamp } },
  ];
  for (const namespace of state.namespaces()) {
    if (namespace.state === 'deleted') continue;
    const nextChunk = namespace.nextChunk + lost * planLimits.chunksMax;
    if (nextChunk > chunkNumberMax)
      throw new Failure(
        'LIMIT',
        `${lost} decisions are lost; the chunks of namespace ${namespace.name} cannot be numbered above all that they may ` +
          `have numbered (limit ${chunkNumberMax}): restore the journal from a backup`,
      );
    events.push({ kind: 'namespace', entity: { ...namespace, nextChunk, change: lossAccepted, ...stamp } });
  }
  return events;
}
