import type { Heartbeat, HeartbeatLoad } from '@levee/events';
import type { LoadView, ReplicaRates } from './loads';

/** Two samples closer to each other say too little. */
const sampleMsMin = 500;

interface Sample extends HeartbeatLoad {
  readonly atMs: number;
}

interface Measured {
  sample: Sample;
  rates: ReplicaRates | undefined;
}

interface NodeLoads {
  incarnation: string;
  freeDiskBytes: number;
  replicas: Map<string, Measured>;
}

/**
 * Rates from the rising counters of heartbeats, smoothed exponentially. Pure: times are arguments, milliseconds of one
 * monotonic clock. A counter that fell, or another run of the node, begins anew; a replica that a node no longer tells
 * of is forgotten.
 */
export class LoadRates implements LoadView {
  private readonly nodes = new Map<string, NodeLoads>();

  /** After `halfLifeMs` half of a rate stems from what was measured since. */
  constructor(private readonly halfLifeMs: number) {}

  replica(nodeId: string, chunkId: string): ReplicaRates | undefined {
    return this.nodes.get(nodeId)?.replicas.get(chunkId)?.rates;
  }

  freeDiskBytes(nodeId: string): number | undefined {
    const bytes = this.nodes.get(nodeId)?.freeDiskBytes;
    return bytes === undefined || bytes < 0 ? undefined : bytes;
  }

  /** A heartbeat of a node; one without loads changes no rate. */
  heard(beat: Pick<Heartbeat, 'id' | 'incarnation' | 'loads' | 'freeDiskBytes'>, nowMs: number): void {
    const before = this.nodes.get(beat.id);
    const isSameRun = before?.incarnation === beat.incarnation;
    if (beat.loads.length === 0 && isSameRun) {
      before.freeDiskBytes = beat.freeDiskBytes;
      return;
    }
    const replicas = new Map<string, Measured>();
    for (const load of beat.loads) {
      const known = isSameRun ? before.replicas.get(load.chunkId) : undefined;
      replicas.set(load.chunkId, measured(known, { ...load, atMs: nowMs }, this.halfLifeMs));
    }
    this.nodes.set(beat.id, { incarnation: beat.incarnation, freeDiskBytes: beat.freeDiskBytes, replicas });
  }

  /** Nodes that are no longer in the cluster. */
  keepOnly(isKnown: (nodeId: string) => boolean): void {
    for (const nodeId of this.nodes.keys()) if (!isKnown(nodeId)) this.nodes.delete(nodeId);
  }
}

function measured(known: Measured | undefined, sample: Sample, halfLifeMs: number): Measured {
  if (known === undefined) return { sample, rates: undefined };
  const { sample: last, rates } = known;
  const spanMs = sample.atMs - last.atMs;
  if (spanMs < sampleMsMin) return known;
  const fell = sample.reads < last.reads || sample.recordsApplied < last.recordsApplied;
  if (fell) return { sample, rates: rates && { ...rates, ...heldBy(sample) } };
  const weight = rates === undefined ? 1 : 1 - 0.5 ** (spanMs / halfLifeMs);
  const smooth = (before: number | undefined, risen: number): number => {
    const now = (risen * 1000) / spanMs;
    return before === undefined ? now : before + (now - before) * weight;
  };
  return {
    sample,
    rates: {
      ...heldBy(sample),
      readsPerSecond: smooth(rates?.readsPerSecond, sample.reads - last.reads),
      writesPerSecond: smooth(rates?.writesPerSecond, sample.recordsApplied - last.recordsApplied),
    },
  };
}

const heldBy = ({ storedBytes, liveKeys }: HeartbeatLoad): Pick<ReplicaRates, 'storedBytes' | 'liveKeys'> => ({
  storedBytes,
  liveKeys,
});
