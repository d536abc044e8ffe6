import type { ChunkState } from '@levee/events';
import type { LoadView, ReplicaRates } from '../../src/placement/healing/loads';
import type { ClusterState } from '../../src/state/state';

export const slotsAll = 1_000_000;

/** Load of a namespace over its slots: even inside each of its stretches, and on single keys. */
export interface LoadMap {
  /** Requests per second of each stretch of `slotsAll / rates.length` slots. */
  readonly rates: Float64Array;
  readonly bytes: Float64Array;
  /** Requests per second of single slots. */
  readonly keys: readonly { readonly slot: number; readonly perSecond: number }[];
}

interface Figures {
  readonly perSecond: number;
  readonly bytes: number;
}

/** Taken out once: in a test's context each look at a global takes longer than the sum it is for. */
const { floor, imul, max, min } = Math;

const writeShare = 0.2;
const primaryReadShare = 0.7;

/** What replicas would tell of themselves, with dice: no two looks at a rate are the same. */
export class SimulatedLoad implements LoadView {
  readonly maps = new Map<string, LoadMap>();
  /** Another number gives other dice. */
  round = 0;
  /** By chunk, whose slots never change; all of them for one map. */
  private readonly known = new WeakMap<LoadMap, Map<string, Figures>>();
  /** The chunk asked for last: its replicas are asked for one after the other. */
  private last: { readonly seq: number; readonly chunk: ChunkState } | undefined;

  constructor(
    private readonly state: ClusterState,
    public noise: number,
  ) {}

  replica(nodeId: string, chunkId: string): ReplicaRates | undefined {
    const chunk = this.chunk(chunkId);
    const own = chunk?.replicas.find((of) => of.nodeId === nodeId);
    if (chunk === undefined || own === undefined) return undefined;
    const { perSecond, bytes } = this.knownOf(chunk);
    let followers = 0;
    for (const { role } of chunk.replicas) if (role === 'follower') followers++;
    const reads = perSecond * (1 - writeShare);
    const alone = followers === 0 ? 1 : primaryReadShare;
    const share = own.role === 'primary' ? alone : own.role === 'follower' ? (1 - primaryReadShare) / followers : 0;
    const wobble = 1 + this.noise * this.wobble(chunkId);
    return {
      storedBytes: bytes,
      liveKeys: 0,
      readsPerSecond: reads * share * wobble,
      writesPerSecond: perSecond * writeShare * wobble,
    };
  }

  freeDiskBytes(): number | undefined {
    return undefined;
  }

  private chunk(chunkId: string): ChunkState | undefined {
    const { seq } = this.state;
    if (this.last?.seq === seq && this.last.chunk.chunkId === chunkId) return this.last.chunk;
    const chunk = this.state.chunk(chunkId);
    this.last = chunk && { seq, chunk };
    return chunk;
  }

  private knownOf(chunk: ChunkState): Figures {
    const map = this.maps.get(chunk.namespace);
    if (map === undefined) return { perSecond: 0, bytes: 0 };
    let byChunk = this.known.get(map);
    if (byChunk === undefined) this.known.set(map, (byChunk = new Map()));
    let figures = byChunk.get(chunk.chunkId);
    if (figures === undefined) byChunk.set(chunk.chunkId, (figures = this.of(chunk)));
    return figures;
  }

  of(chunk: { namespace: string; slotStart: number; slotEnd: number }): Figures {
    const map = this.maps.get(chunk.namespace);
    if (map === undefined) return { perSecond: 0, bytes: 0 };
    let [perSecond, bytes] = [0, 0];
    const width = slotsAll / map.rates.length;
    for (let i = floor(chunk.slotStart / width); i * width < chunk.slotEnd; i++) {
      const overlap = min(chunk.slotEnd, (i + 1) * width) - max(chunk.slotStart, i * width);
      perSecond += ((map.rates[i] as number) * overlap) / width;
      bytes += ((map.bytes[i] as number) * overlap) / width;
    }
    for (const key of map.keys) if (key.slot >= chunk.slotStart && key.slot < chunk.slotEnd) perSecond += key.perSecond;
    return { perSecond, bytes };
  }

  /** From -1 to 1, by chunk and round. */
  private wobble(chunkId: string): number {
    let h = 0x811c9dc5 ^ this.round;
    for (let i = 0; i < chunkId.length; i++) h = imul(h ^ chunkId.charCodeAt(i), 0x01000193);
    h = imul(h ^ (h >>> 15), 0x85ebca6b);
    return ((h ^ (h >>> 13)) >>> 0) / 2147483648 - 1;
  }
}
