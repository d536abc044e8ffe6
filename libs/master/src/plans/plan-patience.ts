import { planLimits } from '@levee/cluster';
import type { PlanState } from '@levee/events';
import type { Logger } from '@levee/kernel';

interface Trouble {
  /** Tells one kind of trouble from another; the words may hold numbers that change. */
  readonly cause: string;
  readonly reason: string;
  /** How often in a row for that cause. */
  readonly count: number;
  readonly notBeforeMs: number;
}

const planPatienceLimits = { retryMinMs: 100, retryMaxMs: 30_000, namedMax: 10 } as const;

/**
 * What did not work out, plan by plan: says when to try again, and which plans need a person's eye. A plan's own
 * failures are decisions, and their pauses with them; here is what the master could not decide.
 */
export class PlanPatience {
  private readonly troubles = new Map<string, Trouble>();
  /** Failures of each plan that the alarm was sounded for. */
  private readonly sounded = new Map<string, string>();

  constructor(private readonly logger: Logger) {}

  /** Monotonic ms before which the plan is left alone. */
  notBeforeMs(planId: string): number {
    return this.troubles.get(planId)?.notBeforeMs ?? -Infinity;
  }

  succeeded(planId: string): void {
    this.troubles.delete(planId);
  }

  failed(planId: string, trouble: { readonly cause: string; readonly reason: string }, nowMs: number): void {
    const { cause, reason } = trouble;
    const before = this.troubles.get(planId);
    const count = before?.cause === cause ? before.count + 1 : 1;
    const { retryMinMs, retryMaxMs } = planPatienceLimits;
    const pauseMs = Math.min(retryMaxMs, retryMinMs * 2 ** (count - 1));
    this.troubles.set(planId, { cause, reason, count, notBeforeMs: nowMs + pauseMs });
    if (count === planLimits.failuresAlarm)
      this.logger.error({ planId, reason, times: count }, 'a plan does not get on: each try ends the same');
  }

  /** Sounds the alarm once for each plan that keeps failing for one reason. */
  note(plan: PlanState): void {
    const { planId, kind, failureCode, failureMessage, failures } = plan;
    if (failures < planLimits.failuresAlarm || failureCode === null) {
      this.sounded.delete(planId);
      return;
    }
    if (this.sounded.get(planId) === failureCode) return;
    this.sounded.set(planId, failureCode);
    this.logger.error(
      { planId, kind, code: failureCode, reason: failureMessage, failures },
      'a plan keeps failing for the same reason: it needs a look',
    );
  }

  /** Forgets plans that are not among these. */
  keep(planIds: ReadonlySet<string>): void {
    for (const map of [this.troubles, this.sounded])
      for (const planId of map.keys()) if (!planIds.has(planId)) map.delete(planId);
  }

  /** One line per plan that needs a look: `waits` are those that wait for others for too long. */
  alarms(open: Iterable<PlanState>, waits: readonly string[] = []): string[] {
    const lines: string[] = [...waits];
    for (const { planId, kind, state, failures, failureCode, failureMessage } of open) {
      const trouble = this.troubles.get(planId);
      if (state === 'failed' && failures >= planLimits.failuresAlarm)
        lines.push(`plan ${planId} (${kind}) failed ${failures} times in a row: ${failureCode} ${failureMessage}`);
      else if (trouble !== undefined && trouble.count >= planLimits.failuresAlarm)
        lines.push(`plan ${planId} (${kind}) does not get on, ${trouble.count} tries: ${trouble.reason}`);
    }
    return lines;
  }

  /** The alarms in one line; `undefined` = none. */
  problem(open: Iterable<PlanState>, waits: readonly string[] = []): string | undefined {
    const lines = this.alarms(open, waits);
    if (lines.length === 0) return undefined;
    const more = lines.length - planPatienceLimits.namedMax;
    const named = lines.slice(0, planPatienceLimits.namedMax).join('; ');
    return more > 0 ? `${named}; and ${more} more: levee plan list` : named;
  }
}
