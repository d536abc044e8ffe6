import type { PlanReplica, PlanState } from '@levee/events';
import type { CommandContext, Decider } from '../../commands/decider';
import { callerProblem } from '../../commands/caller-check';
import type { ClusterEvent } from '../../state/event';
import type { PayloadFields } from '../../payload';
import { reject, type Rejection } from '../../rejection';
import type { ClusterState } from '../../state/state';
import { planFailed } from './fail-plan';
import { attemptBounds, readPlan, notReady, planChanged } from './plan-events';
import { replicaInForce, replicasMade, type MadeReplica } from '../plan-shape';
import { evidenceIn } from '../propose/propose-plan';
import { shortenedText } from '../evidence/shorten-evidence';

const stepRank: Readonly<Record<PlanReplica['step'], number>> = { copy: 0, catchUp: 1, ready: 2 };
const afterStep = { copy: 'catchUp', catchUp: 'ready' } as const;

interface Report extends Pick<
  PlanReplica,
  'unitId' | 'generation' | 'storeId' | 'incarnation' | 'recordsCopied' | 'bytesCopied' | 'evidence'
> {
  readonly step: 'copy' | 'catchUp';
  readonly failure: { readonly code: string; readonly message: string } | undefined;
}

/**
 * `{planId, attempt, unitId, generation, storeId, incarnation, step, failure?, recordsCopied, bytesCopied, evidence}`: the
 * node that makes a replica tells that a step of it has ended, or cannot. Only the very process, disk and generation
 * that the plan means is heard; the same report again changes nothing.
 */
export const reportPlanStep: Decider = (state, fields, context) => {
  const attempt = fields.integer('attempt', attemptBounds);
  const report = readReport(fields);
  const plan = readPlan(state, fields, attempt);
  if ('code' in plan) return plan;
  const replica = replicaReported(state, plan, report);
  if ('code' in replica) return replica;
  const refusal = callerProblem(replica.nodeId, `unit ${replica.unitId}`, context);
  if (refusal !== undefined) return refusal;
  if (report.failure !== undefined) return stopped(plan, replica, { report, failure: report.failure }, context);
  if (stepRank[replica.step] > stepRank[report.step]) return [];
  if (plan.state !== 'running') return notReady(plan, 'reported on');
  if (stepRank[replica.step] < stepRank[report.step])
    return notReady(plan, 'reported on', `unit ${replica.unitId} has not reported the end of its copy yet`);
  return [advanced(plan, replica, report, context)];
};

function readReport(fields: PayloadFields): Report {
  const count = (name: string): number => fields.integer(name, { min: 0, max: Number.MAX_SAFE_INTEGER });
  const failure = fields.optional('failure', (name) => failureIn(fields, name), undefined);
  return {
    unitId: fields.text('unitId', 128),
    generation: fields.integer('generation', { min: 1, max: 2 ** 31 - 1 }),
    storeId: fields.text('storeId', 64),
    incarnation: fields.text('incarnation', 64),
    step: fields.choice('step', ['copy', 'catchUp']),
    failure,
    recordsCopied: count('recordsCopied'),
    bytesCopied: count('bytesCopied'),
    evidence: shortenedText(evidenceIn(fields)),
  };
}

function failureIn(fields: PayloadFields, name: string): Report['failure'] {
  const value = fields.raw(name) as { code?: unknown; message?: unknown } | undefined;
  const { code, message } = value ?? {};
  if (typeof code === 'string' && typeof message === 'string' && code.length <= 64 && code !== '')
    return { code, message: message.slice(0, 2_000) };
  fields.refuse(reject('BAD_COMMAND', `${name} must be {code, message}, the code of at most 64 characters`));
  return undefined;
}

function replicaReported(state: ClusterState, plan: PlanState, report: Report): MadeReplica | Rejection {
  const { unitId, generation, storeId, incarnation } = report;
  const replica = replicasMade(plan).find((of) => of.unitId === unitId);
  if (replica === undefined)
    return reject('UNIT_UNKNOWN', `plan ${plan.planId} makes no replica in unit ${unitId}: look again`);
  if (replica.generation !== generation)
    return reject(
      'STALE_GENERATION',
      `plan ${plan.planId} makes generation ${replica.generation} of unit ${unitId}, not ${generation}: look again`,
    );
  if (replica.storeId !== storeId || replicaInForce(state, replica) === undefined)
    return reject(
      'STALE_STORE',
      `unit ${unitId} is on disk ${state.unit(unitId)?.storeId}, not on ${storeId}: look again`,
    );
  const node = state.node(replica.nodeId);
  if (node?.incarnation === incarnation) return replica;
  return reject(
    'STALE_INCARNATION',
    `node ${replica.nodeId} runs as ${node?.incarnation}, not as ${incarnation}: look again`,
  );
}

function stopped(
  plan: PlanState,
  { nodeId, unitId }: MadeReplica,
  { report, failure }: { report: Report; failure: { code: string; message: string } },
  context: CommandContext,
): ClusterEvent[] | Rejection {
  if (plan.state === 'failed') return [];
  if (plan.state !== 'running') return notReady(plan, 'stopped');
  const evidence = { nodeId, unitId, evidence: report.evidence };
  const message = `node ${nodeId}, unit ${unitId}: ${failure.message}`;
  return [planFailed(plan, { code: failure.code, message, evidence }, context)];
}

/** The replica goes on to its next step, and the plan once all of its replicas have. */
function advanced(plan: PlanState, replica: MadeReplica, report: Report, context: CommandContext): ClusterEvent {
  const { incarnation, recordsCopied, bytesCopied, evidence } = report;
  const reached = afterStep[report.step];
  const targets = plan.targets.map((target) => ({
    ...target,
    replicas: target.replicas.map((of) =>
      of.unitId === replica.unitId ? { ...of, step: reached, incarnation, recordsCopied, bytesCopied, evidence } : of,
    ),
  }));
  const least = Math.min(...replicasMade({ targets }).map(({ step }) => stepRank[step]));
  const step = least === 0 ? 'copy' : least === 1 ? 'catchUp' : 'verify';
  const shown = { nodeId: replica.nodeId, unitId: replica.unitId, recordsCopied, bytesCopied, evidence };
  const change = report.step === 'copy' ? 'ReplicaCopied' : 'ReplicaCaughtUp';
  return planChanged(plan, { targets, step }, { change, what: 'ended', step: report.step, evidence: shown }, context);
}
