import type { ClusterView, HeartbeatView } from '@levee/journal';
import { Histogram, type Clock, type Offset, type Partition } from '@levee/kernel';
import { partitionsOf } from '@levee/keyspace';

export interface WrittenBarrier {
  readonly namespace: string;
  /** Of the namespace: another one of that name has another binlog. */
  readonly number: number;
  readonly partition: Partition;
  readonly offset: Offset;
  readonly writtenMonotonicMs: number;
}

export interface BarrierTrailStats {
  /** Age of the oldest barrier that some replica has not been heard to have applied, in ms; 0 = none. */
  readonly oldestUnappliedMs: number;
  readonly unapplied: number;
}

const barrierTrailLimits = {
  /** Barriers followed at the same time; one per partition, so more partitions than this are not all followed. */
  pendingMax: 16_384,
  /** Many nodes say their positions: what follows from that is looked at in this rhythm. */
  lookMs: 250,
} as const;

/**
 * Follows barriers from the log to the replicas. Nodes say what they have applied with every tenth heartbeat, so a time
 * here is an upper bound, too long by at most as much as lies between two of those.
 */
export class BarrierTrail {
  /** From the append of a barrier until every readable replica was known to have applied it. */
  readonly times = new Histogram();
  /** By namespace and partition: the oldest barrier not yet applied everywhere. */
  private readonly pending = new Map<string, WrittenBarrier>();
  private readonly unlisten: () => void;
  private lookedAtMs = -Infinity;
  private closed = false;

  constructor(
    private readonly view: ClusterView,
    private readonly heartbeats: HeartbeatView,
    private readonly clock: Clock,
  ) {
    this.unlisten = heartbeats.onHeartbeat(({ positions }) => {
      if (positions.length === 0 || this.pending.size === 0) return;
      if (clock.monotonicMs() - this.lookedAtMs >= barrierTrailLimits.lookMs) this.look();
    });
  }

  close(): void {
    this.closed = true;
    this.unlisten();
    this.pending.clear();
  }

  add(barrier: WrittenBarrier): void {
    if (this.closed) return;
    const key = `${barrier.namespace}/${barrier.partition}`;
    if (this.pending.has(key) || this.pending.size >= barrierTrailLimits.pendingMax) return;
    this.pending.set(key, barrier);
  }

  /** Settles what is applied everywhere by now. */
  look(): void {
    this.lookedAtMs = this.clock.monotonicMs();
    const byNamespace = new Map<string, WrittenBarrier[]>();
    for (const barrier of this.pending.values()) {
      const some = byNamespace.get(barrier.namespace);
      if (some === undefined) byNamespace.set(barrier.namespace, [barrier]);
      else some.push(barrier);
    }
    for (const [namespace, barriers] of byNamespace) this.lookAt(namespace, barriers);
  }

  stats(): BarrierTrailStats {
    const nowMs = this.clock.monotonicMs();
    let oldestUnappliedMs = 0;
    for (const { writtenMonotonicMs } of this.pending.values())
      oldestUnappliedMs = Math.max(oldestUnappliedMs, nowMs - writtenMonotonicMs);
    return {
      oldestUnappliedMs,
      unapplied: this.pending.size,
    };
  }

  private lookAt(name: string, barriers: readonly WrittenBarrier[]): void {
    const namespace = this.view.state.namespace(name);
    const applied = namespace?.state === 'active' ? this.appliedBy(name, namespace.partitions) : undefined;
    for (const barrier of barriers) {
      const slowest = applied?.get(barrier.partition);
      const gone = applied === undefined || slowest === undefined || barrier.number !== namespace?.number;
      if (!gone && slowest <= barrier.offset) continue;
      this.pending.delete(`${barrier.namespace}/${barrier.partition}`);
      if (gone) continue;
      this.times.observe(this.clock.monotonicMs() - barrier.writtenMonotonicMs);
    }
  }

  /** By partition: the next offset of the readable replica that is furthest behind, 0 for one not heard of. */
  private appliedBy(name: string, partitions: number): Map<number, number> {
    const slowest = new Map<number, number>();
    const heard = new Map<string, Map<string, number>>();
    for (const { chunkId, slotStart, slotEnd, replicas } of this.view.state.chunksOf(name))
      for (const { nodeId, role } of replicas) {
        if (role !== 'primary' && role !== 'follower') continue;
        let positions = heard.get(nodeId);
        if (positions === undefined) heard.set(nodeId, (positions = this.positionsOf(nodeId, name)));
        for (const partition of partitionsOf(slotStart, slotEnd, partitions)) {
          const nextOffset = positions.get(`${chunkId}/${partition}`) ?? 0;
          slowest.set(partition, Math.min(slowest.get(partition) ?? Infinity, nextOffset));
        }
      }
    return slowest;
  }

  private positionsOf(nodeId: string, namespace: string): Map<string, number> {
    const latest = this.heartbeats.latest('node', nodeId);
    const own = (latest?.positions ?? []).filter((position) => position.namespace === namespace);
    return new Map(own.map(({ chunkId, partition, nextOffset }) => [`${chunkId}/${partition}`, nextOffset]));
  }
}
