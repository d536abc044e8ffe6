import type { Heartbeat, HeartbeatLoad } from '@levee/events';

/** What nodes told last of the replicas of one chunk, and what was written to it here since. */
export class ChunkLoad {
  private readonly byNode = new Map<string, HeartbeatLoad>();
  private largestBytes = 0;
  private writtenBytes = 0;

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

  /** A record on its way to the log: nodes tell of it only seconds later. */
  written(bytes: number): void {
    this.writtenBytes += bytes;
  }

  tell(nodeId: string, load: HeartbeatLoad | undefined): void {
    if (load === undefined) this.byNode.delete(nodeId);
    else this.byNode.set(nodeId, load);
    const before = this.largestBytes;
    this.largestBytes = 0;
    for (const { storedBytes } of this.byNode.values()) this.largestBytes = Math.max(this.largestBytes, storedBytes);
    // Every applied record changes the size. While it does not change, what was written is not in there yet.
    if (this.largestBytes !== before) this.writtenBytes = 0;
  }

  get isEmpty(): boolean {
    return this.byNode.size === 0;
  }
}

/** The load of every chunk that any node told of. Soft state, some seconds old. */
export class ChunkLoads {
  private readonly loads = new Map<string, ChunkLoad>();
  private readonly chunksOf = new Map<string, ReadonlySet<string>>();

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
  }

  /** Forgets chunks that are no more. */
  retain(exists: (chunkId: string) => boolean): void {
    for (const [chunkId, load] of this.loads) if (load.isEmpty && !exists(chunkId)) this.loads.delete(chunkId);
  }
}
