export * from './avro';
export * from './feature-level';
export * from './generated/schemas';
export * from './generated/types';
