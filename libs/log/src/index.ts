export * from './port';
export * from './system';
