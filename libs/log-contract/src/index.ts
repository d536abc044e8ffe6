export * from './harness';
export * from './log-contract';
