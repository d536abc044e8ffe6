export * from './cluster/supervise.mjs';
