import type { ChunkReplica } from '@levee/events';
import { hasRoom, relativeLoad, takenDomains, takeUnits } from '../room';
import type { Refusal, Round } from '../round';
import { shareOf, type ChunkFigures, type NodeFigures } from '../survey';

const trigger = 'hotNode';

/** A step that takes more than this multiple of what is too much would leave the node with less than its share. */
const overshootMax = 1.3;
/** Least relief, as a share of what is too much, that is worth a plan. */
const reliefShareMin = 0.02;

/** A target that gets too much must end at least so many times its share below the node, */
const gainMin = 0.1;
/** or, as with two chunks that are equally busy, at most at this share of what the node had. */
const heatShareMax = 0.8;
/** So many replicas, the busiest first, are looked at for a place elsewhere. */
const movesTriedMax = 32;

interface Step {
  readonly figures: ChunkFigures;
  readonly kind: 'promote' | 'move';
  readonly target: NodeFigures;
  /** Requests per second that leave the node, and reach the target. */
  readonly relief: number;
}

/** A node with much more than its share hands primaries over, which moves no data; what that cannot do, moves do. */
export function healHotNodes(round: Round): void {
  const { survey, findings } = round;
  const { policy } = survey;
  const up = [...survey.nodes.values()].filter(({ node }) => node.state === 'up');
  up.sort((a, b) => relativeLoad(survey, b) - relativeLoad(survey, a) || (a.node.nodeId < b.node.nodeId ? -1 : 1));
  const coolest = survey.open.toSorted((a, b) => relativeLoad(survey, a) - relativeLoad(survey, b));
  for (const node of up) {
    const { nodeId } = node.node;
    const relative = node.load < policy.hotNodePerSecondMin ? 0 : relativeLoad(survey, node);
    const sinceMs = findings.above({ trigger, of: nodeId }, relative, policy.hotNode);
    if (sinceMs === undefined) continue;
    const refusal = round.early(trigger, sinceMs) ?? round.unsettled(node) ?? relieve(round, node, coolest);
    if (refusal !== undefined) round.refuse(trigger, { nodeId }, refusal);
  }
}

function relieve(round: Round, node: NodeFigures, coolest: readonly NodeFigures[]): Refusal | undefined {
  const { survey } = round;
  const loadAtFirst = node.load;
  const allowed = shareOf(survey, node) * survey.policy.hotNode.leave;
  let steps = 0;
  for (; steps < survey.policy.handOversPerNode && node.load > allowed && !round.isFull; steps++) {
    const overload = { node, coolest, excess: node.load - allowed };
    const step = bestStep(round, { ...overload, mayHeat: false }) ?? bestStep(round, { ...overload, mayHeat: true });
    if (step === undefined) break;
    take(round, node, step, loadAtFirst);
  }
  if (steps > 0) return undefined;
  return {
    code: 'NO_GAIN',
    message:
      `${node.node.nodeId} has ${relativeLoad(survey, node).toFixed(2)} times its share of the load, and none of its ` +
      `primaries or replicas has a place elsewhere that would be better off: nodes that could take one are as busy, full, ` +
      `in a failure domain that has one, or their loads are not settled; or the chunks rest after a change`,
    facts: { load: node.load, share: shareOf(survey, node) },
  };
}

interface Overload {
  readonly node: NodeFigures;
  /** Nodes that may get replicas, roughly by load, the least first. */
  readonly coolest: readonly NodeFigures[];
  /** Requests per second that should go. */
  readonly excess: number;
  /**
   * The target may get more than it should have, as long as it ends clearly below where the node ends, or far below where
   * it began: the highest of the loads falls with every step, so this comes to an end too.
   */
  readonly mayHeat: boolean;
}

function bestStep(round: Round, overload: Overload): Step | undefined {
  const { node, excess } = overload;
  const candidates: Candidate[] = [];
  for (const chunk of round.survey.state.chunksOn(node.node.nodeId)) {
    const figures = round.survey.chunkById.get(chunk.chunkId);
    const own = figures?.living.find(({ nodeId }) => nodeId === node.node.nodeId);
    if (figures === undefined || own === undefined || round.held(trigger, figures) !== undefined) continue;
    candidates.push({ figures, own, load: loadOf(round, own, figures) });
  }
  candidates.sort((a, b) => b.load - a.load);
  const promotions = candidates.map((of) => promotion(round, overload, of)).filter((step) => step !== undefined);
  const enough = (step: { relief: number }): boolean =>
    step.relief >= excess * reliefShareMin && step.relief <= excess * overshootMax;
  const best = promotions.sort((a, b) => b.relief - a.relief).find(enough);
  if (best !== undefined) return best;
  const movable = candidates.filter(({ load }) => enough({ relief: load }));
  for (const candidate of movable.slice(0, movesTriedMax)) {
    const step = removal(round, overload, candidate);
    if (step !== undefined) return step;
  }
  return undefined;
}

interface Candidate {
  readonly figures: ChunkFigures;
  readonly own: ChunkReplica;
  readonly load: number;
}

/** The follower that becomes primary gets the primary's reads and gives it its own. */
function promotion(round: Round, overload: Overload, { figures, own }: Candidate): Step | undefined {
  if (own.role !== 'primary') return undefined;
  const { survey } = round;
  const reads = (nodeId: string): number => survey.loads.replica(nodeId, figures.chunk.chunkId)?.readsPerSecond ?? 0;
  let best: Step | undefined;
  for (const { nodeId, role } of figures.living) {
    const target = survey.nodes.get(nodeId);
    if (role !== 'follower' || target?.isOpen !== true) continue;
    const relief = reads(own.nodeId) - reads(nodeId);
    if (relief <= 0 || round.hasLeft(figures, target) || !canTake(round, overload, { target, relief })) continue;
    if (best === undefined || relativeLoad(survey, target) < relativeLoad(survey, best.target))
      best = { figures, kind: 'promote', target, relief };
  }
  return best;
}

function removal(round: Round, overload: Overload, { figures, load: relief }: Candidate): Step | undefined {
  const { survey } = round;
  const { node: from, coolest } = overload;
  const domains = takenDomains(survey, { figures, replaced: from.node.nodeId });
  const target = coolest.find(
    (node) =>
      node !== from &&
      !domains.has(node.node.domain) &&
      hasRoom(node, { figures, mayUseSpare: false }) &&
      !round.hasLeft(figures, node) &&
      canTake(round, overload, { target: node, relief }),
  );
  return target === undefined ? undefined : { figures, kind: 'move', target, relief };
}

/** Without coming near to being hot itself, or at least nearer to its share than the node will be, or was by far. */
function canTake(
  round: Round,
  { node, mayHeat }: Overload,
  { target, relief }: { target: NodeFigures; relief: number },
): boolean {
  const { survey } = round;
  const { leave } = survey.policy.hotNode;
  const nodeAfter = (node.load - relief) / shareOf(survey, node);
  const limit = mayHeat ? Math.max(leave, nodeAfter - gainMin, relativeLoad(survey, node) * heatShareMax) : leave;
  return (target.load + relief) / shareOf(survey, target) <= limit && round.unsettled(target) === undefined;
}

function take(round: Round, node: NodeFigures, { figures, kind, target, relief }: Step, loadAtFirst: number): void {
  const { survey } = round;
  const { chunkId } = figures.chunk;
  const [from, to] = [node.node.nodeId, target.node.nodeId];
  const evidence = {
    from,
    to,
    fromRequestsPerSecond: loadAtFirst,
    fromShare: shareOf(survey, node),
    toRequestsPerSecond: target.load,
    toShare: shareOf(survey, target),
    movedRequestsPerSecond: relief,
  };
  const payload = kind === 'promote' ? { kind, chunkId, to, evidence } : { kind, chunkId, from, to, evidence };
  round.propose(trigger, { chunkId, nodeId: from }, payload, [figures]);
  node.load -= relief;
  target.load += relief;
  if (kind === 'promote') {
    node.primaries--;
    target.primaries++;
  } else takeUnits(target, figures.namespace.chunkCapacityBytes);
}

function loadOf({ survey }: Round, { nodeId }: ChunkReplica, { chunk }: ChunkFigures): number {
  const rates = survey.loads.replica(nodeId, chunk.chunkId);
  return rates === undefined ? 0 : rates.readsPerSecond + rates.writesPerSecond;
}
