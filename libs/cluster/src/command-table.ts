import type { CommandKind } from './command-kinds';
import { allocateUnit } from './commands/units/allocate-unit';
import { acknowledgeFindings } from './commands/namespaces/acknowledge-findings';
import { alterNamespace, confirmHistoryWindow } from './commands/namespaces/alter-namespace';
import { deleteNamespace, finishDeletion } from './commands/namespaces/delete-namespace';
import { confirmFreeze, freezeNamespace, thawNamespace } from './commands/namespaces/freeze-namespace';
import { swapNamespaces } from './commands/namespaces/swap-namespaces';
import { loseNode, reviveNode, suspectNode } from './commands/nodes/node-liveness';
import { endMaintenance, maintainNode } from './commands/nodes/node-maintenance';
import { cordonNode, uncordonNode } from './commands/nodes/cordon-node';
import { activateNamespace, failNamespace, finishFork } from './commands/namespaces/namespace-lifecycle';
import { createNamespace } from './commands/namespaces/create-namespace';
import { reportSource } from './commands/namespaces/report-source';
import type { Decider } from './commands/decider';
import { initCluster } from './commands/init-cluster';
import { finishReclaim, reclaimUnit } from './commands/units/reclaim-unit';
import { registerNode } from './commands/nodes/register-node';
import { recordAccess } from './commands/record-access';
import { rebuildReplica } from './commands/rebuild-replica';
import { requestBarrier } from './commands/request-barrier';
import { createUser } from './commands/users/create-user';
import { alterUser, deleteUser, grantRights, revokeRights } from './commands/users/alter-user';
import { createToken, revokeToken } from './commands/users/user-tokens';
import { endObservation } from './plans/steps/end-observation';
import { failPlan } from './plans/steps/fail-plan';
import { finishPlan } from './plans/steps/finish-plan';
import { approvePlan, cancelPlan, retryPlan, rollbackPlan } from './plans/steps/give-up-plan';
import { proposePlan } from './plans/propose/propose-plan';
import { reclaimPlan } from './plans/steps/reclaim-plan';
import { reportPlanStep } from './plans/steps/report-plan-step';
import { startPlan } from './plans/steps/start-plan';
import { switchPlan } from './plans/steps/switch-plan';
import { verifyPlan } from './plans/steps/verify-plan';

/** Who decides each kind of command. Payload fields are described at each decider. */
export const commandDeciders: Readonly<Record<CommandKind, Decider>> = {
  InitCluster: initCluster,
  RegisterNode: registerNode,
  CreateNamespace: createNamespace,
  ActivateNamespace: activateNamespace,
  FailNamespace: failNamespace,
  FinishFork: finishFork,
  AlterNamespace: alterNamespace,
  ConfirmHistoryWindow: confirmHistoryWindow,
  ReportSource: reportSource,
  FreezeNamespace: freezeNamespace,
  ThawNamespace: thawNamespace,
  ConfirmFreeze: confirmFreeze,
  SwapNamespaces: swapNamespaces,
  AcknowledgeFindings: acknowledgeFindings,
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
  RebuildReplica: rebuildReplica,
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
  CreateUser: createUser,
  AlterUser: alterUser,
  GrantRights: grantRights,
  RevokeRights: revokeRights,
  DeleteUser: deleteUser,
  CreateToken: createToken,
  RevokeToken: revokeToken,
  RecordAccess: recordAccess,
};
