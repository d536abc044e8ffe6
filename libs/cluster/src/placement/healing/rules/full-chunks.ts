import { reserveUnitsForParts } from './reserve-units';
import { chooseNode, hasRoom, relativeUse, takeUnits } from '../room';
import type { Refusal, Round } from '../round';
import type { ChunkFigures } from '../survey';

const trigger = 'fullChunk';

/** A unit must be so many times larger to be worth a move. */
const biggerFactor = 1.5;

/** A chunk near its capacity is split; what a split cannot help goes to a bigger unit. */
export function healFullChunks(round: Round): void {
  const { survey, findings } = round;
  const { fullShare } = survey.policy;
  for (const figures of survey.chunks) {
    const { chunkId } = figures.chunk;
    const share = figures.storedBytes / figures.capacityBytes;
    const sinceMs = figures.isMeasured ? findings.above({ trigger, of: chunkId }, share, fullShare) : undefined;
    if (sinceMs === undefined) continue;
    const refusal = round.obstacle(trigger, figures, sinceMs) ?? relieve(round, figures);
    if (refusal !== undefined) round.refuse(trigger, { chunkId }, refusal);
  }
}

function relieve(round: Round, figures: ChunkFigures): Refusal | undefined {
  const { chunk, namespace, storedBytes, capacityBytes } = figures;
  const isUnitTooSmall = capacityBytes < namespace.chunkCapacityBytes;
  if (isUnitTooSmall || chunk.slotEnd - chunk.slotStart < 2) {
    const moved = moveToBiggerUnit(round, figures);
    if (moved === undefined || chunk.slotEnd - chunk.slotStart < 2) return moved;
  }
  const refusal = reserveUnitsForParts(round.survey, { figures, parts: 2, mayUseSpare: true });
  if (refusal !== undefined) return refusal;
  const evidence = { storedBytes, capacityBytes, share: storedBytes / capacityBytes };
  round.propose(trigger, { chunkId: chunk.chunkId }, { kind: 'split', chunkId: chunk.chunkId, parts: 2, evidence }, [
    figures,
  ]);
  return undefined;
}

/** Moves the replica in the smallest unit to one that is clearly bigger, on its own node when that has one. */
function moveToBiggerUnit(round: Round, figures: ChunkFigures): Refusal | undefined {
  const { survey } = round;
  const { chunk, storedBytes, living } = figures;
  const units = living.map(({ nodeId, unitId }) => ({ nodeId, bytes: survey.state.unit(unitId)?.capacityBytes ?? 0 }));
  const smallest = units.reduce<{ nodeId: string; bytes: number } | undefined>(
    (least, unit) => (least === undefined || unit.bytes < least.bytes ? unit : least),
    undefined,
  );
  if (smallest === undefined) return { code: 'NO_NODE', message: `${chunk.chunkId} has no living replica` };
  const { nodeId: from, bytes: unitBytes } = smallest;
  const bytesMin = Math.ceil(unitBytes * biggerFactor);
  const own = survey.nodes.get(from);
  const request = { figures, replaced: from, mayUseSpare: true, bytesMin };
  const target =
    own?.isOpen === true && hasRoom(own, request)
      ? own
      : chooseNode(survey, { ...request, rank: (node) => relativeUse(survey, node) });
  if (target === undefined)
    return {
      code: 'ONE_SLOT',
      message: `${chunk.chunkId} holds ${storedBytes} bytes in a unit of ${unitBytes}; there is no free unit of ${bytesMin} bytes for it, and a chunk of one slot cannot be cut`,
      facts: { storedBytes, unitBytes, bytesMin },
    };
  const to = target.node.nodeId;
  const unitId = smallestUnit(round, to, bytesMin);
  const { chunkId } = chunk;
  const evidence = { from, to, storedBytes, unitBytes, share: storedBytes / unitBytes };
  round.propose(trigger, { chunkId }, { kind: 'move', chunkId, from, to, ...unitId, evidence }, [figures]);
  takeUnits(target, bytesMin);
  target.loading++;
  return undefined;
}

function smallestUnit(round: Round, nodeId: string, bytesMin: number): { readonly unitId?: string } {
  // Another move of this round has it already: the master would refuse one of them.
  const named = new Set(round.proposals.map(({ payload }) => payload.unitId));
  const fitting = [...round.survey.state.freeUnitsOf(nodeId)].filter(
    ({ unitId, capacityBytes }) => capacityBytes >= bytesMin && !named.has(unitId),
  );
  const [smallest] = fitting.sort((a, b) => a.capacityBytes - b.capacityBytes || (a.unitId < b.unitId ? -1 : 1));
  return smallest === undefined ? {} : { unitId: smallest.unitId };
}
