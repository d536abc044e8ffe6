export * from './hash';
export * from './route-table';
export * from './session';
export * from './session-token';
export * from './slot';
