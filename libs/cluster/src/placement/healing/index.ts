export * from './explain-healing';
export * from './healing-policy';
export * from './load-rates';
export * from './loads';
export * from './plan-healing';
export { healingPolicyOf } from './policy-of';
export * from './proposal';
export type { FindingTimes } from './findings';
