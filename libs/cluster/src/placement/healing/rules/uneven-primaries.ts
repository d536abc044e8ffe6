import { relativeLoad } from '../room';
import type { Round } from '../round';
import { shareOf, type ChunkFigures, type NodeFigures, type Survey } from '../survey';

const trigger = 'unevenPrimaries';

/** A hand-over brings two nodes nearer to each other only when they are at least so far apart. */
const apart = { enter: 2, leave: 1.5 };

interface HandOver {
  readonly figures: ChunkFigures;
  readonly to: NodeFigures;
}

/**
 * A node that leads more chunks than a follower of one of them hands it that chunk, until nothing becomes more even by
 * that: so after a failover, once the node is back. No data moves. Never to a node that would be hot by it: what the load
 * asks for comes before even numbers.
 */
export function evenPrimaries(round: Round): void {
  const { survey, findings } = round;
  const up = [...survey.nodes.values()].filter(({ node }) => node.state === 'up');
  up.sort((a, b) => b.primaries - a.primaries || (a.node.nodeId < b.node.nodeId ? -1 : 1));
  for (const node of up) {
    const { nodeId } = node.node;
    const gap = widestGap(survey, node);
    const sinceMs = findings.above({ trigger, of: nodeId }, gap, apart);
    if (sinceMs === undefined || round.early(trigger, sinceMs) !== undefined) continue;
    for (let steps = 0; steps < survey.policy.handOversPerNode && !round.isFull; steps++) {
      const handOver = bestHandOver(round, node);
      if (handOver === undefined) break;
      take(round, node, handOver);
    }
  }
}

/** How many more primaries the node has than the one with the fewest that could take one of them. */
function widestGap(survey: Survey, node: NodeFigures): number {
  let gap = 0;
  for (const { to } of handOvers(survey, node)) gap = Math.max(gap, node.primaries - to.primaries);
  return gap;
}

function bestHandOver(round: Round, node: NodeFigures): HandOver | undefined {
  let best: HandOver | undefined;
  for (const handOver of handOvers(round.survey, node)) {
    const { figures, to } = handOver;
    if (node.primaries - to.primaries < apart.enter || to.primaries >= (best?.to.primaries ?? Infinity)) continue;
    if (round.held(trigger, figures) !== undefined || round.hasLeft(figures, to)) continue;
    if (staysCool(round, node, handOver)) best = handOver;
  }
  return best;
}

/** Every chunk that the node leads, with every follower on a node that may get more. */
function* handOvers(survey: Survey, { node }: NodeFigures): Iterable<HandOver> {
  for (const { chunkId } of survey.state.chunksOn(node.nodeId)) {
    const figures = survey.chunkById.get(chunkId);
    if (figures?.living.some(({ nodeId, role }) => nodeId === node.nodeId && role === 'primary') !== true) continue;
    for (const { nodeId, role } of figures.living) {
      const to = survey.nodes.get(nodeId);
      if (role === 'follower' && to?.isOpen === true) yield { figures, to };
    }
  }
}

function staysCool({ survey }: Round, node: NodeFigures, { figures, to }: HandOver): boolean {
  const { hotNode, hotNodePerSecondMin } = survey.policy;
  const load = to.load + Math.max(0, relief(survey, node, { figures, to }));
  return load < hotNodePerSecondMin || load <= shareOf(survey, to) * hotNode.leave;
}

/** Requests per second that the new primary gets beyond its own. */
function relief({ loads }: Survey, node: NodeFigures, { figures, to }: HandOver): number {
  const reads = (of: NodeFigures): number => loads.replica(of.node.nodeId, figures.chunk.chunkId)?.readsPerSecond ?? 0;
  return reads(node) - reads(to);
}

function take(round: Round, node: NodeFigures, handOver: HandOver): void {
  const { figures, to } = handOver;
  const { chunkId } = figures.chunk;
  const more = relief(round.survey, node, handOver);
  const evidence = {
    from: node.node.nodeId,
    to: to.node.nodeId,
    fromPrimaries: node.primaries,
    toPrimaries: to.primaries,
    toRelativeLoad: relativeLoad(round.survey, to),
    movedRequestsPerSecond: more,
  };
  const payload = { kind: 'promote' as const, chunkId, to: to.node.nodeId, evidence };
  round.propose(trigger, { chunkId, nodeId: node.node.nodeId }, payload, [figures]);
  node.primaries--;
  to.primaries++;
  node.load -= more;
  to.load += more;
}
