import type { ChunkState, NodeState, PlanState } from '@levee/events';
import { creationReason } from '../placement/unit-reasons';
import { planWait, waitText } from '../plans/next/plan-waits';
import type { ClusterState } from '../state/state';

/** A link of the chain from how something is to what it rests on. */
interface ExplanationLink {
  /** Milliseconds since 1970-01-01T00:00:00Z; `null` = only the decision's number is remembered. */
  readonly atMs: number | null;
  /** Number of the decision: `levee log dump levee.journal` holds it whole, with its command and principal. */
  readonly seq: number;
  readonly what: string;
  readonly evidence: string;
}

export interface Explanation {
  readonly subject: string;
  /** How it is, in one line. */
  readonly now: string;
  /** Oldest first. */
  readonly chain: readonly ExplanationLink[];
}

const chunkCreated = 'ChunkCreated';
/** Links of one answer; the newest are kept. */
const explanationLinksMax = 200;

/**
 * Why the chunk, plan or node of that id is as it is: from recorded decisions alone. `undefined` when the state does
 * not know it; plans are remembered for a day after they ended.
 */
export function explainSubject(state: ClusterState, subject: string, nowMs: number): Explanation | undefined {
  const plan = state.plan(subject);
  if (plan !== undefined) return { subject, now: planNow(state, plan, nowMs), chain: last(planLinks(plan)) };
  const chunk = state.chunk(subject);
  const about = [...state.plans()].filter((each) => concerns(each, subject));
  if (chunk !== undefined)
    return { subject, now: chunkNow(chunk), chain: last(linksOf(about, chunk, createdBy(state, chunk))) };
  const node = state.node(subject);
  if (node !== undefined) return { subject, now: nodeNow(state, node), chain: last(linksOf(about, node)) };
  // A chunk that a split or merge has replaced: only the plans still know it.
  if (about.length === 0) return undefined;
  return { subject, now: 'is gone: a plan replaced it', chain: last(linksOf(about)) };
}

function concerns(plan: PlanState, id: string): boolean {
  return (
    plan.nodeId === id ||
    plan.toNodeId === id ||
    plan.sources.includes(id) ||
    plan.targets.some((target) => target.chunkId === id || target.replicas.some(({ nodeId }) => nodeId === id)) ||
    plan.retiring.some(({ nodeId }) => nodeId === id)
  );
}

/** Of a chunk that nothing has changed since its namespace was made. */
function createdBy(state: ClusterState, { namespace, change }: ChunkState): string {
  const of = state.namespace(namespace);
  return change === chunkCreated && of !== undefined ? creationReason(of) : '';
}

function linksOf(plans: readonly PlanState[], entity?: ChunkState | NodeState, evidence = ''): ExplanationLink[] {
  const links = plans.flatMap(planLinks);
  if (entity !== undefined) {
    const known = links.find(({ seq }) => seq === entity.seq);
    if (known === undefined) links.push({ atMs: null, seq: entity.seq, what: entity.change, evidence });
  }
  return links.sort((a, b) => a.seq - b.seq);
}

function planLinks(plan: PlanState): ExplanationLink[] {
  const name = `${plan.planId} ${plan.kind}`;
  return plan.history.map(({ step, what, atMs, seq, evidence, attempt }) => {
    const why = what === 'proposed' ? `${plan.trigger} by ${plan.proposedBy} ${plan.evidence}` : evidence;
    return { atMs, seq, what: `${name}: ${step} ${what}${attempt > 1 ? ` (attempt ${attempt})` : ''}`, evidence: why };
  });
}

function planNow(state: ClusterState, plan: PlanState, nowMs: number): string {
  const wait = planWait(state, plan, nowMs);
  const stopped = plan.failureCode === null ? '' : `, stopped by ${plan.failureCode}: ${plan.failureMessage ?? ''}`;
  const waits = wait === undefined ? '' : `, ${waitText(wait, nowMs)}`;
  return `${plan.kind} is ${plan.state}, step ${plan.step}, attempt ${plan.attempt}${waits}${stopped}`;
}

function chunkNow({ state, slotStart, slotEnd, replicas }: ChunkState): string {
  const where = replicas.map(({ unitId, role }) => `${role} ${unitId}`).join(', ');
  return `${state} for slots ${slotStart}..${slotEnd}: ${where}`;
}

function nodeNow(state: ClusterState, node: NodeState): string {
  let units = 0;
  let used = 0;
  for (const unit of state.unitsOf(node.nodeId)) {
    units++;
    if (unit.state !== 'free') used++;
  }
  const cordoned = node.cordoned ? ', cordoned: it gets no new replicas' : '';
  return `${node.state} in domain ${node.domain}, ${used} of ${units} units in use${cordoned}`;
}

function last(links: readonly ExplanationLink[]): readonly ExplanationLink[] {
  return links.slice(-explanationLinksMax);
}
