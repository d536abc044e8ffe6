export * from './kafka-security';
export * from './load-settings';
export * from './open-log';
export * from './setting-types';
export * from './settings';
