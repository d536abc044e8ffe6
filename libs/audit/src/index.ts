export * from './accept-loss';
export * from './diff-witnesses';
export * from './fold-partition';
export * from './fold-store';
export * from './portal-stops';
export * from './repair';
export * from './slot-ranges';
export * from './witness-nodes';
