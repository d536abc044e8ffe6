import {
  emptyingProblem,
  isPlanOver,
  planWait,
  viewPlan,
  viewPlans,
  type PlanView,
  type PlanWait,
  type SimulatedPlan,
} from '@levee/cluster';
import type { PlanState } from '@levee/events';
import type { CommandRunner } from '@levee/journal';
import { Failure, failureCode, type Clock } from '@levee/kernel';
import { found } from '../found';
import type { Portal } from '../portal';
import { Shares } from '../shares';
import type { DryRuns } from './dry-runs';
import type { PlanProgress, ReplicaProgress } from './plan-progress';

/** A plan as people and `levee plan` see it. */
export interface PlanReport extends PlanView {
  readonly progress: readonly ReplicaProgress[];
  /** Whom or what it waits for; null = it goes on, time has to pass, or it is over. */
  readonly waits: PlanWait | null;
  /** Why a drain or format cannot end as the cluster is; null = nothing is known that keeps it. */
  readonly cannotEnd: string | null;
}

/** A plan that was only thought through. */
export interface DryRun extends PlanReport {
  readonly prediction: SimulatedPlan['prediction'] & {
    /** Bytes that its replicas would load. */
    readonly bytes: number;
    /** At the pace that a copy is built for, with the time in which a rollback is possible. */
    readonly expectedMs: number;
  };
}

export const planReportLimits = {
  copyBytesPerSecond: 50_000_000,
  /** How often progress is looked at; decisions are told at once. */
  lookMs: 500,
  /** Watches at once at one portal. */
  watchesMax: 256,
  watchesOfOneMax: 128,
} as const;

const planCommands = {
  approve: 'ApprovePlan',
  cancel: 'CancelPlan',
  rollback: 'RollbackPlan',
  retry: 'RetryPlan',
  finish: 'EndObservation',
};
export type PlanVerb = keyof typeof planCommands;

/** Plans at a portal's HTTP door. The decisions are the master's; progress comes from heartbeats. */
export class Plans {
  private readonly watches = new Shares('plans are watched', {
    max: planReportLimits.watchesMax,
    ofOneMax: planReportLimits.watchesOfOneMax,
  });

  constructor(
    private readonly portal: Portal,
    private readonly commands: CommandRunner,
    private readonly progress: PlanProgress,
    private readonly clock: Clock,
    private readonly dryRuns: DryRuns,
  ) {}

  list(which: 'open' | 'all', namespace: string | undefined): readonly PlanState[] {
    return viewPlans(this.portal.view.state).filter(
      (plan) => (which === 'all' || !isPlanOver(plan)) && (namespace === undefined || plan.namespace === namespace),
    );
  }

  report(planId: string): PlanReport {
    const view = viewPlan(this.portal.view.state, planId);
    if (view === undefined) throw new Failure('PLAN_UNKNOWN', `there is no plan '${planId.slice(0, 80)}'`);
    const waits = planWait(this.portal.view.state, view.plan, this.clock.nowMs()) ?? null;
    const cannotEnd = emptyingProblem(this.portal.view.state, view.plan, this.clock.nowMs()) ?? null;
    return { ...view, progress: this.progress.of(planId), waits, cannotEnd };
  }

  /** What the proposal would do to the state as this portal knows it. Nothing is written anywhere. */
  async dryRun(payload: Readonly<Record<string, unknown>>): Promise<DryRun> {
    const simulated = found(await this.dryRuns.run(this.portal.view.state, payload, this.clock.nowMs()));
    const { plan, prediction } = simulated;
    const bytes = this.bytesToCopy(simulated);
    const copyMs = Math.round((bytes / planReportLimits.copyBytesPerSecond) * 1_000);
    const expectedMs = copyMs + (prediction.replicasMade > 0 ? plan.observeMs : 0);
    return {
      ...simulated,
      prediction: { ...prediction, bytes, expectedMs },
      progress: [],
      waits: null,
      cannotEnd: null,
    };
  }

  /** By what the replicas hold now, as their nodes said last; 0 for what no node has spoken of yet. */
  private bytesToCopy({ plan, prediction }: SimulatedPlan): number {
    const stored = new Map<string, number>();
    for (const { loads } of this.portal.heard.all('node'))
      for (const { chunkId, storedBytes } of loads)
        stored.set(chunkId, Math.max(storedBytes, stored.get(chunkId) ?? 0));
    const sum = (chunkIds: readonly string[]): number =>
      chunkIds.reduce((total, chunkId) => total + (stored.get(chunkId) ?? 0), 0);
    const { replicasMade, chunksBefore } = prediction;
    if (replicasMade === 0) return 0;
    if (plan.targets.length > 0) return Math.round((sum(plan.sources) * replicasMade) / plan.targets.length);
    const touched = chunksBefore.map(({ chunkId }) => chunkId);
    return touched.length === 0 ? 0 : Math.round((sum(touched) * replicasMade) / touched.length);
  }

  async propose(payload: Readonly<Record<string, unknown>>, principal: string): Promise<PlanReport> {
    const outcome = await this.commands.run({ kind: 'ProposePlan', payload, principal });
    return this.report(`p${outcome.seq}`);
  }

  async order(payload: { readonly planId: string }, verb: PlanVerb, principal: string): Promise<PlanReport> {
    await this.commands.run({ kind: planCommands[verb], payload, principal });
    return this.report(payload.planId);
  }

  /** The report now and after every change, until the plan is over or stopped for good, or `signal` aborts. */
  async *watch(planId: string, reader: { signal: AbortSignal; address: string }): AsyncGenerator<PlanReport> {
    const { signal, address } = reader;
    this.report(planId);
    const leave = this.watches.take(address);
    try {
      let told = '';
      while (!signal.aborted) {
        const report = this.report(planId);
        const text = JSON.stringify(report);
        if (text !== told) yield report;
        told = text;
        const { plan } = report;
        if (isPlanOver(plan) || (plan.state === 'failed' && plan.retryAtMs === null)) return;
        await this.change();
      }
    } finally {
      leave();
    }
  }

  /** Resolves at the next decision, or a little later, when its progress may be another. */
  private async change(): Promise<void> {
    const { view } = this.portal;
    const { seq } = view;
    const decided = (): true | undefined => (view.seq > seq ? true : undefined);
    try {
      await view.until(decided, planReportLimits.lookMs, 'a decision');
    } catch (error) {
      if (failureCode(error) !== 'DEADLINE') throw error;
    }
  }
}
