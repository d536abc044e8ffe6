export * from './crash-disk';
export * from './crash-level';
