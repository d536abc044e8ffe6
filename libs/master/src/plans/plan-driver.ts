import { digestEvidence, nextPlanWork, waitAlarms, type PlanWork, type VerifyForPlan } from '@levee/cluster';
import type { PlanState } from '@levee/events';
import type { ClusterView, ControlTopics, DigestTail, HeartbeatView } from '@levee/journal';
import {
  assert,
  type Clock,
  failureCode,
  type Logger,
  messageOf,
  type NewId,
  Pause,
  type Timers,
  unreachable,
  Waits,
} from '@levee/kernel';
import type { Log } from '@levee/log';
import type { BarrierNumbers } from '../barriers/barriers';
import type { Reign } from '../reign';
import { PlanPatience } from './plan-patience';
import { PlanStall } from './plan-stall';
import { PlanVerification } from './plan-verification';

export interface PlanDriverLimits {
  /** A plan whose replicas make no progress for so long has failed. */
  readonly stallMs: number;
}

export const planDriverLimits = {
  stallMs: 60_000,
  /** Longest time between two looks at the plans. */
  lookMs: 1_000,
  /** Looking at the plans takes at most one part in this many of the time. */
  lookShare: 5,
} as const;

export interface PlanDriverOptions {
  readonly reign: Pick<Reign, 'own' | 'isOver'>;
  readonly heartbeats: HeartbeatView;
  readonly digests: DigestTail;
  readonly topics: Pick<ControlTopics, 'digests'>;
  readonly numbers: BarrierNumbers;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly logger: Logger;
  readonly newId: NewId;
  readonly limits: PlanDriverLimits;
}

export interface PlanDriverStats {
  readonly decided: number;
  readonly refused: number;
  readonly verified: number;
  readonly stalled: number;
  readonly underWay: number;
  readonly alarms: number;
}

/**
 * Does for every open plan what `nextPlanWork` says comes next, while its master reigns. It keeps nothing that a plan
 * needs: whatever a master leaves half done, the next one finds in the state and begins again.
 */
export class PlanDriver {
  private readonly stopping = new AbortController();
  private readonly pause: Pause;
  private readonly waits: Waits;
  private readonly stall: PlanStall;
  private readonly patience: PlanPatience;
  private readonly underWay = new Map<string, Promise<void>>();
  private readonly verification: PlanVerification;
  private readonly counts = { decided: 0, refused: 0, verified: 0, stalled: 0 };
  private unlisten: () => void = () => undefined;
  private running: Promise<void> | undefined;
  private lookedSeq = -1;
  private ended = false;

  constructor(
    log: Log,
    private readonly view: ClusterView,
    private readonly options: PlanDriverOptions,
  ) {
    const { stallMs } = options.limits;
    assert(stallMs > 0, 'a plan may stand still for some time');
    this.pause = new Pause(options.timers, this.stopping.signal);
    this.waits = new Waits(options.timers);
    this.stall = new PlanStall(options.heartbeats, Math.max(stallMs / 4, 2 * planDriverLimits.lookMs));
    this.patience = new PlanPatience(options.logger);
    this.verification = new PlanVerification(log, view, { ...options, stallMs });
  }

  start(): void {
    this.unlisten = this.view.onDecision(() => this.waits.poll());
    this.running = this.run();
  }

  async stop(): Promise<void> {
    this.stopping.abort();
    this.unlisten();
    this.waits.poll();
    // What is under way does nothing more once it hears of this; an append that hangs ends with the log.
    await this.running;
  }

  /** Plans that failed again and again, that wait for others, or that the master cannot take further, in words. */
  get problem(): string | undefined {
    return this.patience.problem(this.view.state.openPlans(), this.waitingTooLong());
  }

  stats(): PlanDriverStats {
    const alarms = this.patience.alarms(this.view.state.openPlans(), this.waitingTooLong()).length;
    return { ...this.counts, underWay: this.underWay.size, alarms };
  }

  private waitingTooLong(): string[] {
    return waitAlarms(this.view.state, this.options.clock.nowMs());
  }

  private get isOver(): boolean {
    return this.stopping.signal.aborted || this.options.reign.isOver;
  }

  private async run(): Promise<void> {
    const { clock } = this.options;
    while (!this.isOver) {
      const beganAtMs = clock.monotonicMs();
      const waitMs = this.pass(beganAtMs);
      const tookMs = clock.monotonicMs() - beganAtMs;
      await this.pause.for(tookMs * (planDriverLimits.lookShare - 1));
      await this.waits.until(() => this.somethingNew(), waitMs, 'a decision').catch(() => undefined);
    }
  }

  private somethingNew(): true | undefined {
    const news = this.view.seq > this.lookedSeq || this.ended || this.isOver;
    return news ? true : undefined;
  }

  /** Begins what is to be done now; returns after how many ms to look again if nothing happens. */
  private pass(nowMs: number): number {
    this.lookedSeq = this.view.seq;
    this.ended = false;
    let waitMs: number = Math.min(planDriverLimits.lookMs, this.options.limits.stallMs / 4);
    const open = new Set<string>();
    for (const plan of this.view.state.openPlans()) {
      open.add(plan.planId);
      this.patience.note(plan);
      const stoodStillMs = this.stall.look(plan, nowMs);
      const notBeforeMs = this.patience.notBeforeMs(plan.planId);
      if (this.underWay.has(plan.planId)) continue;
      if (notBeforeMs > nowMs) waitMs = Math.min(waitMs, notBeforeMs - nowMs);
      else if (stoodStillMs >= this.options.limits.stallMs) {
        this.counts.stalled++;
        this.begin(plan, stalled(plan, this.stall.standing(plan, nowMs), stoodStillMs));
      } else waitMs = Math.min(waitMs, this.look(plan));
    }
    this.patience.keep(open);
    this.stall.keep(open);
    this.verification.keep(open);
    return Math.max(1, waitMs);
  }

  /** Returns after how many ms to look at this plan again. */
  private look(plan: PlanState): number {
    const { clock } = this.options;
    try {
      const nowMs = clock.nowMs();
      const work = nextPlanWork(this.view.state, plan, nowMs);
      if (work.kind === 'wait') return work.untilMs === undefined ? Infinity : work.untilMs - nowMs;
      this.begin(plan, work);
    } catch (error) {
      this.options.logger.error({ error, planId: plan.planId }, 'what a plan needs next cannot be told');
      this.patience.failed(plan.planId, { cause: 'INTERNAL', reason: messageOf(error) }, clock.monotonicMs());
    }
    return Infinity;
  }

  private begin(plan: PlanState, work: Exclude<PlanWork, { kind: 'wait' }>): void {
    const done = this.perform(plan, work).finally(() => {
      this.underWay.delete(plan.planId);
      this.ended = true;
      this.waits.poll();
    });
    this.underWay.set(plan.planId, done);
  }

  private async perform(plan: PlanState, work: Exclude<PlanWork, { kind: 'wait' }>): Promise<void> {
    const { planId } = plan;
    try {
      switch (work.kind) {
        case 'submit':
          return await this.give(planId, work.command, work.payload);
        case 'propose':
          for (const payload of work.payloads) await this.give(planId, 'ProposePlan', payload);
          return;
        case 'verify':
          return await this.verify(plan, work);
        default:
          return unreachable(work);
      }
    } catch (error) {
      if (failureCode(error) === 'FENCED' || this.isOver) return;
      this.options.logger.warn({ planId, work: work.kind, error: messageOf(error) }, 'a plan cannot go on now');
      const trouble = { cause: failureCode(error) ?? 'INTERNAL', reason: messageOf(error) };
      this.patience.failed(planId, trouble, this.options.clock.monotonicMs());
    }
  }

  private async give(planId: string, kind: string, payload: object): Promise<void> {
    const { reign, logger, clock } = this.options;
    const before = this.view.state.plan(planId);
    const outcome = await reign.own(kind, payload);
    const code = outcome.rejectionCode;
    // Accepted without effect it would be given again at once, for ever. A part changes its own plan, not this one.
    const idle = code === null && kind !== 'ProposePlan' && this.view.state.plan(planId) === before;
    if (code === null && !idle) {
      this.counts.decided++;
      this.patience.succeeded(planId);
      logger.debug({ planId, kind, seq: outcome.seq }, 'a plan goes on');
      return;
    }
    this.counts.refused++;
    const reason = idle ? `${kind} changed nothing` : `${kind}: ${outcome.rejectionMessage ?? code}`;
    logger.debug({ planId, kind, code, reason }, 'a step of a plan was refused');
    this.patience.failed(planId, { cause: `${kind} ${code}`, reason }, clock.monotonicMs());
  }

  private async verify({ planId, attempt }: PlanState, work: VerifyForPlan): Promise<void> {
    const answer = await this.verification.take(work, this.stopping.signal);
    if (answer.kind === 'again' || this.isOver) return;
    if (answer.kind === 'missing') {
      const { message } = answer;
      return this.give(planId, 'FailPlan', { planId, attempt, code: 'DIGESTS_MISSING', message });
    }
    this.counts.verified++;
    const { barrierId } = answer;
    const evidence = { barrierId, ...digestEvidence(answer.digests) };
    if (work.purpose === 'switch') await this.give(planId, 'VerifyPlan', { planId, attempt, ...evidence });
    else await this.give(planId, 'ReclaimPlan', { planId, ...evidence });
  }
}

function stalled(plan: PlanState, standing: string, stoodStillMs: number): Exclude<PlanWork, { kind: 'wait' }> {
  const { planId, attempt } = plan;
  const message =
    `no progress in step ${plan.step} for ${Math.round(stoodStillMs)} ms: ${standing}; ` +
    'look at those nodes, it is tried again by itself';
  return {
    kind: 'submit',
    command: 'FailPlan',
    payload: { planId, attempt, code: 'STALLED', message: message.slice(0, 2_000) },
  };
}
