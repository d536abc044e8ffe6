import { type ClearedUnit, type NodeDisk, parseUnitSpecs } from '@levee/chunk-store';
import type { PlanState } from '@levee/events';
import type { ClusterView } from '@levee/journal';
import { type Logger, messageOf, pause, type Timers } from '@levee/kernel';
import { nodeLimits } from '../node-limits';
import type { ReplicaHost } from '../replica/replica-host';

export interface NodeFormatOptions {
  readonly nodeId: string;
  readonly host: Pick<ReplicaHost, 'closed'>;
  readonly timers: Timers;
  readonly logger: Logger;
  /** The disk has other units than are registered. */
  readonly onUnits: () => void;
  /** A format was cancelled at its last step, and nothing is cleared for it any more. */
  readonly onLeft: (planId: string) => void;
  /** Why nothing of the disk may be cleared, in words. */
  readonly held?: () => string | undefined;
}

/** The node's part of a format: once a plan has emptied the node, its units are cleared and made anew. */
export class NodeFormat {
  private running = false;
  private trouble: string | undefined;
  private readonly stopping = new AbortController();

  constructor(
    private readonly view: ClusterView,
    private readonly disk: NodeDisk,
    private readonly options: NodeFormatOptions,
  ) {}

  /** Why a plan that asks for other units does not get them, in words; `undefined` = nothing is in the way. */
  get problem(): string | undefined {
    return this.trouble;
  }

  /** After every decision, once the host has let go of what is not assigned any more. */
  check(): void {
    if (this.running || this.stopping.signal.aborted) return;
    const left = this.asked('reclaiming');
    if (left !== undefined) this.options.onLeft(left.planId);
    if (this.wanted() === undefined) return;
    this.running = true;
    void this.run().finally(() => {
      this.running = false;
      this.check();
    });
  }

  stop(): void {
    this.stopping.abort();
  }

  private wanted(): PlanState | undefined {
    // [safety] What the journal has lost may have given these units to somebody.
    if (this.view.short !== undefined) return undefined;
    const plan = this.asked('running');
    return plan?.planId === this.disk.format?.planId ? undefined : plan;
  }

  /** The format of this node that is at its last step, if it is in that state: there is one at a time. */
  private asked(is: PlanState['state']): PlanState | undefined {
    for (const plan of this.view.state.openPlans()) {
      const { kind, nodeId, step, state } = plan;
      if (kind === 'format' && nodeId === this.options.nodeId && step === 'reformat' && state === is) return plan;
    }
    return undefined;
  }

  private async run(): Promise<void> {
    const { logger, timers, onUnits } = this.options;
    const { signal } = this.stopping;
    for (let plan = this.wanted(); plan !== undefined && !signal.aborted; plan = this.wanted()) {
      const { planId, unitsWanted } = plan;
      try {
        if (!(await this.reformat(plan))) continue;
        this.trouble = undefined;
        logger.info(
          { planId, units: unitsWanted },
          'the units are cleared and made anew; LEVEE_UNITS is not looked at any more',
        );
        return onUnits();
      } catch (error) {
        this.trouble = messageOf(error);
        logger.error({ planId, units: unitsWanted, error: this.trouble }, 'the units are not made anew; trying again');
        await pause(timers, nodeLimits.registerRetryMaxMs, signal);
      }
    }
    this.trouble = undefined;
  }

  /** False when the plan has gone on without it. */
  private async reformat({ planId, unitsWanted }: PlanState): Promise<boolean> {
    const { nodeId, host } = this.options;
    const units = parseUnitSpecs(unitsWanted ?? '', nodeId);
    const free: ClearedUnit[] = [];
    for (const unit of this.view.state.unitsOf(nodeId)) {
      const { unitId, generation } = unit;
      // Another disk's units are not here, and this one may have some of the same name.
      if (unit.storeId !== this.disk.storeId) continue;
      if (unit.state !== 'free') throw new Error(`unit ${unitId} is ${unit.state} for ${unit.chunkId}`);
      free.push({ unitId, generation });
    }
    for (const { unitId, generation } of free) await host.closed(`${unitId}@${generation}`);
    // Cancelled meanwhile, and a unit may be taken again: as it is, it stays.
    if (this.wanted()?.planId !== planId) return false;
    const held = this.options.held?.();
    if (held !== undefined) throw new Error(held);
    await this.disk.reformat({ planId, units }, free);
    return true;
  }
}
