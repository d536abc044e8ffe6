import type { ChunkReplica } from '@levee/events';
import type { Threshold } from '../healing-policy';
import { hasRoom, relativeUse, isDomainFree, takeUnits } from '../room';
import type { Refusal, Round } from '../round';
import { shareOf, type ChunkFigures, type NodeFigures, type Survey } from '../survey';

const trigger = 'emptyNode';

/** So many of the fullest nodes are asked for a replica that may go. */
const donorsMax = 16;

/** A node with far fewer replicas than the others gets its share, from the fullest nodes, until it is busy. */
export function healEmptyNodes(round: Round): void {
  const { survey, findings } = round;
  const { enterBelow, fillTo } = survey.policy.emptyNode;
  const threshold = { enter: 1 - enterBelow, leave: 1 - fillTo };
  let donors: Donors | undefined;
  for (const node of survey.open) {
    const { nodeId } = node.node;
    const wanted = Math.floor(survey.meanUse * fillTo * node.units);
    if (node.used >= wanted) continue;
    const empty = 1 - relativeUse(survey, node);
    const idle = idleness(survey, node, threshold);
    const sinceMs = findings.above({ trigger, of: nodeId }, Math.min(empty, idle), threshold);
    if (sinceMs === undefined) {
      if (empty >= threshold.enter) round.refuse(trigger, { nodeId }, busy(survey, node, wanted));
      continue;
    }
    const refusal =
      round.early(trigger, sinceMs) ?? fill(round, node, { wanted, donors: (donors ??= new Donors(survey)) });
    if (refusal !== undefined) round.refuse(trigger, { nodeId }, refusal);
  }
}

/** Load up to which a node is filled: it is not near to being hot then. */
const loadMaxOf = (survey: Survey, node: NodeFigures): number =>
  Math.max(shareOf(survey, node) * survey.policy.hotNode.leave, survey.policy.hotNodePerSecondMin);

/**
 * In the words of `threshold`: `enter` for a node with no more than its share of the load, `leave` for one that has all
 * it may be filled up to. Without a stretch in between, a node with few but busy replicas would get one more whenever a
 * single look at its load is a little lower than the others.
 */
function idleness(survey: Survey, node: NodeFigures, { enter, leave }: Threshold): number {
  const room = 1 - node.load / loadMaxOf(survey, node);
  const roomToBegin = 1 - 1 / survey.policy.hotNode.leave;
  return leave + ((enter - leave) * room) / roomToBegin;
}

function busy(survey: Survey, node: NodeFigures, wanted: number): Refusal {
  const { load, used } = node;
  const message = `${node.node.nodeId} has ${used} of ${wanted} replicas that would be its share, and as much load with them as it may be filled up to`;
  return { code: 'NO_GAIN', message, facts: { used, wanted, load, share: shareOf(survey, node) } };
}

/** The nodes that are up, the fullest first; sorted once a round, since there are a thousand nodes and as many gifts. */
class Donors {
  private readonly nodes: NodeFigures[];

  constructor(private readonly survey: Survey) {
    this.nodes = [...survey.nodes.values()].filter(({ node }) => node.state === 'up');
    this.nodes.sort((a, b) => (this.isFuller(a, b) ? -1 : 1));
  }

  /** Nodes with more than their share, the fullest first. */
  *fullest(count: number): Iterable<NodeFigures> {
    for (const node of this.nodes.slice(0, count)) if (relativeUse(this.survey, node) > 1) yield node;
  }

  /** It has given one: others may be fuller now. */
  gave(node: NodeFigures): void {
    let at = this.nodes.indexOf(node);
    for (let next = this.nodes[at + 1]; next !== undefined && this.isFuller(next, node); next = this.nodes[at + 1]) {
      this.nodes[at++] = next;
      this.nodes[at] = node;
    }
  }

  private isFuller(a: NodeFigures, b: NodeFigures): boolean {
    const [one, other] = [relativeUse(this.survey, a), relativeUse(this.survey, b)];
    return one > other || (one === other && a.node.nodeId < b.node.nodeId);
  }
}

function fill(
  round: Round,
  node: NodeFigures,
  { wanted, donors }: { readonly wanted: number; readonly donors: Donors },
): Refusal | undefined {
  const { survey } = round;
  const { openPlansPerNodeMax } = survey.policy;
  const facts = { used: node.used, wanted, units: node.units, meanUse: survey.meanUse };
  if (node.loading >= openPlansPerNodeMax)
    return { code: 'PLAN_OPEN', message: `${node.loading} plans load ${node.node.nodeId} already`, facts };
  let filled = 0;
  while (node.used < wanted && node.loading < openPlansPerNodeMax && !round.isFull) {
    const gift = findGift(round, node, donors);
    if (gift === undefined) break;
    take(round, node, gift, facts);
    donors.gave(gift.from);
    filled++;
  }
  if (filled > 0) return undefined;
  const message = `${node.node.nodeId} has ${node.used} of ${wanted} replicas that would be its share, but no replica of the fullest nodes may go there now: at rest, too large for its units, or its failure domain has one`;
  return { code: 'NO_GAIN', message, facts };
}

interface Gift {
  readonly figures: ChunkFigures;
  readonly from: NodeFigures;
  readonly load: number;
  readonly role: ChunkReplica['role'];
}

function findGift(round: Round, to: NodeFigures, donors: Donors): Gift | undefined {
  for (const from of donors.fullest(donorsMax)) {
    const gift = from === to ? undefined : giftFrom(round, from, to);
    if (gift !== undefined) return gift;
  }
  return undefined;
}

/** Of the replicas that may go: one with the role that the node lacks, with a load near the mean. */
function giftFrom(round: Round, from: NodeFigures, to: NodeFigures): Gift | undefined {
  const { survey } = round;
  const lacks = to.primaries < survey.primaryShare * (to.used + 1) ? 'primary' : 'follower';
  const usual = survey.meanUse === 0 ? 0 : survey.loadPerUnit / survey.meanUse;
  const loadMax = loadMaxOf(survey, to);
  let best: { gift: Gift; rank: number } | undefined;
  for (const chunk of survey.state.chunksOn(from.node.nodeId)) {
    const figures = survey.chunkById.get(chunk.chunkId);
    const own = figures?.living.find(({ nodeId }) => nodeId === from.node.nodeId);
    if (figures === undefined || own === undefined || !isFree(round, figures, from, to)) continue;
    const rates = survey.loads.replica(own.nodeId, chunk.chunkId);
    const load = rates === undefined ? 0 : rates.readsPerSecond + rates.writesPerSecond;
    if (load > 0 && to.load + load > loadMax) continue;
    const rank = Math.abs(load - usual) / (usual + 1) + (own.role === lacks ? 0 : 1_000);
    if (best === undefined || rank < best.rank) best = { gift: { figures, from, load, role: own.role }, rank };
  }
  return best?.gift;
}

function isFree(round: Round, figures: ChunkFigures, from: NodeFigures, to: NodeFigures): boolean {
  if (!hasRoom(to, { figures, mayUseSpare: false })) return false;
  if (!isDomainFree(round.survey, figures, { from: from.node.nodeId, to })) return false;
  return !round.hasLeft(figures, to) && round.held(trigger, figures) === undefined;
}

function take(round: Round, to: NodeFigures, gift: Gift, facts: Readonly<Record<string, unknown>>): void {
  const { figures, from, load, role } = gift;
  const { chunkId } = figures.chunk;
  const evidence = {
    from: from.node.nodeId,
    to: to.node.nodeId,
    toUnitsUsed: to.used,
    toUnitsWanted: facts['wanted'],
    toUnits: to.units,
    fromUnitsUsed: from.used,
    fromUnits: from.units,
    meanUse: round.survey.meanUse,
    role,
    movedRequestsPerSecond: load,
  };
  const payload = { kind: 'move' as const, chunkId, from: from.node.nodeId, to: to.node.nodeId, evidence };
  round.propose(trigger, { chunkId, nodeId: to.node.nodeId }, payload, [figures]);
  takeUnits(to, figures.namespace.chunkCapacityBytes);
  to.loading++;
  to.load += load;
  from.load -= load;
  from.used--;
  if (role !== 'primary') return;
  to.primaries++;
  from.primaries--;
}
