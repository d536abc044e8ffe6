import type { ChunkFigures, NodeFigures, Survey } from './survey';
import { shareOf } from './survey';

export interface RoomRequest {
  readonly figures: ChunkFigures;
  /** Node whose replica is replaced: its failure domain counts as free. */
  readonly replaced?: string;
  /** The units kept for healing may be taken. */
  readonly mayUseSpare: boolean;
  /** Least capacity in bytes; default what the namespace asks for. */
  readonly bytesMin?: number;
  readonly isGood?: (node: NodeFigures) => boolean;
  /** Of several the lowest wins; equal ones by name. */
  readonly rank: (node: NodeFigures) => number;
}

/** The best node for one more replica: open, another failure domain, a free unit; `undefined` when there is none. */
export function chooseNode(survey: Survey, request: RoomRequest): NodeFigures | undefined {
  const domains = takenDomains(survey, request);
  let best: { node: NodeFigures; rank: number } | undefined;
  for (const node of survey.open) {
    if (domains.has(node.node.domain) || !hasRoom(node, request)) continue;
    if (node.loading >= survey.policy.openPlansPerNodeMax || request.isGood?.(node) === false) continue;
    const rank = request.rank(node);
    if (best === undefined || rank < best.rank || (rank === best.rank && node.node.nodeId < best.node.node.nodeId))
      best = { node, rank };
  }
  return best?.node;
}

/** Whether the node has a free unit for it. */
export function hasRoom(
  node: NodeFigures,
  request: Pick<RoomRequest, 'figures' | 'mayUseSpare' | 'bytesMin'>,
): boolean {
  const { freeUnits, spare } = node;
  const bytesMin = request.bytesMin ?? request.figures.namespace.chunkCapacityBytes;
  return freeUnits.length > (request.mayUseSpare ? 0 : spare) && (freeUnits.at(-1) ?? 0) >= bytesMin;
}

/** Whether no other replica of the chunk is in the failure domain of `to`, when the one on `from` goes. */
export function isDomainFree(
  survey: Survey,
  figures: ChunkFigures,
  { from, to }: { readonly from: string; readonly to: NodeFigures },
): boolean {
  return !takenDomains(survey, { figures, replaced: from }).has(to.node.domain);
}

/** Failure domains in which the chunk has a replica that stays. */
export function takenDomains(
  survey: Survey,
  { figures, replaced }: Pick<RoomRequest, 'figures' | 'replaced'>,
): ReadonlySet<string> {
  const domains = new Set<string>();
  for (const { nodeId, role } of figures.chunk.replicas) {
    if (role === 'dead' || nodeId === replaced) continue;
    const domain = survey.nodes.get(nodeId)?.node.domain;
    if (domain !== undefined) domains.add(domain);
  }
  return domains;
}

/** Counts `units` units of at least `bytesMin` as taken: the smallest that fit. */
export function takeUnits(node: NodeFigures, bytesMin: number, units = 1): void {
  for (let i = 0; i < units; i++) {
    const at = node.freeUnits.findIndex((bytes) => bytes >= bytesMin);
    if (at < 0) return;
    node.freeUnits.splice(at, 1);
    node.used++;
  }
}

/** Share of its units in use, as a multiple of the mean. */
export const relativeUse = (of: Survey, node: NodeFigures): number =>
  node.units === 0 || of.meanUse === 0 ? 1 : node.used / node.units / of.meanUse;

/** Load as a multiple of its share. */
export const relativeLoad = (of: Survey, node: NodeFigures): number => {
  const share = shareOf(of, node);
  return share === 0 ? 1 : node.load / share;
};

/** What a full look at free units shows, for people. */
export function roomFacts(survey: Survey, request: RoomRequest): Readonly<Record<string, unknown>> {
  const domains = takenDomains(survey, request);
  const elsewhere = survey.open.filter(({ node }) => !domains.has(node.domain));
  return {
    nodesOpen: survey.open.length,
    nodesInOtherDomains: elsewhere.length,
    nodesWithFreeUnit: elsewhere.filter((node) => hasRoom(node, { ...request, mayUseSpare: true })).length,
    nodesWithUnitBeyondSpare: elsewhere.filter((node) => hasRoom(node, { ...request, mayUseSpare: false })).length,
    unitBytesMin: request.bytesMin ?? request.figures.namespace.chunkCapacityBytes,
  };
}
