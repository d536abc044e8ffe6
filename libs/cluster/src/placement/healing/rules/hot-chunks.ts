import type { PlanState } from '@levee/events';
import { reserveUnitsForParts } from './reserve-units';
import type { HealingPolicy, Threshold } from '../healing-policy';
import type { Refusal, Round } from '../round';
import type { ChunkFigures, Survey } from '../survey';

const trigger = 'hotChunk';

/** Of a limit that the namespace sets for its chunks, this share is hot already. */
const limitShare = 0.8;

/** When a chunk of this namespace is hot, in requests per second. */
export function hotChunkThreshold(policy: HealingPolicy, { namespace }: ChunkFigures): Threshold {
  const limit = (namespace.chunkRequestsPerSecond ?? Infinity) * limitShare;
  const { enter, leave } = policy.hotChunk;
  return limit >= enter ? policy.hotChunk : { enter: limit, leave: (limit * leave) / enter };
}

/** A hot chunk gives slots to a cold neighbour when that is enough, else it is split. */
export function healHotChunks(round: Round): void {
  const { survey, findings } = round;
  const hot: { figures: ChunkFigures; sinceMs: number; useless: Refusal | undefined }[] = [];
  for (const figures of survey.chunks) {
    if (!figures.isMeasured) continue;
    const threshold = hotChunkThreshold(survey.policy, figures);
    const sinceMs = findings.above({ trigger, of: figures.chunk.chunkId }, figures.requestsPerSecond, threshold);
    // Asked in each round, also of those that are not hot: it remembers.
    const useless = lastCutDidNotHelp(round, figures);
    if (sinceMs !== undefined) hot.push({ figures, sinceMs, useless });
  }
  hot.sort((a, b) => b.figures.requestsPerSecond - a.figures.requestsPerSecond);
  for (const { figures, sinceMs, useless } of hot) {
    const refusal = round.obstacle(trigger, figures, sinceMs) ?? cool(round, figures, useless);
    if (refusal !== undefined) round.refuse(trigger, { chunkId: figures.chunk.chunkId }, refusal);
  }
}

function cool(round: Round, figures: ChunkFigures, useless: Refusal | undefined): Refusal | undefined {
  const { survey } = round;
  const { chunk, requestsPerSecond } = figures;
  if (chunk.slotEnd - chunk.slotStart < 2)
    return {
      code: 'ONE_SLOT',
      message: `${chunk.chunkId} has one slot, it cannot be cut`,
      facts: { requestsPerSecond },
    };
  if (useless !== undefined) return useless;
  const neighbour = coldNeighbour(round, figures);
  const room = reserveUnitsForParts(survey, { figures, parts: 2, mayUseSpare: false });
  if (room !== undefined) return room;
  const hotFrom = hotChunkThreshold(survey.policy, figures).enter;
  const evidence = { requestsPerSecond, hotFrom, slots: chunk.slotEnd - chunk.slotStart };
  const subject = { chunkId: chunk.chunkId };
  if (neighbour === undefined) {
    round.propose(trigger, subject, { kind: 'split', chunkId: chunk.chunkId, parts: 2, evidence }, [figures]);
    return undefined;
  }
  const { left, right, at, cold } = neighbour;
  const chunkIds = [left.chunk.chunkId, right.chunk.chunkId];
  const facts = { ...evidence, neighbour: cold.chunk.chunkId, neighbourRequestsPerSecond: cold.requestsPerSecond };
  round.propose(trigger, subject, { kind: 'shift', chunkIds, at, evidence: facts }, [figures, cold]);
  return undefined;
}

/**
 * A chunk that was cut because of its load, and has nearly all that its slots and those of its siblings do together: cutting
 * again would not help either. Shares are compared, not figures, since the load may grow while the chunk rests. Had it
 * less at any time since it came to rest, then the cut did help, and what came later is another load.
 */
function lastCutDidNotHelp(round: Round, figures: ChunkFigures): Refusal | undefined {
  const { survey, findings } = round;
  const { chunk, requestsPerSecond } = figures;
  const plan = survey.activity.cutBy.get(chunk.chunkId);
  if (plan?.trigger !== trigger) return undefined;
  const ofAll = requestsWhereCut(survey, chunk.namespace, plan);
  const hasLess = ofAll !== undefined && requestsPerSecond < ofAll * survey.policy.splitHelpsShare;
  const isAtRest = round.held(trigger, figures) === undefined;
  if (findings.ever(`helped/${plan.planId}/${chunk.chunkId}`, hasLess && isAtRest) || hasLess) return undefined;
  if (ofAll === undefined) return undefined;
  return {
    code: 'ONE_HOT_KEY',
    message:
      `${plan.kind} ${plan.planId} left it with ${Math.round(requestsPerSecond)} of the ${Math.round(ofAll)} requests per second ` +
      'of the slots that it was about: the load is that of one key or of very few. Spread it over more keys, or let more ' +
      'replicas answer (consistency eventual)',
    facts: { planId: plan.planId, requestsPerSecond, requestsPerSecondOfAll: ofAll },
  };
}

/** What all slots of a cut do now, whoever has them; `undefined` while a chunk there has not told its load. */
function requestsWhereCut({ state, chunkById }: Survey, namespace: string, { targets }: PlanState): number | undefined {
  const slotStart = Math.min(...targets.map((target) => target.slotStart));
  const slotEnd = Math.max(...targets.map((target) => target.slotEnd));
  let sum = 0;
  for (const { chunkId } of state.chunksTouching(namespace, { slotStart, slotEnd })) {
    const figures = chunkById.get(chunkId);
    if (figures?.isMeasured === false) return undefined;
    sum += figures?.requestsPerSecond ?? 0;
  }
  return sum;
}

interface Shift {
  readonly left: ChunkFigures;
  readonly right: ChunkFigures;
  readonly cold: ChunkFigures;
  /** The slot at which they meet afterwards. */
  readonly at: number;
}

/** The colder of the two neighbours, if it can take so many slots that neither is hot afterwards. */
function coldNeighbour(round: Round, hot: ChunkFigures): Shift | undefined {
  const { state, policy, chunkById } = round.survey;
  const { slotStart, slotEnd, namespace } = hot.chunk;
  const at = (slot: number): ChunkFigures | undefined => {
    const [chunk] = slot < 0 ? [] : state.chunksTouching(namespace, { slotStart: slot, slotEnd: slot + 1 });
    return chunk === undefined ? undefined : chunkById.get(chunk.chunkId);
  };
  const neighbours = [at(slotStart - 1), at(slotEnd)].filter((of) => of !== undefined);
  neighbours.sort((a, b) => a.requestsPerSecond - b.requestsPerSecond);
  const { leave } = hotChunkThreshold(policy, hot);
  for (const cold of neighbours) {
    const mean = (hot.requestsPerSecond + cold.requestsPerSecond) / 2;
    if (!cold.isMeasured || cold.requestsPerSecond > hot.requestsPerSecond * policy.shiftShareMax) continue;
    if (mean > leave || round.held(trigger, cold) !== undefined) continue;
    const slots = slotEnd - slotStart;
    const share = (hot.requestsPerSecond - mean) / hot.requestsPerSecond;
    const given = Math.min(slots - 1, Math.max(1, Math.round(slots * share)));
    if (cold.storedBytes + hot.storedBytes * share > cold.capacityBytes * policy.fullShare.leave) continue;
    return cold.chunk.slotStart < slotStart
      ? { left: cold, right: hot, cold, at: slotStart + given }
      : { left: hot, right: cold, cold, at: slotEnd - given };
  }
  return undefined;
}
