import type { ChunkReplica, ChunkState, NodeState } from '@levee/events';
import type { DecideContext } from '../../decide-context';
import type { ClusterEvent } from '../../state/event';
import type { FollowerBehind } from '../../liveness/followers-behind';
import type { ClusterState } from '../../state/state';
import { routeOf } from '../../state/route-of';

/** Nodes that could hold a primary, the best state first. */
const stateRank: Readonly<Record<NodeState['state'], number>> = { up: 0, maintenance: 1, suspect: 2, lost: 3 };

/**
 * Chooses new primaries within one decision. No data moves and no write depends on it: the primary is only whom readers
 * ask first and whom `ack=primary` waits for, so one that lags costs time, never a write.
 */
export class Promotions {
  private counts: Map<string, number> | undefined;
  /** Records that a follower lacks, by chunk and node. */
  private readonly behind = new Map<string, number>();

  /** `nodeStates`: states that this decision is about to give, which `state` does not know yet; `behind`: who lags. */
  constructor(
    private readonly state: ClusterState,
    private readonly nodeStates: ReadonlyMap<string, NodeState['state']> = new Map(),
    behind: readonly FollowerBehind[] = [],
  ) {
    for (const { chunkId, nodeId, records } of behind) this.behind.set(`${chunkId} ${nodeId}`, records);
  }

  stateOf(nodeId: string): NodeState['state'] | undefined {
    return this.nodeStates.get(nodeId) ?? this.state.node(nodeId)?.state;
  }

  isUp(nodeId: string): boolean {
    return this.stateOf(nodeId) === 'up';
  }

  /**
   * The replicas with another primary when the present one is on a node that is not up (or dead) and a follower on an
   * `up` node can take over, of several the one that lags least, then the one whose node has the fewest primaries. With
   * `anyNode` a follower on a node that is not up will do, if that is better still. The same array when nothing changes.
   */
  improve(
    replicas: readonly ChunkReplica[],
    options: { readonly anyNode?: boolean; readonly chunkId?: string } = {},
  ): readonly ChunkReplica[] {
    const primary = replicas.find(({ role }) => role === 'primary');
    if (primary !== undefined && this.isUp(primary.nodeId)) return replicas;
    const successor = this.successor(replicas, options);
    if (successor === undefined) return replicas;
    if (primary !== undefined && this.rank(successor) >= this.rank(primary)) return replicas;
    if (primary !== undefined) this.count(primary.nodeId, -1);
    this.count(successor.nodeId, 1);
    return replicas.map((replica) => {
      if (replica === primary) return { ...replica, role: 'follower' };
      return replica === successor ? { ...replica, role: 'primary' } : replica;
    });
  }

  private successor(
    replicas: readonly ChunkReplica[],
    { anyNode, chunkId = '' }: { readonly anyNode?: boolean; readonly chunkId?: string },
  ): ChunkReplica | undefined {
    const lacks = ({ nodeId }: ChunkReplica): number => this.behind.get(`${chunkId} ${nodeId}`) ?? 0;
    const worst = anyNode === true ? stateRank.suspect : stateRank.up;
    return replicas
      .filter((of) => of.role === 'follower' && this.rank(of) <= worst)
      .sort(
        (a, b) =>
          this.rank(a) - this.rank(b) ||
          lacks(a) - lacks(b) ||
          this.primariesOn(a.nodeId) - this.primariesOn(b.nodeId) ||
          (a.nodeId < b.nodeId ? -1 : 1),
      )[0];
  }

  private rank({ nodeId }: ChunkReplica): number {
    return stateRank[this.stateOf(nodeId) ?? 'lost'];
  }

  private primariesOn(nodeId: string): number {
    return this.counted().get(nodeId) ?? 0;
  }

  private count(nodeId: string, change: number): void {
    this.counted().set(nodeId, this.primariesOn(nodeId) + change);
  }

  private counted(): Map<string, number> {
    if (this.counts === undefined) {
      this.counts = new Map();
      for (const { replicas } of this.state.chunks())
        for (const { role, nodeId } of replicas)
          if (role === 'primary') this.counts.set(nodeId, (this.counts.get(nodeId) ?? 0) + 1);
    }
    return this.counts;
  }
}

/** Every chunk with a replica on the node, once. */
export function distinctChunksOn(state: ClusterState, nodeId: string): Iterable<ChunkState> {
  return new Map([...state.chunksOn(nodeId)].map((chunk) => [chunk.chunkId, chunk])).values();
}

/** The chunk with these replicas, and its route when it has one; nothing when they are the ones it has. */
export function chunkChanged(
  state: ClusterState,
  chunk: ChunkState,
  change: { readonly replicas: readonly ChunkReplica[]; readonly name: string; readonly context: DecideContext },
): ClusterEvent[] {
  const { replicas, name, context } = change;
  if (replicas === chunk.replicas) return [];
  const entity: ChunkState = { ...chunk, replicas, change: name, seq: context.seq, term: context.term };
  const events: ClusterEvent[] = [{ kind: 'chunk', entity }];
  if (state.route(chunk.chunkId) !== undefined)
    events.push({ kind: 'route', entity: routeOf(entity, context, 'RouteChanged') });
  return events;
}

/** Primaries on the node move to followers on nodes that are up, where there are any. */
export function primariesMoved(
  state: ClusterState,
  { nodeId, becomes, behind }: { nodeId: string; becomes: NodeState['state']; behind?: readonly FollowerBehind[] },
  context: DecideContext,
): ClusterEvent[] {
  const promotions = new Promotions(state, new Map([[nodeId, becomes]]), behind);
  return [...distinctChunksOn(state, nodeId)].flatMap((chunk) =>
    chunkChanged(state, chunk, { replicas: promotions.improve(chunk.replicas, chunk), name: 'PrimaryMoved', context }),
  );
}

/**
 * What the return of a node changes: replicas given up are followers again, as long as the chunk lacks replicas and the
 * unit still holds that very generation; chunks whose primary cannot be reached get one.
 */
export function replicasRevived(
  state: ClusterState,
  { nodeId, storeId, becomes }: { nodeId: string; storeId: string; becomes: NodeState['state'] },
  context: DecideContext,
): ClusterEvent[] {
  const promotions = new Promotions(state, new Map([[nodeId, becomes]]));
  return [...distinctChunksOn(state, nodeId)].flatMap((chunk) => {
    if (chunk.state !== 'serving') return [];
    const wanted = state.namespace(chunk.namespace)?.replicas ?? 0;
    const living = chunk.replicas.filter(({ role }) => role === 'primary' || role === 'follower').length;
    const revived =
      living < wanted ? chunk.replicas.map((of) => alive(state, of, { nodeId, storeId })) : chunk.replicas;
    const same = revived.every((of, i) => of === chunk.replicas[i]);
    const before = same ? chunk.replicas : revived;
    const replicas = promotions.improve(before, { anyNode: !before.some(({ role }) => role === 'primary') });
    return chunkChanged(state, chunk, { replicas, name: same ? 'PrimaryMoved' : 'ReplicaRevived', context });
  });
}

function alive(state: ClusterState, replica: ChunkReplica, on: { nodeId: string; storeId: string }): ChunkReplica {
  const { role, unitId, generation, nodeId, storeId } = replica;
  if (role !== 'dead' || nodeId !== on.nodeId || storeId !== on.storeId) return replica;
  const unit = state.unit(unitId);
  const untouched = unit?.state === 'allocated' && unit.generation === generation && unit.storeId === storeId;
  return untouched ? { ...replica, role: 'follower' } : replica;
}
