export { masterCommandKinds } from './commands';
export { maintenanceLimits } from './commands/node-maintenance';
export * from './liveness/liveness';
export * from './liveness/liveness-limits';
export * from './liveness/storm';
export * from './liveness/followers-behind';
export * from './decide';
export * from './effects';
export * from './event';
export * from './explain';
export * from './numbers-lost';
export { ClusterState, draft, evolve, eventsOf, isPlanOver } from './state';
export * from './rejection';
export { unknownNode } from './unknown-node';
export * from './commands/heard-levels';
export {
  defaultHistoryWindowMs,
  defaultPartitions,
  defaultReplicas,
  hasDoorKnobs,
  manualPlanKinds,
} from './commands/knobs';
export * from './placement/healing';
export * from './knob-table';
export * from './namespace-groups';
export * from './namespace-query';
export * from './placement/place-chunks';
export * from './placement/sites';
export * from './placement/unit-budget';
export * from './producer-settings';
export * from './simulate-creation';
export * from './view';
export { digestEvidence } from './plans/digest-evidence';
export * from './plans/next-plan-work';
export * from './plans/next-rebalance-move';
export * from './plans/plan-limits';
export { planKinds } from './plans/propose-plan';
export * from './plans/simulate-plan';
export * from './plans/unit-specs';
export * from './plans/view-plans';
export * from './plans/plan-waits';
export * from './plans/plan-work';
export { checkWhole } from './invariants';
export * from './chunk-full';
