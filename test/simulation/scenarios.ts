import { failover, heal, nodeLoss, reclaim } from './failure-scenarios';
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
import type { Scenario } from './scenario';

/** Everything that a cluster goes through in the crash matrix. */
export const scenarios: readonly Scenario[] = [
  failover,
  reclaim,
  nodeLoss,
  heal,
  move,
  split,
  merge,
  shift,
  rollback,
  cancel,
  promote,
  resize,
  drain,
  format,
  rebalance,
];
