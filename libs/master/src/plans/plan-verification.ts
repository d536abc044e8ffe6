import { nextPlanWork, type ExpectedDigest, type PlanDigest, type VerifyForPlan } from '@levee/cluster';
import type { ClusterView, ControlTopics, DigestTail } from '@levee/journal';
import type { Clock, Logger, NewId, Timers } from '@levee/kernel';
import type { Log } from '@levee/log';
import type { BarrierNumbers } from '../barriers/barriers';
import { digestRound } from './digest-round';

const planVerificationLimits = {
  /** A round of digests is over when none came for a fourth of the stall, at most this; longer in each further one. */
  quietMsMax: 15_000,
  /** Rounds without a complete answer after which the plan has failed. */
  roundsMax: 4,
} as const;

export type PlanAnswer =
  | { readonly kind: 'complete'; readonly barrierId: string; readonly digests: readonly PlanDigest[] }
  /** Look at the plan again: it wants something else now, or the same once more. */
  | { readonly kind: 'again' }
  /** Round after round some did not come. */
  | { readonly kind: 'missing'; readonly message: string };

export interface PlanVerificationOptions {
  readonly topics: Pick<ControlTopics, 'digests'>;
  readonly digests: DigestTail;
  readonly numbers: BarrierNumbers;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly logger: Logger;
  readonly newId: NewId;
  readonly stallMs: number;
}

/** Gathers the digests that plans rest on, in rounds: a digest can be lost with the node that was at it. */
export class PlanVerification {
  private readonly rounds = new Map<string, { readonly of: string; count: number }>();

  constructor(
    private readonly log: Log,
    private readonly view: ClusterView,
    private readonly options: PlanVerificationOptions,
  ) {}

  /** One round; ends early when `signal` aborts or the plan wants something else. Fails as `digestRound`. */
  async take(work: VerifyForPlan, signal: AbortSignal): Promise<PlanAnswer> {
    const { planId } = work;
    const { newId, stallMs, digests, logger } = this.options;
    const { quietMsMax, roundsMax } = planVerificationLimits;
    const round = this.roundOf(work);
    const barrierId = newId();
    const result = await digestRound(this.log, digests, this.view, work, {
      ...this.options,
      barrierId,
      quietMs: Math.min(quietMsMax, stallMs / 4) * 2 ** round.count,
      isWanted: this.isWanted(work),
      signal,
    });
    if (result.kind === 'unwanted') return { kind: 'again' };
    if (result.kind === 'complete') {
      this.rounds.delete(planId);
      return { kind: 'complete', barrierId, digests: result.digests };
    }
    round.count++;
    const message = describe(result.missing);
    logger.warn({ planId, round: round.count, reason: message }, 'digests of a plan did not come');
    if (round.count < roundsMax) return { kind: 'again' };
    this.rounds.delete(planId);
    return { kind: 'missing', message };
  }

  /** Forgets plans that are not among these. */
  keep(planIds: ReadonlySet<string>): void {
    for (const planId of this.rounds.keys()) if (!planIds.has(planId)) this.rounds.delete(planId);
  }

  private isWanted(work: VerifyForPlan): () => boolean {
    const { planId, attempt } = work;
    const expected = JSON.stringify(work.expect);
    return () => {
      const plan = this.view.state.plan(planId);
      if (plan === undefined) return false;
      const next = nextPlanWork(this.view.state, plan, this.options.clock.nowMs());
      return next.kind === 'verify' && next.attempt === attempt && JSON.stringify(next.expect) === expected;
    };
  }

  private roundOf({ planId, attempt, purpose }: VerifyForPlan): { count: number } {
    const of = `${attempt} ${purpose}`;
    const known = this.rounds.get(planId);
    if (known?.of === of) return known;
    const fresh = { of, count: 0 };
    this.rounds.set(planId, fresh);
    return fresh;
  }
}

function describe(missing: readonly ExpectedDigest[]): string {
  const examples = missing.slice(0, 3).map((of) => `${of.chunkId} partition ${of.partition} on ${of.nodeId}`);
  return `${missing.length} digests did not come, among them ${examples.join(', ')}; see whether those nodes are ready`;
}
