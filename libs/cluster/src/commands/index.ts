import { allocateUnit } from './allocate-unit';
import { activateNamespace, failNamespace } from './namespace-lifecycle';
import { createNamespace } from './create-namespace';
import type { Decider } from './decider';
import { initCluster } from './init-cluster';
import { finishReclaim, reclaimUnit } from './reclaim-unit';
import { registerNode } from './register-node';
import { requestBarrier } from './request-barrier';

/** Every command there is. Payload fields are described at each decider. */
export const commandDeciders = {
  InitCluster: initCluster,
  RegisterNode: registerNode,
  CreateNamespace: createNamespace,
  ActivateNamespace: activateNamespace,
  FailNamespace: failNamespace,
  RequestBarrier: requestBarrier,
  AllocateUnit: allocateUnit,
  ReclaimUnit: reclaimUnit,
  FinishReclaim: finishReclaim,
} as const satisfies Record<string, Decider>;

export type CommandKind = keyof typeof commandDeciders;
