import type { PlanState } from '@levee/events';
import type { HeartbeatView } from '@levee/journal';

type Loading = PlanState['targets'][number]['replicas'][number] & { readonly chunkId: string };

interface Watched {
  readonly attempt: number;
  /** What the nodes say of each replica under way, as text. */
  signature: string;
  stoodStillMs: number;
  lookedAtMs: number;
}

/**
 * How long a plan's replicas made no progress: nothing more copied, no position further, no step ended. Time counts only
 * while this process hears heartbeats, so that an own trouble is not held against a node; a silent node makes none.
 */
export class PlanStall {
  private readonly plans = new Map<string, Watched>();

  constructor(
    private readonly heartbeats: HeartbeatView,
    /** Two looks further apart than this prove nothing about the time between them. */
    private readonly gapMsMax: number,
  ) {}

  /** Milliseconds without progress; `nowMs` by the monotonic clock. 0 for a plan that loads nothing now. */
  look(plan: PlanState, nowMs: number): number {
    const loading = loadingOf(plan);
    if (loading.length === 0) {
      this.plans.delete(plan.planId);
      return 0;
    }
    const signature = loading.map((replica) => this.describe(replica, plan.planId)).join('; ');
    const watched = this.plans.get(plan.planId);
    if (watched?.attempt !== plan.attempt || watched.signature !== signature) {
      this.plans.set(plan.planId, { attempt: plan.attempt, signature, stoodStillMs: 0, lookedAtMs: nowMs });
      return 0;
    }
    const sinceMs = nowMs - watched.lookedAtMs;
    watched.lookedAtMs = nowMs;
    if (sinceMs <= this.gapMsMax && this.heartbeats.atEndMonotonicMs !== undefined) watched.stoodStillMs += sinceMs;
    return watched.stoodStillMs;
  }

  /** Where the replicas of a plan stand, for the message that says it is stalled. */
  standing(plan: PlanState, nowMs: number): string {
    return loadingOf(plan)
      .map((replica) => {
        const heardMs = this.heartbeats.latest('node', replica.nodeId)?.receivedMonotonicMs;
        const heard = heardMs === undefined ? 'not heard of' : `heard ${Math.round(nowMs - heardMs)} ms ago`;
        return `${replica.unitId} of ${replica.chunkId} (${this.describe(replica, plan.planId)}; node ${heard})`;
      })
      .join(', ');
  }

  /** Forgets plans that are not among these. */
  keep(planIds: ReadonlySet<string>): void {
    for (const planId of this.plans.keys()) if (!planIds.has(planId)) this.plans.delete(planId);
  }

  private describe(replica: Loading, planId: string): string {
    const { unitId, generation, chunkId } = replica;
    const latest = this.heartbeats.latest('node', replica.nodeId);
    const move = latest?.beat.moves.find(
      (each) => each.planId === planId && each.unitId === unitId && each.generation === generation,
    );
    let applied = 0;
    for (const position of latest?.positions ?? []) if (position.chunkId === chunkId) applied += position.nextOffset;
    const copied = Math.max(replica.recordsCopied, move?.recordsCopied ?? 0);
    return `step ${move?.step ?? replica.step}, ${copied} records copied, positions add up to ${applied}`;
  }
}

function loadingOf(plan: PlanState): Loading[] {
  if (plan.state !== 'running' || (plan.step !== 'copy' && plan.step !== 'catchUp')) return [];
  return plan.targets.flatMap(({ chunkId, replicas }) =>
    replicas.flatMap((replica) => (replica.step === 'ready' ? [] : { ...replica, chunkId })),
  );
}
