export * from './follow-topic';
export * from './port';
export * from './system';
