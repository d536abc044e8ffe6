import { Breather } from '@levee/chunk-store';
import type { Clock } from '@levee/kernel';
import { localLimits } from './local-limits';
import type { MemoryBudget } from './memory-budget';
import type { MemoryPartition } from './memory-partition';

const { orderedKeyBytes, orderedShareMax, orderKeptMs, orderAgainMs } = localLimits;

/**
 * Keys of a namespace in order, which only scans need: brought in order when somebody scans, a moment of the event loop at a
 * time, kept so by each write, and let go of when nobody scans any more or the memory is needed. What is held does not depend on it.
 */
export class KeyOrder {
  /** Why there is none, where that will not be over soon. */
  problem: string | undefined;
  private wantedAtMs = -Infinity;
  private notBeforeMs = -Infinity;
  private isBusy = false;
  /** Grows when all of it is let go of. */
  private lettingsGo = 0;
  private readonly spare = (): void => this.giveWay();

  constructor(
    private readonly of: {
      readonly clock: Clock;
      readonly budget: MemoryBudget;
      readonly replicas: () => readonly MemoryPartition[];
    },
  ) {
    of.budget.spare.add(this.spare);
  }

  /** Somebody scans. False: the keys of some partition are not in order yet. */
  want(): boolean {
    const { clock, replicas } = this.of;
    this.wantedAtMs = clock.monotonicMs();
    const missing = replicas().filter(({ order }) => order?.isWhole !== true);
    if (missing.length === 0) return true;
    if (!this.isBusy && this.wantedAtMs >= this.notBeforeMs && this.hasRoom(missing)) void this.build(missing);
    return false;
  }

  /** Nobody has scanned for long. */
  tidy(): void {
    if (this.of.clock.monotonicMs() - this.wantedAtMs > orderKeptMs) this.letGo();
  }

  close(): void {
    this.of.budget.spare.delete(this.spare);
    this.letGo();
  }

  private hasRoom(missing: readonly MemoryPartition[]): boolean {
    const { usedBytes, bytesMax } = this.of.budget;
    const bytes = missing.reduce((sum, { keys }) => sum + keys * orderedKeyBytes, 0);
    if (usedBytes + bytes <= bytesMax * orderedShareMax) return true;
    this.noRoom();
    return false;
  }

  private noRoom(): void {
    this.notBeforeMs = this.of.clock.monotonicMs() + orderAgainMs;
    this.problem =
      `scans are left to portals: to have its keys in order takes ${orderedKeyBytes} bytes a key, which the ` +
      `${this.of.budget.bytesMax} bytes of memoryBytesMax have no room for`;
  }

  private async build(missing: readonly MemoryPartition[]): Promise<void> {
    this.isBusy = true;
    this.problem = undefined;
    const { lettingsGo } = this;
    const breather = new Breather(this.of.clock);
    for (const replica of missing) {
      const order = replica.keepOrder();
      for (const [keyText] of replica.entries()) {
        replica.bringIn(keyText);
        if (breather.tired()) await breather.breathe();
        // It was dropped, or all are let go of.
        if (replica.order !== order) break;
      }
      order.isWhole = replica.order === order;
      if (lettingsGo !== this.lettingsGo) break;
    }
    this.isBusy = false;
  }

  private giveWay(): void {
    if (!this.of.replicas().some(({ order }) => order !== undefined)) return;
    this.letGo();
    this.noRoom();
  }

  private letGo(): void {
    this.lettingsGo++;
    for (const replica of this.of.replicas()) replica.letGoOfOrder();
  }
}
