import type { ChunkFigures } from '../survey';
import { chooseNode, relativeLoad, relativeUse, roomFacts, takeUnits, type RoomRequest } from '../room';
import type { Refusal, Round } from '../round';

const trigger = 'deadReplica';

/** A chunk with fewer living replicas than its namespace asks for gets one more; those with the fewest first. */
export function healDeadReplicas(round: Round): void {
  const { survey, findings } = round;
  const missing = survey.chunks.filter(({ living, namespace }) => living.length < namespace.replicas);
  missing.sort((a, b) => a.living.length - b.living.length || (a.chunk.chunkId < b.chunk.chunkId ? -1 : 1));
  for (const figures of missing) {
    const { chunkId } = figures.chunk;
    const refusal =
      round.obstacle(trigger, figures, findings.holds({ trigger, of: chunkId })) ?? reReplicate(round, figures);
    if (refusal !== undefined) round.refuse(trigger, { chunkId }, refusal);
  }
}

function reReplicate(round: Round, figures: ChunkFigures): Refusal | undefined {
  const { survey } = round;
  const { chunk, namespace, living } = figures;
  const request: RoomRequest = {
    figures,
    mayUseSpare: true,
    rank: (node) => relativeUse(survey, node) + relativeLoad(survey, node),
  };
  const target = chooseNode(survey, request);
  if (target === undefined)
    return {
      code: 'NO_NODE',
      message:
        `${chunk.chunkId} has ${living.length} of ${namespace.replicas} replicas, and no node that is up in another ` +
        `failure domain has a free unit of ${namespace.chunkCapacityBytes} bytes, or all of those are busy: add nodes or units`,
      facts: roomFacts(survey, request),
    };
  const to = target.node.nodeId;
  const dead = chunk.replicas.filter(({ role }) => role === 'dead').map(({ nodeId, unitId }) => ({ nodeId, unitId }));
  round.propose(
    trigger,
    { chunkId: chunk.chunkId },
    {
      kind: 'reReplicate',
      chunkId: chunk.chunkId,
      to,
      evidence: {
        to,
        replicasLiving: living.length,
        replicasWanted: namespace.replicas,
        livingOn: living.map(({ nodeId }) => nodeId),
        dead,
        storedBytes: figures.storedBytes,
      },
    },
    [figures],
  );
  takeUnits(target, namespace.chunkCapacityBytes);
  target.loading++;
  return undefined;
}
