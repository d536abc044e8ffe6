export * from './boot';
export * from './cluster-view';
export * from './control-topics';
export * from './entity-table';
export * from './event-codec';
export * from './journal-chain';
export * from './journal-fold';
export * from './submit';
