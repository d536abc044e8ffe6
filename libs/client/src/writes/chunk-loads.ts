import type { Heartbeat, HeartbeatLoad } from '@levee/events';
import type { Clock } from '@levee/kernel';

/** A node not heard of for so long tells nothing of what a chunk holds now: tens of heartbeats. */
const silentMs = 15_000;

/** What nodes told last of the replicas of one chunk, and what was written to it here since. */
export class ChunkLoad {
  private readonly byNode = new Map<string, HeartbeatLoad>();
  private largestBytes = 0;
  private writtenBytes = 0;
  private turn = 0;

  /** Bytes that its largest replica takes, what went to the log from here since then included; 0 = not heard yet. */
  get storedBytes(): number {
    return this.largestBytes + this.writtenBytes;
  }

  /** Keys not expired as the last sweep of the replica that counted most of them found; 0 = not heard yet. */
  get liveKeys(): number {
    let keys = 0;
    for (const load of this.byNode.values()) keys = Math.max(keys, load.liveKeys);
    return keys;
  }

  /** By node, as last told. */
  get replicas(): ReadonlyMap<string, HeartbeatLoad> {
    return this.byNode;
  }

  /** A record on its way to the log: nodes tell of it only seconds later. Returns what `notWritten` has to be told. */
  written(bytes: number): number {
    this.writtenBytes += bytes;
    return this.turn;
  }

  /** It certainly did not happen: its room is free again. */
  notWritten(bytes: number, turn: number): void {
    if (turn === this.turn) this.writtenBytes -= bytes;
  }

  tell(nodeId: string, load: HeartbeatLoad | undefined): void {
    if (load === undefined) this.byNode.delete(nodeId);
    else this.byNode.set(nodeId, load);
    const before = this.largestBytes;
    this.largestBytes = 0;
    for (const { storedBytes } of this.byNode.values()) this.largestBytes = Math.max(this.largestBytes, storedBytes);
    // Every applied record changes the size. While it does not change, what was written is not in there yet.
    if (this.largestBytes === before) return;
    this.writtenBytes = 0;
    this.turn++;
  }

  get isEmpty(): boolean {
    return this.byNode.size === 0;
  }
}

/** The load of every chunk that any node told of. Soft state, some seconds old. */
export class ChunkLoads {
  private readonly loads = new Map<string, ChunkLoad>();
  private readonly chunksOf = new Map<string, ReadonlySet<string>>();
  private readonly heardAtMs = new Map<string, number>();

  constructor(private readonly clock: Pick<Clock, 'monotonicMs'>) {}

  /** The same object as long as this process lives, for whoever keeps it. */
  of(chunkId: string): ChunkLoad {
    let load = this.loads.get(chunkId);
    if (load === undefined) this.loads.set(chunkId, (load = new ChunkLoad()));
    return load;
  }

  /** `undefined`: no node told of it yet. */
  known(chunkId: string): ChunkLoad | undefined {
    const load = this.loads.get(chunkId);
    return load === undefined || load.isEmpty ? undefined : load;
  }

  /** Takes over what a node says of all its replicas; what it does not name any more it has no more. */
  take({ kind, id, positions, loads }: Heartbeat): void {
    if (kind !== 'node' || (positions.length === 0 && loads.length === 0)) return;
    const now = new Set<string>();
    for (const load of loads) {
      now.add(load.chunkId);
      this.of(load.chunkId).tell(id, load);
    }
    for (const chunkId of this.chunksOf.get(id) ?? []) if (!now.has(chunkId)) this.of(chunkId).tell(id, undefined);
    this.chunksOf.set(id, now);
    this.heardAtMs.set(id, this.clock.monotonicMs());
    this.forgetSilent();
  }

  /** What a node said that is gone would keep chunks full for ever; the only word about a chunk stands. */
  private forgetSilent(): void {
    const sinceMs = this.clock.monotonicMs() - silentMs;
    for (const [id, atMs] of this.heardAtMs) {
      if (atMs > sinceMs) continue;
      this.heardAtMs.delete(id);
      const left = new Set<string>();
      for (const chunkId of this.chunksOf.get(id) ?? [])
        if (this.of(chunkId).replicas.size > 1) this.of(chunkId).tell(id, undefined);
        else left.add(chunkId);
      this.chunksOf.set(id, left);
    }
  }

  /** Forgets chunks that are no more. */
  retain(exists: (chunkId: string) => boolean): void {
    for (const [chunkId, load] of this.loads) if (load.isEmpty && !exists(chunkId)) this.loads.delete(chunkId);
  }
}
