import type { ChunkState, PlanState } from '@levee/events';
import { PayloadFields } from '../../payload';
import { reject, type Rejection } from '../../rejection';
import type { ClusterState } from '../../state/state';
import { partsOf } from '../steps/give-up-plan';
import { nextRebalanceMove } from './next-rebalance-move';
import { planLimits } from '../plan-limits';
import { isReadable, planHolding } from '../plan-shape';
import { proposePlan } from '../propose/propose-plan';
import { resizeParts, smallerSteps } from './resize-parts';

type Payload = Readonly<Record<string, unknown>>;

/** Payloads of ProposePlan for the parts that the plan needs next and the cluster has room for; none = none now. */
export function nextParts(state: ClusterState, plan: PlanState, nowMs: number): Parts {
  const open = partsOf(state, plan.planId);
  const found: Parts = { accepted: [], room: planLimits.runningMax - open.length, refusal: undefined };
  if (found.room <= 0 || plan.step !== 'parts') return found;
  switch (plan.kind) {
    case 'drain':
    case 'format':
      drainParts(state, plan, { nowMs, found });
      break;
    case 'resize':
      resizeStep(state, plan, { nowMs, found });
      break;
    case 'rebalance':
      // One at a time as long as the last one has not taken its unit: each choice rests on those before it.
      if (open.every(({ state: is }) => is !== 'proposed'))
        offer(state, plan, { nowMs, found, payload: nextRebalanceMove(state, plan.namespace) });
      break;
    default:
  }
  return found;
}

export interface Parts {
  readonly accepted: Payload[];
  readonly room: number;
  /** Why the first of those that cannot be proposed now cannot. */
  refusal: Rejection | undefined;
}

function drainParts(state: ClusterState, plan: PlanState, { nowMs, found }: { nowMs: number; found: Parts }): void {
  const nodeId = plan.nodeId ?? '';
  const seen = new Set<string>();
  for (const chunk of state.chunksOn(nodeId)) {
    if (found.accepted.length >= found.room) return;
    if (seen.has(chunk.chunkId) || chunk.state !== 'serving') continue;
    seen.add(chunk.chunkId);
    if (!chunk.replicas.some((of) => of.nodeId === nodeId && (isReadable(of) || of.role === 'dead'))) continue;
    offer(state, plan, { nowMs, found, payload: { kind: 'move', chunkId: chunk.chunkId, from: nodeId } });
  }
}

function resizeStep(state: ClusterState, plan: PlanState, { nowMs, found }: { nowMs: number; found: Parts }): void {
  const chunks = state.chunksOf(plan.namespace ?? '');
  for (const part of resizeParts(chunks, plan.chunksWanted ?? 1)) {
    if (found.accepted.length >= found.room) return;
    const own = chunks.filter(({ chunkId }) => part.chunkIds.includes(chunkId));
    const holder = holderOf(state, own);
    if (holder !== undefined) {
      found.refusal ??= holder;
      continue;
    }
    for (const step of smallerSteps(part, own))
      if (offer(state, plan, { nowMs, found, payload: partPayload(step) })) break;
  }
}

function holderOf(state: ClusterState, chunks: readonly ChunkState[]): Rejection | undefined {
  for (const chunk of chunks) {
    const plan = planHolding(state, chunk.namespace, chunk);
    if (plan === undefined) continue;
    const { planId, kind, state: is } = plan;
    return reject('PLAN_CONFLICT', `plan ${planId} (${kind}, ${is}) holds ${chunk.chunkId} until it is over`);
  }
  return undefined;
}

/** A split or merge where it is one, so that people read the word they know. */
function partPayload({ chunkIds, at }: { chunkIds: readonly string[]; at: readonly number[] }): Payload {
  const [chunkId] = chunkIds;
  if (chunkIds.length === 1 && at.length < planLimits.piecesMax) return { kind: 'split', chunkId, at };
  if (at.length === 0 && chunkIds.length <= planLimits.piecesMax) return { kind: 'merge', chunkIds };
  return { kind: 'resize', chunkIds, at };
}

/** Keeps the payload when the proposal would be accepted as the state is; returns whether it was. */
function offer(
  state: ClusterState,
  plan: PlanState,
  { nowMs, found, payload }: { nowMs: number; found: Parts; payload: Payload | undefined },
): boolean {
  if (payload === undefined) return false;
  const { planId, observeMs, maxLagRecords } = plan;
  const part = { ...payload, observeMs, maxLagRecords, trigger: 'parent', parent: planId };
  if (payload['kind'] === 'promote') part.observeMs = 0;
  const refusal = proposalRefusal(state, part, nowMs);
  if (refusal === undefined) found.accepted.push(part);
  else found.refusal ??= refusal;
  return refusal === undefined;
}

/** Why ProposePlan with this payload would be refused as the state is; `undefined` = it would be accepted. */
export function proposalRefusal(state: ClusterState, payload: Payload, nowMs: number): Rejection | undefined {
  const fields = PayloadFields.parse('ProposePlan', JSON.stringify(payload));
  if ('code' in fields) return fields;
  const verdict = proposePlan(state, fields, { nowMs, seq: state.seq + 1, term: 1, principal: 'master' });
  return 'code' in verdict ? verdict : undefined;
}
