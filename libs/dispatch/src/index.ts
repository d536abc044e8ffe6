export * from './dispatcher';
export * from './round-memory';
