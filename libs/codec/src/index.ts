export { type Decoded, decode, decodeAs, encode } from './codec';
export * from './codec-failure';
export * from './crc32c-native';
export * from './fingerprint';
export * from './put';
export * from './record-registry';
export * from './record-view';
