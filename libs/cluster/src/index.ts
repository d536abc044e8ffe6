export { type CommandKind, masterCommandKinds } from './command-kinds';
export { accessLimits } from './commands/record-access';
export { maintenanceLimits } from './commands/nodes/node-maintenance';
export * from './liveness/liveness';
export * from './liveness/liveness-limits';
export * from './liveness/storm';
export * from './liveness/followers-behind';
export * from './decide';
export type { DecideContext } from './decide-context';
export * from './effects';
export * from './state/event';
export * from './views/explain';
export * from './state/numbers-lost';
export { isPlanOver } from './state/entities';
export { ClusterState, draft, evolve, eventsOf } from './state/state';
export * from './rejection';
export { unknownNode } from './commands/nodes/unknown-node';
export * from './commands/heard-levels';
export {
  defaultHistoryWindowMs,
  defaultPartitions,
  defaultReplicas,
  manualPlanKinds,
  recordFormatChoices,
} from './commands/namespaces/knobs';
export { acknowledgementOf, findingReasons, type FindingReason } from './commands/namespaces/acknowledge-findings';
export {
  hiddenAfter,
  isSourceLost,
  lossWaysOut,
  retentionLimits,
  retentionMargin,
  strongRefused,
  ttlRefused,
} from './commands/namespaces/binding';
export * from './commands/namespaces/born';
export { forkBegun } from './commands/namespaces/fork-origin';
export {
  isFrozen,
  isOfOperation,
  isRepartitionOf,
  isSwapUnheard,
  repartitionOwner,
  rewindOwner,
  thawCommand,
} from './commands/namespaces/freeze-namespace';
export { isRewound } from './commands/namespaces/swap-namespaces';
export { isAsideOf, nameAside } from './views/names-aside';
export { namespaceVersion } from './commands/namespaces/newer-words';
export * from './placement/healing';
export * from './views/knob-table';
export * from './views/namespace-groups';
export * from './views/node-counts';
export * from './views/namespace-query';
export * from './placement/place-chunks';
export * from './placement/candidate-nodes';
export * from './placement/unit-budget';
export * from './views/producer-settings';
export { readOrder } from './views/read-order';
export * from './views/simulate-creation';
export * from './views/view';
export {
  type DirectNode,
  type DirectRoute,
  type DirectRoutes,
  type DirectView,
  type FollowFacts,
  sessionLog,
  viewDirect,
} from './views/view-direct';
export { digestEvidence } from './plans/evidence/digest-evidence';
export * from './plans/next/next-plan-work';
export * from './plans/next/next-rebalance-move';
export * from './plans/plan-limits';
export { planKinds } from './plans/propose/propose-plan';
export * from './plans/simulate/simulate-plan';
export * from './plans/propose/unit-specs';
export * from './views/view-plans';
export * from './views/view-users';
export * from './plans/next/plan-waits';
export * from './plans/next/plan-work';
export { isNamespaceRight, may, mayKnow, type NamespaceRight, type Right } from './users/rights';
export { checkWhole } from './state/invariants';
export * from './views/chunk-full';
