import { EngineMemory, type UnitSpec, ValueBudget } from '@levee/chunk-store';
import type { HostedReplica } from './hosted-replica';

/** Parts of a node's memory budget; the rest is for what is on its way between sockets, the log and the units. */
const shares = { engines: 0.4, values: 0.4 } as const;

/** One budget for what a node keeps in memory on purpose. What units of the `memory` engine hold comes on top. */
export class NodeMemory {
  readonly values: ValueBudget;
  readonly engines: EngineMemory;

  constructor(
    private readonly budgetBytes: number,
    units: readonly UnitSpec[],
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
      memoryUnitsBytes,
    };
  }
}
