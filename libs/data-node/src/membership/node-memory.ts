import { EngineMemory, type UnitSpec, ValueBudget } from '@levee/chunk-store';
import type { Timers } from '@levee/kernel';
import { NetworkBudget, nodeProtocolLimits, requestLimits, type RespServerLimits } from '@levee/wire';
import { nodeLimits } from '../node-limits';
import type { HostedReplica } from '../replica/hosted-replica';

/** Parts of a node's memory budget; the rest is for what is on its way between the log and the units. */
const shares = { engines: 0.4, values: 0.4, network: 0.15 } as const;
/** However small the budget is: what one reader asks for at most, and another beside it. */
const networkBytesMin = 2 * nodeProtocolLimits.replyBytesMax;

/** The part for requests, replies and blocks of copies that are on their way. */
export function networkBudget(budgetBytes: number, timers: Timers): NetworkBudget {
  const bytes = Math.max(networkBytesMin, Math.floor(budgetBytes * shares.network));
  return new NetworkBudget(bytes, nodeLimits.roomWaitMs, timers);
}

/** What one client, and all incomplete requests, may take of it. */
export function respLimitsOf(
  { bytesMax }: NetworkBudget,
  connectionsOfAddressMax = Infinity,
): Partial<RespServerLimits> {
  return {
    connectionsOfAddressMax,
    outputBytesMax: bytesMax * 2,
    inputBytesMax: Math.max(bytesMax, requestLimits.requestBytesMax),
    inputAheadBytes: nodeProtocolLimits.replyBytesMax,
    // Portals are held up by a busy machine, too, and break off everything when their link breaks.
    crowdedSlowMs: nodeLimits.takesNothingMs,
  };
}

/** One budget for what a node keeps in memory on purpose. What units of the `memory` engine hold comes on top. */
export class NodeMemory {
  readonly values: ValueBudget;
  readonly engines: EngineMemory;

  constructor(
    private readonly budgetBytes: number,
    units: readonly UnitSpec[],
    readonly network: NetworkBudget,
  ) {
    this.values = new ValueBudget(Math.floor(budgetBytes * shares.values));
    const onDisk = units.filter(({ engine }) => engine !== 'memory').length;
    this.engines = new EngineMemory(Math.floor(budgetBytes * shares.engines), onDisk);
  }

  /** Numbers for metrics; bytes, and the part of reads that found their value in memory. */
  stats(replicas: readonly HostedReplica[], units: readonly UnitSpec[]): Readonly<Record<string, number>> {
    const inMemory = new Set(units.filter(({ engine }) => engine === 'memory').map(({ unitId }) => unitId));
    let reads = 0;
    let hits = 0;
    let memoryUnitsBytes = 0;
    for (const hosted of replicas) {
      if (!hosted.readable) continue;
      const { stats, sizeBytes } = hosted.replica;
      reads += stats.reads;
      hits += stats.cacheHits;
      if (inMemory.has(hosted.identity.unitId)) memoryUnitsBytes += sizeBytes;
    }
    return {
      budgetBytes: this.budgetBytes,
      engineBudgetBytes: this.engines.bytesMax,
      engineUsedBytes: this.engines.usedBytes,
      valueBudgetBytes: this.values.bytesMax,
      valueUsedBytes: this.values.usedBytes,
      valueHitRatio: reads === 0 ? 0 : hits / reads,
      networkBudgetBytes: this.network.bytesMax,
      networkUsedBytes: this.network.usedBytes,
      networkPeakBytes: this.network.peakBytes,
      networkWaits: this.network.counts.waited,
      networkRefusals: this.network.counts.refused,
      memoryUnitsBytes,
    };
  }
}
