/** What one replica holds and does. */
export interface ReplicaRates {
  /** Bytes its database takes. */
  readonly storedBytes: number;
  readonly liveKeys: number;
  /** Smoothed. */
  readonly readsPerSecond: number;
  /** Smoothed; records applied to it. */
  readonly writesPerSecond: number;
}

/** Loads as the planner reads them: soft state, `undefined` is what nobody told. */
export interface LoadView {
  replica(nodeId: string, chunkId: string): ReplicaRates | undefined;
  /** Free bytes of the disk that holds the node's data. */
  freeDiskBytes(nodeId: string): number | undefined;
}
