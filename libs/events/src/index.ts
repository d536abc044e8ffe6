export * from './avro';
export * from './generated/schemas';
export * from './generated/types';
