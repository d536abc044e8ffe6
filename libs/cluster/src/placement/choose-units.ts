import { unknownNode } from '../commands/nodes/unknown-node';
import type { NodeState, UnitState } from '@levee/events';
import { reject, type Rejection } from '../rejection';
import type { ClusterState } from '../state/state';
import { moreUnitsAdvice } from './unit-budget';

/** Where one new replica may be. */
export interface UnitRequest {
  /** For messages, such as the chunk's id. */
  readonly purpose: string;
  /** Capacity the unit must have. */
  readonly unitBytesMin: number;
  /** Engine preferred; with `engineOnly` no other will do. */
  readonly engine: UnitState['engine'];
  readonly engineOnly: boolean;
  /** This node, this unit, and no other. */
  readonly nodeId?: string | undefined;
  readonly unitId?: string | undefined;
  /** Not this node: it has the replica now, and another unit of it would change nothing. */
  readonly notOn?: string | undefined;
  /** Nodes to take before others, the best first. */
  readonly nodesPreferred: readonly string[];
  /** Failure domains that other replicas of the chunk are in. */
  readonly domainsTaken: ReadonlySet<string>;
}

/**
 * Chooses units one at a time for one decision; what it gave is not given again. Of the nodes that may take a replica the
 * preferred ones come first, then those with the engine, then the emptiest; on a node the smallest unit that suffices.
 */
export class UnitChoice {
  private readonly taken = new Set<string>();
  private readonly takenOn = new Map<string, number>();
  private readonly open: readonly NodeState[];

  /** `closed`: nodes that take nothing new: cordoned, or being emptied. */
  constructor(
    private readonly state: ClusterState,
    private readonly closed: ReadonlySet<string>,
  ) {
    this.open = [...state.nodes()]
      .filter((node) => node.state === 'up' && !closed.has(node.nodeId))
      .sort((a, b) => (a.nodeId < b.nodeId ? -1 : 1));
  }

  take(request: UnitRequest): UnitState | Rejection {
    const unit = request.unitId === undefined ? this.best(request) : this.named(request, request.unitId);
    if ('code' in unit) return unit;
    this.taken.add(unit.unitId);
    this.takenOn.set(unit.nodeId, (this.takenOn.get(unit.nodeId) ?? 0) + 1);
    return unit;
  }

  private named(request: UnitRequest, unitId: string): UnitState | Rejection {
    const unit = this.state.unit(unitId);
    if (unit === undefined) return reject('UNIT_UNKNOWN', `there is no unit ${unitId}`);
    if (request.nodeId !== undefined && unit.nodeId !== request.nodeId)
      return reject(
        'UNIT_UNKNOWN',
        `unit ${unitId} is on node ${unit.nodeId}, not on ${request.nodeId}: name one of them`,
      );
    if (unit.state !== 'free' || this.taken.has(unitId))
      return reject(
        'UNIT_NOT_FREE',
        `unit ${unitId} is ${unit.state} for ${unit.chunkId ?? request.purpose}: name a free one, or none`,
      );
    if (request.engineOnly && unit.engine !== request.engine)
      return reject('UNIT_TOO_SMALL', `unit ${unitId} stores in ${unit.engine}, asked for was ${request.engine}`);
    if (unit.capacityBytes < request.unitBytesMin) return tooSmall(request, unit);
    return this.nodeProblem(unit.nodeId, request) ?? unit;
  }

  private best(request: UnitRequest): UnitState | Rejection {
    if (request.nodeId !== undefined) {
      const problem = this.nodeProblem(request.nodeId, request);
      if (problem !== undefined) return problem;
    }
    const candidates = this.open.filter(
      ({ nodeId, domain }) =>
        (request.nodeId === undefined || nodeId === request.nodeId) &&
        nodeId !== request.notOn &&
        !request.domainsTaken.has(domain),
    );
    for (const preferred of request.nodesPreferred) {
      const unit = candidates.some(({ nodeId }) => nodeId === preferred) ? this.bestOn(preferred, request) : undefined;
      if (unit !== undefined) return unit;
    }
    let best: { readonly unit: UnitState; readonly order: readonly number[] } | undefined;
    for (const { nodeId } of candidates) {
      // With hundreds of nodes of hundreds of units, those that could not win are not looked into.
      if (best !== undefined && !comesBefore([0, ...this.fillingOf(nodeId)], best.order)) continue;
      const unit = this.bestOn(nodeId, request);
      if (unit === undefined) continue;
      const order = [unit.engine === request.engine ? 0 : 1, ...this.fillingOf(nodeId)];
      if (best === undefined || comesBefore(order, best.order)) best = { unit, order };
    }
    return best?.unit ?? this.refusal(request, candidates);
  }

  private bestOn(nodeId: string, request: UnitRequest): UnitState | undefined {
    let best: UnitState | undefined;
    for (const unit of this.state.freeUnitsOf(nodeId)) {
      if (this.taken.has(unit.unitId) || unit.capacityBytes < request.unitBytesMin) continue;
      if (request.engineOnly && unit.engine !== request.engine) continue;
      if (best === undefined || fitsBetter(unit, best, request.engine)) best = unit;
    }
    return best;
  }

  private largestOn(nodeId: string, request: UnitRequest): UnitState | undefined {
    let largest: UnitState | undefined;
    for (const unit of this.state.freeUnitsOf(nodeId))
      if (!this.taken.has(unit.unitId) && (!request.engineOnly || unit.engine === request.engine))
        largest = larger(largest, unit);
    return largest;
  }

  /** The emptiest node first, of equally full ones that with the most free units. */
  private fillingOf(nodeId: string): readonly [number, number] {
    const units = this.state.unitCount(nodeId);
    const free = this.state.freeUnitCount(nodeId) - (this.takenOn.get(nodeId) ?? 0);
    return [(units - free) / units, -free];
  }

  private nodeProblem(nodeId: string, request: UnitRequest): Rejection | undefined {
    const node = this.state.node(nodeId);
    if (node === undefined) return unknownNode(this.state, nodeId);
    if (node.cordoned)
      return reject('NODE_CORDONED', `node ${nodeId} is cordoned: uncordon it, or name another node, or none`);
    if (this.closed.has(nodeId))
      return reject('PLAN_CONFLICT', `node ${nodeId} is being emptied by a plan: name another node, or none`);
    if (node.state !== 'up')
      return reject('NODE_UNKNOWN', `node ${nodeId} is ${node.state}, not up: name another node, or none`);
    if (!request.domainsTaken.has(node.domain)) return undefined;
    return reject(
      'DOMAIN_TAKEN',
      `${request.purpose} has a replica in failure domain ${node.domain} of node ${nodeId} already: name a node elsewhere`,
    );
  }

  private refusal(request: UnitRequest, candidates: readonly NodeState[]): Rejection {
    const largest = candidates
      .map(({ nodeId }) => this.largestOn(nodeId, request))
      .reduce((one, other) => larger(one, other), undefined);
    if (largest !== undefined && largest.capacityBytes < request.unitBytesMin) return tooSmall(request, largest);
    const elsewhere = this.open.filter(
      ({ domain, nodeId }) => !request.domainsTaken.has(domain) && nodeId !== request.notOn,
    );
    if (elsewhere.length === 0) {
      const here = this.open.some(({ nodeId }) => nodeId === request.notOn)
        ? `, or name --to ${request.notOn} for another unit of it`
        : '';
      return reject(
        'NOT_ENOUGH_DOMAINS',
        `${request.purpose} has replicas in every failure domain with a node that is up and takes replicas: start a node in ` +
          `another domain (LEVEE_DOMAIN)${here}`,
      );
    }
    return reject(
      'NOT_ENOUGH_UNITS',
      `${request.purpose} needs a free ${request.engineOnly ? `${request.engine} ` : ''}unit of at least ${request.unitBytesMin} bytes` +
        `${request.nodeId === undefined ? '' : ` on node ${request.nodeId}`}; the ${elsewhere.length} nodes in question have ` +
        `none: wait until plans under way have given theirs back; ${moreUnitsAdvice}`,
    );
  }
}

function tooSmall({ purpose, unitBytesMin }: UnitRequest, { unitId, capacityBytes }: UnitState): Rejection {
  return reject(
    'UNIT_TOO_SMALL',
    `unit ${unitId} has ${capacityBytes} bytes, ${purpose} may grow to ${unitBytesMin}: name a bigger one, or add some`,
  );
}

function fitsBetter(a: UnitState, b: UnitState, engine: UnitState['engine']): boolean {
  const order =
    Number(b.engine === engine) - Number(a.engine === engine) ||
    a.capacityBytes - b.capacityBytes ||
    (a.unitId < b.unitId ? -1 : 1);
  return order < 0;
}

function larger(a: UnitState | undefined, b: UnitState | undefined): UnitState | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return b.capacityBytes > a.capacityBytes ? b : a;
}

function comesBefore(a: readonly number[], b: readonly number[]): boolean {
  for (const [i, one] of a.entries()) if (one !== b[i]) return one < (b[i] as number);
  return false;
}
