import { reserveUnitsForParts } from './reserve-units';
import { hotChunkThreshold } from './hot-chunks';
import type { Round } from '../round';
import type { ChunkFigures } from '../survey';

const trigger = 'coldNeighbours';

/** As a multiple of what counts as cold; between the two a finding lasts but does not begin. */
const coldness = { enter: 1, leave: 0.8 };

/** Two neighbours that hold and do little become one, while the namespace has more chunks than it asks for. */
export function healColdNeighbours(round: Round): void {
  const byNamespace = new Map<string, ChunkFigures[]>();
  for (const figures of round.survey.chunks) {
    const chunks = byNamespace.get(figures.chunk.namespace);
    if (chunks === undefined) byNamespace.set(figures.chunk.namespace, [figures]);
    else chunks.push(figures);
  }
  for (const chunks of byNamespace.values()) mergeIn(round, chunks);
}

function mergeIn(round: Round, chunks: ChunkFigures[]): void {
  const wanted = chunks[0]?.namespace.chunks ?? 0;
  // Merges under way are counted as done: what they leave may not fall below what the namespace asks for.
  let surplus = chunks.length - wanted - mergesOpen(round, chunks);
  if (surplus <= 0) return;
  chunks.sort((a, b) => a.chunk.slotStart - b.chunk.slotStart);
  for (let i = 0; i + 1 < chunks.length && surplus > 0; i++) {
    const [left, right] = [chunks[i] as ChunkFigures, chunks[i + 1] as ChunkFigures];
    if (left.chunk.slotEnd !== right.chunk.slotStart || !left.isMeasured || !right.isMeasured) continue;
    if (!mergePair(round, left, right)) continue;
    surplus--;
    i++;
  }
}

/** True when the merge is proposed. */
function mergePair(round: Round, left: ChunkFigures, right: ChunkFigures): boolean {
  const { policy } = round.survey;
  const storedBytes = left.storedBytes + right.storedBytes;
  const requestsPerSecond = left.requestsPerSecond + right.requestsPerSecond;
  const bytesMax = policy.coldShare * policy.fullShare.enter * Math.min(left.capacityBytes, right.capacityBytes);
  const perSecondMax = policy.coldShare * hotChunkThreshold(policy, left).enter;
  const cold = Math.min(bytesMax / storedBytes, perSecondMax / requestsPerSecond);
  const chunkIds = [left.chunk.chunkId, right.chunk.chunkId];
  const sinceMs = round.findings.above({ trigger, of: chunkIds.join('+') }, cold, coldness);
  if (sinceMs === undefined) return false;
  const refusal =
    round.obstacle(trigger, left, sinceMs) ??
    round.held(trigger, right) ??
    reserveUnitsForParts(round.survey, { figures: left, parts: 1, mayUseSpare: false });
  const subject = { chunkId: chunkIds.join('+') };
  if (refusal !== undefined) {
    round.refuse(trigger, subject, refusal);
    return false;
  }
  const evidence = {
    storedBytes,
    requestsPerSecond,
    coldUpToBytes: bytesMax,
    coldUpToPerSecond: perSecondMax,
    chunksWanted: left.namespace.chunks,
  };
  round.propose(trigger, subject, { kind: 'merge', chunkIds, evidence }, [left, right]);
  return true;
}

function mergesOpen({ survey }: Round, chunks: readonly ChunkFigures[]): number {
  const open = new Set<string>();
  let merged = 0;
  for (const { chunk } of chunks) {
    const plan = survey.activity.openOn.get(chunk.chunkId);
    if (plan?.kind !== 'merge' || open.has(plan.planId) || !plan.sources.includes(chunk.chunkId)) continue;
    open.add(plan.planId);
    merged += plan.sources.length - 1;
  }
  return merged;
}
