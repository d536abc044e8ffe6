import type {
  ChunkRoute,
  ChunkState,
  CommandOutcome,
  EntityRemoved,
  NamespaceState,
  NodeState,
  PlanState,
  UnitState,
  UserState,
} from '@levee/events';
import { unreachable } from '@levee/kernel';
import { entityId, entityKind, type ClusterEvent, type ClusterIdentity } from './event';
import { LayeredGroups, LayeredMap } from './layers';
import { SlotOrder } from './slot-order';

/**
 * The entities of the control plane, each as the last event left it, and the indexes over them. Lookups return
 * `undefined` for what is unknown; what they return is frozen by type and replaced, never changed, by later events.
 */
export class Entities {
  private identityEntity: ClusterIdentity | undefined;
  private highestSeq: number;
  private readonly namespaceMap: LayeredMap<NamespaceState>;
  private readonly nodeMap: LayeredMap<NodeState>;
  private readonly unitMap: LayeredMap<UnitState>;
  private readonly chunkMap: LayeredMap<ChunkState>;
  private readonly routeMap: LayeredMap<ChunkRoute>;
  private readonly outcomeMap: LayeredMap<CommandOutcome>;
  private readonly planMap: LayeredMap<PlanState>;
  private readonly userMap: LayeredMap<UserState>;
  private readonly openPlanIds: LayeredGroups;
  private readonly chunkIdsByNamespace: LayeredGroups;
  private readonly unitIdsByNode: LayeredGroups;
  private readonly freeUnitIdsByNode: LayeredGroups;
  private readonly nodeIdsByStore: LayeredGroups;
  private readonly routeIdsByNamespace: LayeredGroups;
  private readonly slotOrder = new SlotOrder();

  /** `below`: what this one, a draft's, reads through to; it must not change while the draft lives. */
  constructor(private readonly below?: Entities) {
    this.identityEntity = below?.identityEntity;
    this.highestSeq = below?.highestSeq ?? 0;
    this.namespaceMap = new LayeredMap(below?.namespaceMap);
    this.nodeMap = new LayeredMap(below?.nodeMap);
    this.unitMap = new LayeredMap(below?.unitMap);
    this.chunkMap = new LayeredMap(below?.chunkMap);
    this.routeMap = new LayeredMap(below?.routeMap);
    this.outcomeMap = new LayeredMap(below?.outcomeMap);
    this.planMap = new LayeredMap(below?.planMap);
    this.userMap = new LayeredMap(below?.userMap);
    this.openPlanIds = new LayeredGroups(below?.openPlanIds);
    this.chunkIdsByNamespace = new LayeredGroups(below?.chunkIdsByNamespace);
    this.unitIdsByNode = new LayeredGroups(below?.unitIdsByNode);
    this.freeUnitIdsByNode = new LayeredGroups(below?.freeUnitIdsByNode);
    this.nodeIdsByStore = new LayeredGroups(below?.nodeIdsByStore);
    this.routeIdsByNamespace = new LayeredGroups(below?.routeIdsByNamespace);
  }

  /** UUID of the cluster; `undefined` before InitCluster. */
  get clusterId(): string | undefined {
    return this.identityEntity?.clusterId;
  }

  get identity(): ClusterIdentity | undefined {
    return this.identityEntity;
  }

  /** Highest seq of any event folded in; 0 = none. */
  get seq(): number {
    return this.highestSeq;
  }

  get counts(): Readonly<
    Record<'namespaces' | 'nodes' | 'units' | 'chunks' | 'routes' | 'outcomes' | 'plans' | 'users', number>
  > {
    return {
      namespaces: this.namespaceMap.size,
      nodes: this.nodeMap.size,
      units: this.unitMap.size,
      chunks: this.chunkMap.size,
      routes: this.routeMap.size,
      outcomes: this.outcomeMap.size,
      plans: this.planMap.size,
      users: this.userMap.size,
    };
  }

  namespace(name: string): NamespaceState | undefined {
    return this.namespaceMap.get(name);
  }
  node(nodeId: string): NodeState | undefined {
    return this.nodeMap.get(nodeId);
  }
  unit(unitId: string): UnitState | undefined {
    return this.unitMap.get(unitId);
  }
  chunk(chunkId: string): ChunkState | undefined {
    return this.chunkMap.get(chunkId);
  }
  route(chunkId: string): ChunkRoute | undefined {
    return this.routeMap.get(chunkId);
  }
  outcome(commandId: string): CommandOutcome | undefined {
    return this.outcomeMap.get(commandId);
  }
  plan(planId: string): PlanState | undefined {
    return this.planMap.get(planId);
  }
  user(name: string): UserState | undefined {
    return this.userMap.get(name);
  }

  namespaces(): Iterable<NamespaceState> {
    return this.namespaceMap.values();
  }
  nodes(): Iterable<NodeState> {
    return this.nodeMap.values();
  }
  units(): Iterable<UnitState> {
    return this.unitMap.values();
  }
  chunks(): Iterable<ChunkState> {
    return this.chunkMap.values();
  }
  routes(): Iterable<ChunkRoute> {
    return this.routeMap.values();
  }
  /** Oldest first. */
  outcomes(): Iterable<CommandOutcome> {
    return this.outcomeMap.values();
  }
  /** Also those that are over, oldest first. */
  plans(): Iterable<PlanState> {
    return this.planMap.values();
  }
  users(): Iterable<UserState> {
    return this.userMap.values();
  }
  /** Plans that are not over: not done, cancelled or rolledBack. */
  *openPlans(): Iterable<PlanState> {
    for (const id of this.openPlanIds.members('open')) yield this.planMap.get(id) as PlanState;
  }
  get overPlanCount(): number {
    return this.planMap.size - this.openPlanIds.count('open');
  }
  *unitsOf(nodeId: string): Iterable<UnitState> {
    for (const id of this.unitIdsByNode.members(nodeId)) yield this.unitMap.get(id) as UnitState;
  }
  *freeUnitsOf(nodeId: string): Iterable<UnitState> {
    for (const id of this.freeUnitIdsByNode.members(nodeId)) yield this.unitMap.get(id) as UnitState;
  }
  freeUnitCount(nodeId: string): number {
    return this.freeUnitIdsByNode.count(nodeId);
  }
  unitCount(nodeId: string): number {
    return this.unitIdsByNode.count(nodeId);
  }
  /** The nodes that hold `storeId`: at most one. */
  nodeOfStore(storeId: string): NodeState | undefined {
    for (const id of this.nodeIdsByStore.members(storeId)) return this.nodeMap.get(id);
    return undefined;
  }

  /** Chunks that serve a namespace, by ascending slot. */
  chunksOf(namespace: string): ChunkState[] {
    return this.chunksTouching(namespace, { slotStart: 0, slotEnd: Number.MAX_SAFE_INTEGER });
  }

  /** Every chunk of a namespace, also those that a plan builds or has superseded. */
  *everyChunkOf(namespace: string): Iterable<ChunkState> {
    for (const id of this.chunkIdsByNamespace.members(namespace)) yield this.chunkMap.get(id) as ChunkState;
  }

  /** The serving chunks that hold any of these slots, by ascending slot. */
  chunksTouching(namespace: string, slots: { slotStart: number; slotEnd: number }): ChunkState[] {
    const own = this.slotOrder.overlapping(namespace, slots.slotStart, slots.slotEnd);
    if (this.below === undefined) return own;
    const under = this.below.chunksTouching(namespace, slots).filter((c) => !this.chunkMap.overrides(c.chunkId));
    return own.length === 0 ? under : [...under, ...own].sort((a, b) => a.slotStart - b.slotStart);
  }

  /** Chunks with a replica (of any role) in a unit of this node. */
  *chunksOn(nodeId: string): Iterable<ChunkState> {
    for (const unit of this.unitsOf(nodeId)) {
      const chunk = unit.chunkId === null ? undefined : this.chunk(unit.chunkId);
      if (chunk !== undefined) yield chunk;
    }
  }

  *routesOf(namespace: string): Iterable<ChunkRoute> {
    for (const id of this.routeIdsByNamespace.members(namespace)) yield this.routeMap.get(id) as ChunkRoute;
  }

  /** Every entity as an event, in an order in which `evolve` accepts them. */
  *events(): Iterable<ClusterEvent> {
    if (this.identityEntity !== undefined) yield { kind: 'cluster', entity: this.identityEntity };
    for (const entity of this.namespaceMap.values()) yield { kind: 'namespace', entity };
    for (const entity of this.nodeMap.values()) yield { kind: 'node', entity };
    for (const entity of this.unitMap.values()) yield { kind: 'unit', entity };
    for (const entity of this.chunkMap.values()) yield { kind: 'chunk', entity };
    for (const entity of this.routeMap.values()) yield { kind: 'route', entity };
    for (const entity of this.planMap.values()) yield { kind: 'plan', entity };
    for (const entity of this.userMap.values()) yield { kind: 'user', entity };
    for (const entity of this.outcomeMap.values()) yield { kind: 'outcome', entity };
  }

  /** Seq of the last event of the entity that this one is about; 0 = none. */
  protected seqOf(event: ClusterEvent): number {
    const kind = entityKind(event);
    const key = entityId(event);
    switch (kind) {
      case 'cluster':
        return this.identityEntity?.seq ?? 0;
      case 'namespace':
        return this.namespaceMap.get(key)?.seq ?? 0;
      case 'node':
        return this.nodeMap.get(key)?.seq ?? 0;
      case 'unit':
        return this.unitMap.get(key)?.seq ?? 0;
      case 'chunk':
        return this.chunkMap.get(key)?.seq ?? 0;
      case 'route':
        return this.routeMap.get(key)?.seq ?? 0;
      case 'outcome':
        return this.outcomeMap.get(key)?.seq ?? 0;
      case 'plan':
        return this.planMap.get(key)?.seq ?? 0;
      case 'user':
        return this.userMap.get(key)?.seq ?? 0;
      default:
        return unreachable(kind);
    }
  }

  /** Takes the event as it is: whether it fits is not asked here. */
  protected apply(event: ClusterEvent): void {
    this.highestSeq = Math.max(this.highestSeq, event.entity.seq);
    switch (event.kind) {
      case 'cluster':
        this.identityEntity = event.entity;
        return;
      case 'namespace':
        return this.namespaceMap.set(event.entity.name, event.entity);
      case 'node':
        return this.applyNode(event.entity);
      case 'unit':
        return this.applyUnit(event.entity);
      case 'chunk':
        return this.applyChunk(event.entity);
      case 'route':
        return this.applyRoute(event.entity);
      case 'outcome':
        return this.outcomeMap.set(event.entity.commandId, event.entity);
      case 'plan':
        return this.applyPlan(event.entity);
      case 'user':
        return this.userMap.set(event.entity.name, event.entity);
      case 'removed':
        return this.applyRemoved(event.entity);
      default:
        return unreachable(event);
    }
  }

  private applyNode(node: NodeState): void {
    const before = this.nodeMap.get(node.nodeId);
    if (before?.storeId !== node.storeId) {
      if (before !== undefined) this.nodeIdsByStore.remove(before.storeId, node.nodeId);
      this.nodeIdsByStore.add(node.storeId, node.nodeId);
    }
    this.nodeMap.set(node.nodeId, node);
  }

  private applyUnit(unit: UnitState): void {
    this.unitMap.set(unit.unitId, unit);
    this.unitIdsByNode.add(unit.nodeId, unit.unitId);
    if (unit.state === 'free') this.freeUnitIdsByNode.add(unit.nodeId, unit.unitId);
    else this.freeUnitIdsByNode.remove(unit.nodeId, unit.unitId);
  }

  private applyChunk(chunk: ChunkState): void {
    const before = this.chunkMap.get(chunk.chunkId);
    if (before?.state === 'serving') this.slotOrder.remove(before);
    if (before !== undefined) this.chunkIdsByNamespace.remove(before.namespace, chunk.chunkId);
    if (chunk.state === 'serving') this.slotOrder.add(chunk);
    this.chunkMap.set(chunk.chunkId, chunk);
    this.chunkIdsByNamespace.add(chunk.namespace, chunk.chunkId);
  }

  private applyRoute(route: ChunkRoute): void {
    const before = this.routeMap.get(route.chunkId);
    if (before !== undefined) this.routeIdsByNamespace.remove(before.namespace, route.chunkId);
    this.routeMap.set(route.chunkId, route);
    this.routeIdsByNamespace.add(route.namespace, route.chunkId);
  }

  private applyPlan(plan: PlanState): void {
    this.planMap.set(plan.planId, plan);
    if (isPlanOver(plan)) this.openPlanIds.remove('open', plan.planId);
    else this.openPlanIds.add('open', plan.planId);
  }

  private applyRemoved({ entity, key }: EntityRemoved): void {
    switch (entity) {
      case 'namespace':
        return this.namespaceMap.delete(key);
      case 'node': {
        const node = this.nodeMap.get(key);
        if (node !== undefined) this.nodeIdsByStore.remove(node.storeId, key);
        return this.nodeMap.delete(key);
      }
      case 'unit': {
        const unit = this.unitMap.get(key);
        if (unit !== undefined) {
          this.unitIdsByNode.remove(unit.nodeId, key);
          this.freeUnitIdsByNode.remove(unit.nodeId, key);
        }
        return this.unitMap.delete(key);
      }
      case 'chunk': {
        const chunk = this.chunkMap.get(key);
        if (chunk !== undefined) {
          if (chunk.state === 'serving') this.slotOrder.remove(chunk);
          this.chunkIdsByNamespace.remove(chunk.namespace, key);
        }
        return this.chunkMap.delete(key);
      }
      case 'route': {
        const route = this.routeMap.get(key);
        if (route !== undefined) this.routeIdsByNamespace.remove(route.namespace, key);
        return this.routeMap.delete(key);
      }
      case 'outcome':
        return this.outcomeMap.delete(key);
      case 'plan':
        this.openPlanIds.remove('open', key);
        return this.planMap.delete(key);
      case 'user':
        return this.userMap.delete(key);
      default:
        return unreachable(entity);
    }
  }
}

/** Nothing is left to do, and nothing can be undone. */
export function isPlanOver({ state }: Pick<PlanState, 'state'>): boolean {
  return state === 'done' || state === 'cancelled' || state === 'rolledBack';
}
