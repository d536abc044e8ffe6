export * from './examine-cluster';
export * from './examine-topics';
export * from './facts';
export * from './finding';
export * from './limits';
export * from './rules';
