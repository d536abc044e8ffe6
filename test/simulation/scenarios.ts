import { diskDamage, failover, heal, nodeLoss, reclaim, staleLeaders } from './failure-scenarios';
import {
  cancel,
  drain,
  format,
  merge,
  move,
  promote,
  rebalance,
  resize,
  rollback,
  shift,
  split,
} from './plan-scenarios';
import { returnInCopy, rollbackLost } from './return-scenarios';
import type { Scenario } from './scenario';

/** Everything that a cluster goes through in the crash matrix. */
export const scenarios: readonly Scenario[] = [
  failover,
  reclaim,
  nodeLoss,
  heal,
  staleLeaders,
  diskDamage,
  move,
  split,
  merge,
  shift,
  rollback,
  rollbackLost,
  returnInCopy,
  cancel,
  promote,
  resize,
  drain,
  format,
  rebalance,
];
