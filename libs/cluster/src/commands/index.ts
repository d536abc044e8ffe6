import { allocateUnit } from './allocate-unit';
import { alterNamespace, confirmHistoryWindow } from './alter-namespace';
import { deleteNamespace, finishDeletion } from './delete-namespace';
import { loseNode, reviveNode, suspectNode } from './node-liveness';
import { endMaintenance, maintainNode } from './node-maintenance';
import { cordonNode, uncordonNode } from './cordon-node';
import { activateNamespace, failNamespace } from './namespace-lifecycle';
import { createNamespace } from './create-namespace';
import type { Decider } from './decider';
import { initCluster } from './init-cluster';
import { finishReclaim, reclaimUnit } from './reclaim-unit';
import { registerNode } from './register-node';
import { requestBarrier } from './request-barrier';
import { endObservation } from '../plans/end-observation';
import { failPlan } from '../plans/fail-plan';
import { finishPlan } from '../plans/finish-plan';
import { approvePlan, cancelPlan, retryPlan, rollbackPlan } from '../plans/give-up-plan';
import { proposePlan } from '../plans/propose-plan';
import { reclaimPlan } from '../plans/reclaim-plan';
import { reportPlanStep } from '../plans/report-plan-step';
import { startPlan } from '../plans/start-plan';
import { switchPlan } from '../plans/switch-plan';
import { verifyPlan } from '../plans/verify-plan';

/** Every command there is. Payload fields are described at each decider. */
export const commandDeciders = {
  InitCluster: initCluster,
  RegisterNode: registerNode,
  CreateNamespace: createNamespace,
  ActivateNamespace: activateNamespace,
  FailNamespace: failNamespace,
  AlterNamespace: alterNamespace,
  ConfirmHistoryWindow: confirmHistoryWindow,
  DeleteNamespace: deleteNamespace,
  FinishDeletion: finishDeletion,
  SuspectNode: suspectNode,
  LoseNode: loseNode,
  ReviveNode: reviveNode,
  MaintainNode: maintainNode,
  EndMaintenance: endMaintenance,
  CordonNode: cordonNode,
  UncordonNode: uncordonNode,
  RequestBarrier: requestBarrier,
  AllocateUnit: allocateUnit,
  ReclaimUnit: reclaimUnit,
  FinishReclaim: finishReclaim,
  ProposePlan: proposePlan,
  ApprovePlan: approvePlan,
  CancelPlan: cancelPlan,
  RollbackPlan: rollbackPlan,
  RetryPlan: retryPlan,
  EndObservation: endObservation,
  ReportPlanStep: reportPlanStep,
  StartPlan: startPlan,
  VerifyPlan: verifyPlan,
  SwitchPlan: switchPlan,
  ReclaimPlan: reclaimPlan,
  FinishPlan: finishPlan,
  FailPlan: failPlan,
} as const satisfies Record<string, Decider>;

export type CommandKind = keyof typeof commandDeciders;

/** Kinds that state what the master has done or observed: from anybody else they would be a lie. */
export const masterCommandKinds: ReadonlySet<string> = new Set<CommandKind>([
  'InitCluster',
  'ActivateNamespace',
  'FailNamespace',
  'ConfirmHistoryWindow',
  'FinishDeletion',
  'SuspectNode',
  'LoseNode',
  'ReviveNode',
  'StartPlan',
  'VerifyPlan',
  'SwitchPlan',
  'ReclaimPlan',
  'FinishPlan',
  'FailPlan',
]);
