import type { NodeDisk } from '@levee/chunk-store';
import { type ClusterView, type ControlTopics, submit } from '@levee/journal';
import { type Clock, type Logger, messageOf, type NewId, pause, type Timers } from '@levee/kernel';
import type { Log } from '@levee/log';
import { nodeLimits } from '../node-limits';
import { type Reclaim, reclaimsOf } from '../replica/assignment';
import type { ReplicaHost } from '../replica/replica-host';

export interface UnitReclaimsOptions {
  readonly nodeId: string;
  readonly disk: NodeDisk;
  readonly host: Pick<ReplicaHost, 'closed'>;
  /** [safety] Another process may have a copy of this disk: who is registered speaks for the unit, nobody else. */
  readonly isRegistered: () => boolean;
  /** Of commands. */
  readonly clock: Pick<Clock, 'nowMs'>;
  readonly timers: Timers;
  readonly newId: NewId;
  readonly logger: Logger;
}

/** Clears unit generations that a decision took back, exactly those (I10), and says so until a master has heard it. */
export class UnitReclaims {
  private readonly running = new Set<string>();
  private readonly stopping = new AbortController();

  constructor(
    private readonly log: Log,
    private readonly topics: ControlTopics,
    private readonly view: ClusterView,
    private readonly options: UnitReclaimsOptions,
  ) {}

  /** After every decision, once the host has let go of what is not assigned any more. */
  check(): void {
    const { disk, nodeId, isRegistered } = this.options;
    if (!isRegistered()) return;
    for (const unit of reclaimsOf(this.view.state, nodeId, disk.storeId)) {
      const key = `${unit.unitId}@${unit.generation}`;
      if (this.running.has(key)) continue;
      this.running.add(key);
      void this.reclaim(key, unit).finally(() => this.running.delete(key));
    }
  }

  stop(): void {
    this.stopping.abort();
  }

  private async reclaim(key: string, unit: Reclaim): Promise<void> {
    const { disk, host, logger, nodeId, clock, timers, newId } = this.options;
    const { signal } = this.stopping;
    while (this.isWanted(unit)) {
      try {
        await host.closed(key);
        if (!this.isWanted(unit)) return;
        await disk.clearUnit(unit.unitId, unit.generation);
        await disk.letGoKept(unit.unitId, unit.generation);
        if (!this.isWanted(unit)) return;
        const command = { kind: 'FinishReclaim', payload: unit, principal: `node ${nodeId}` };
        const id = await submit(this.log, this.topics, command, clock, newId);
        await this.view.outcome(id, nodeLimits.registerDeadlineMs);
        return;
      } catch (error) {
        if (signal.aborted) return;
        logger.warn({ ...unit, error: messageOf(error) }, 'a unit is not reclaimed yet; trying again');
        await pause(timers, nodeLimits.registerRetryMaxMs, signal);
      }
    }
  }
  /** Still asked of this very process. */
  private isWanted({ unitId, generation }: Reclaim): boolean {
    if (this.stopping.signal.aborted || !this.options.isRegistered() || this.view.short !== undefined) return false;
    const unit = this.view.state.unit(unitId);
    return unit?.state === 'reclaiming' && unit.generation === generation && unit.storeId === this.options.disk.storeId;
  }
}
