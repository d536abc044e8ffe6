export * from './api';
export * from './codecs/codec';
export { connect } from './connect';
export * from './errors';
export * from './memory/memory-levee';
