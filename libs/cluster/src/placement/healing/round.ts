import type { PlanState } from '@levee/events';
import type { Findings } from './findings';
import type { Trigger } from './healing-policy';
import type { Facts, Proposal, ProposedPlan, ReasonCode, Subject, WhyNot } from './proposal';
import type { ChunkFigures, NodeFigures, Survey } from './survey';

type Draft = Omit<ProposedPlan, 'trigger' | 'policyVersion'>;

export interface Refusal {
  readonly code: ReasonCode;
  readonly message: string;
  readonly facts?: Facts;
}

/** One round of planning: what is proposed so far, what is not and why, and the limits that both must keep. */
export class Round {
  readonly proposals: Proposal[] = [];
  readonly reasons: WhyNot[] = [];
  private readonly taken = new Set<string>();

  constructor(
    readonly survey: Survey,
    readonly findings: Findings,
  ) {}

  /** Why nothing may be done about this finding on this chunk now; `undefined` when something may. */
  obstacle(trigger: Trigger, figures: ChunkFigures, sinceMs: number): Refusal | undefined {
    return this.early(trigger, sinceMs) ?? this.held(trigger, figures);
  }

  /** The same for a finding on a node, whose chunks are judged one by one. */
  early(trigger: Trigger, sinceMs: number): Refusal | undefined {
    const { policy, nowMs, isStorm } = this.survey;
    const forMs = nowMs - sinceMs;
    const ageMs = policy.ageMs[trigger];
    if (forMs < ageMs)
      return { code: 'TOO_YOUNG', message: `found for ${forMs} ms, counts after ${ageMs} ms`, facts: { forMs, ageMs } };
    if (isStorm) return { code: 'STORM', message: 'many nodes are silent at once: nothing is moved meanwhile' };
    return this.isFull ? { code: 'ENOUGH_PLANS', message: this.fullMessage() } : undefined;
  }

  /** Why this chunk must be left as it is now. */
  held(trigger: Trigger, { chunk }: ChunkFigures): Refusal | undefined {
    const { activity, policy, nowMs } = this.survey;
    const { chunkId } = chunk;
    const open = activity.openOn.get(chunkId);
    if (open !== undefined) return { code: 'PLAN_OPEN', message: openMessage(open), facts: { planId: open.planId } };
    if (this.taken.has(chunkId)) return { code: 'PLAN_OPEN', message: `another plan for ${chunkId} is being proposed` };
    const busy = activity.busyNamespaces.get(chunk.namespace) ?? activity.busyNamespaces.get('');
    if (busy !== undefined && trigger !== 'deadReplica')
      return {
        code: 'PEOPLE_AT_WORK',
        message: `${busy.kind} ${busy.planId} is under way`,
        facts: { planId: busy.planId },
      };
    const undoneMs = nowMs - (activity.undoneAtMs.get(chunkId) ?? -Infinity);
    if (undoneMs < policy.chunkCoolDownMs)
      return {
        code: 'COOLING_DOWN',
        message: `a plan for it was undone ${undoneMs} ms ago, it rests ${policy.chunkCoolDownMs} ms`,
      };
    // What is lost is made up for at once. A chunk that fills up needs only as long as its size takes to be told.
    const restMs = { deadReplica: 0, fullChunk: policy.nodeSettleMs }[trigger as string] ?? policy.chunkCoolDownMs;
    const changedMs = nowMs - (activity.changedAtMs.get(chunkId) ?? -Infinity);
    if (changedMs >= restMs) return undefined;
    return {
      code: 'COOLING_DOWN',
      message: `a plan changed it ${changedMs} ms ago, it rests ${restMs} ms`,
      facts: { changedMs, restMs },
    };
  }

  /** Why the loads of a node say nothing yet. */
  unsettled({ node: { nodeId }, loading }: NodeFigures): Refusal | undefined {
    const { activity, policy, nowMs } = this.survey;
    if (loading > 0)
      return {
        code: 'SETTLING',
        message: `${loading} plans that change the load of ${nodeId} are under way`,
        facts: { loading },
      };
    const movedMs = nowMs - (activity.movedAtMs.get(nodeId) ?? -Infinity);
    if (movedMs >= policy.nodeSettleMs) return undefined;
    const { nodeSettleMs } = policy;
    return {
      code: 'SETTLING',
      message: `its load changed ${movedMs} ms ago, it is judged after ${nodeSettleMs} ms`,
      facts: { movedMs, nodeSettleMs },
    };
  }

  /** The chunk's replica, or its lead, was taken from this node to balance load: it does not go back soon. */
  hasLeft({ chunk }: ChunkFigures, { node }: NodeFigures): boolean {
    const { activity, policy, nowMs } = this.survey;
    const leftAtMs = activity.leftAtMs.get(`${chunk.chunkId} ${node.nodeId}`);
    return leftAtMs !== undefined && nowMs - leftAtMs < policy.returnCoolDownMs;
  }

  get isFull(): boolean {
    const { policy, activity } = this.survey;
    const { length } = this.proposals;
    return length >= policy.proposalsPerRoundMax || activity.openByRules + length >= policy.openPlansMax;
  }

  propose(trigger: Trigger, subject: Subject, draft: Draft, chunks: readonly ChunkFigures[]): void {
    const { chunkId, seq } = chunks[0]?.chunk ?? { chunkId: '', seq: 0 };
    for (const { chunk } of chunks) this.taken.add(chunk.chunkId);
    const policyVersion = this.survey.policy.version;
    this.proposals.push({
      key: `${trigger}/${draft.kind}/${chunkId}/${seq}`,
      subject,
      payload: { ...draft, trigger, policyVersion },
    });
  }

  refuse(trigger: Trigger, subject: Subject, refusal: Refusal): void {
    if (this.reasons.length >= this.survey.policy.reasonsMax) return;
    this.reasons.push({ subject, trigger, code: refusal.code, message: refusal.message, facts: refusal.facts ?? {} });
  }

  private fullMessage(): string {
    const { policy, activity } = this.survey;
    return (
      `${this.proposals.length} plans are proposed in this round (at most ${policy.proposalsPerRoundMax}), ` +
      `${activity.openByRules} are open (at most ${policy.openPlansMax})`
    );
  }
}

function openMessage({ planId, kind, state, step, failureCode }: PlanState): string {
  const stopped = failureCode === null ? '' : `, stopped with ${failureCode}`;
  return `${kind} ${planId} holds it: ${state}, step ${step}${stopped}`;
}
